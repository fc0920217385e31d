using System.Security.Cryptography;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.Experiments;

/// <summary>The keys <c>texts</c>, <c>documents</c>, <c>context</c> and <c>seed</c> of an experiment, and the documents that they mean.</summary>
/// <param name="Names">Data sets as the file names them.</param>
/// <param name="Documents">Documents drawn from each.</param>
/// <param name="Context">Longest document in tokens.</param>
/// <param name="Seed">Seed of the draw.</param>
internal sealed record ExperimentTexts(IReadOnlyList<string> Names, int Documents, int Context, int Seed)
{
    /// <summary>The keys; <paramref name="needed"/> says what for.</summary>
    public static YamlField[] Fields(bool required, string needed) =>
    [
        new("texts", YamlType.OneOrMany(YamlType.Text), $"Data sets: files, folders or patterns relative to this file, names from corpora.yaml, or storyworld:SEED; {needed}", Required: required, Default: required ? "" : "none"),
        new("documents", YamlType.Integer(1, int.MaxValue), "Documents drawn from each, by the seed.", Default: "100"),
        new("context", YamlType.Integer(2, int.MaxValue), "Longest document in tokens.", Default: "256"),
        new("seed", YamlType.Integer(0, int.MaxValue), "Seed of the draw.", Default: "1"),
    ];

    /// <summary>What a file says.</summary>
    public static ExperimentTexts Of(YamlValues values) => new(
        [.. values.Texts("texts").Distinct()], (int)(values.Integer("documents") ?? 100), (int)(values.Integer("context") ?? 256), (int)(values.Integer("seed") ?? 1));

    /// <summary>The settings, as <c>resolved.yaml</c> holds them.</summary>
    public IEnumerable<KeyValuePair<string, object?>> Settings() => new Dictionary<string, object?> { ["texts"] = Names.ToList(), ["documents"] = Documents, ["context"] = Context, ["seed"] = Seed };

    /// <summary>The documents of each data set, and their hash.</summary>
    public (List<List<TokenDocument>> Documents, string Hash) Read(string folder, string model, Action<string> note)
    {
        using var lease = FlowEngine.Shared.Model(model);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var all = new List<List<TokenDocument>>();
        foreach (var text in Names)
        {
            var corpus = Corpora.Find(Beside(folder, text));
            var how = new TokenizeOptions(MaxTokens: Math.Min(Context, lease.Model.Config.Context));
            List<TokenDocument> documents = [.. how.Tokenize(corpus.Sample(Documents, (ulong)Seed, note), lease.Model.Tokenizer)];
            foreach (var document in documents) hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>([.. document.Ids, -1]));
            all.Add(documents);
        }

        return (all, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    /// <summary>A path relative to the file where there is one, else the name as it stands.</summary>
    public static string Beside(string folder, string named) => Path.Exists(Path.Combine(folder, named)) ? Path.GetFullPath(Path.Combine(folder, named)) : named;
}
