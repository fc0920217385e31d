using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments;

/// <summary>What experiments on predecessors run on: a pack, its model, documents of data sets, and those that correlations are over.</summary>
internal sealed class LineageInputs
{
    private readonly List<string> _notes;

    /// <summary>Draws the documents.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="folder">Folder of the experiment's file, that paths are relative to.</param>
    /// <param name="texts">Data sets.</param>
    /// <param name="documents">Documents of each at most.</param>
    /// <param name="context">Longest document in tokens.</param>
    /// <param name="seed">Seed of the draw.</param>
    /// <param name="correlated">The data set that correlations are over and its tokens, or null for none.</param>
    /// <param name="cancel">Honoured between files.</param>
    public LineageInputs(OpenedPack pack, string model, string folder, IReadOnlyList<string> texts, int documents, int context, int seed, (string Texts, long Tokens)? correlated, CancellationToken cancel)
    {
        (Pack, Model, _notes) = (pack, model, [.. pack.Warnings]);
        using var lease = FlowEngine.Shared.Model(model);
        Texts = DataSets.Draw(folder, texts, documents, context, seed, lease.Model, _notes);
        Correlated = correlated is { } of ? DataSets.First(folder, [of.Texts], of.Tokens, context, lease.Model, _notes) : null;
        var hashes = new Dictionary<string, string> { ["saes"] = pack.ContentHash(cancel), ["tokens"] = Texts.Hash };
        if (Correlated is not null) hashes["correlated_tokens"] = Correlated.Hash;
        Hashes = hashes;
    }

    public OpenedPack Pack { get; }

    public string Model { get; }

    public DataSets Texts { get; }

    public DataSets? Correlated { get; }

    /// <summary>Identity of everything read.</summary>
    public IReadOnlyDictionary<string, string> Hashes { get; }

    public IReadOnlyList<string> Notes => _notes;

    /// <summary>The matcher by correlation at some layers, or null without correlated texts.</summary>
    public PearsonMatcher? Pearson(LanguageModel model, IEnumerable<int> layers, CancellationToken cancel) =>
        Correlated is null ? null : new PearsonMatcher(Pack, model, Correlated.Documents[0], PearsonMatcher.PlacesOf(Pack, layers), 1, null, cancel);
}
