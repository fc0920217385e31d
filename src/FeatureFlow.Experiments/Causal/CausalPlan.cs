using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.Experiments;

/// <summary>A protocol of causal tests: what is drawn and which strategies are tried (Feature Flow, section 5.2; METHODS 4).</summary>
public sealed record CausalPlan
{
    /// <summary>Every strategy, in the order of tables.</summary>
    public static IReadOnlyList<string> Known { get; } = ["top1", "top5", "random", "permutation", "pearson", CausalTests.Exhaustive];

    /// <summary>Strategies that are tried.</summary>
    public IReadOnlyList<string> Strategies { get; init; } = Known;

    /// <summary>Texts from which targets are drawn, the first ones.</summary>
    public int Texts { get; init; } = CausalTests.PaperTexts;

    /// <summary>Random tokens of each.</summary>
    public int TokensPerText { get; init; } = GroupMeasurement.PaperTokens;

    /// <summary>Targets of a token and layer at most.</summary>
    public int TargetsPerToken { get; init; } = CausalTests.PaperTargets;

    /// <summary>Layers of the targets; null for all from 1.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>Factors that predecessors are rescaled by.</summary>
    public IReadOnlyList<double> Sweep { get; init; } = [-1, -0.5, 0, 0.5, 1, 1.5, 2];

    /// <summary>Factors with which the loss of the whole text is measured.</summary>
    public IReadOnlyList<double> Losses { get; init; } = [0, 2];

    /// <summary>Targets whose predecessors are also rescaled, and for which the loss is measured; 0 for neither.</summary>
    public int SweepTargets { get; init; } = 100;

    /// <summary>Seed of everything drawn.</summary>
    public ulong Seed { get; init; }

    /// <summary>Draws targets unless they are given, and runs everything. Correlations are over all documents.</summary>
    /// <exception cref="FeatureFlowException">FF40xx: no such SAE, feature, text or position, or SAEs of another model.</exception>
    public CausalReport Run(OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<CausalTarget>? targets = null, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        using var pearson = Strategies.Contains("pearson") && targets?.Count != 0
            ? new PearsonMatcher(pack, model, documents, PearsonMatcher.PlacesOf(pack, targets?.Select(t => t.Layer) ?? LayersOf(pack)), 1, null, cancel)
            : null;
        targets ??= Draw(pack, model, documents, [.. Enumerable.Range(0, Math.Min(Texts, documents.Count))], pearson, cancel);
        return CausalTests.Run(pack, model, documents, targets, Options(pack, pearson), progress, cancel);
    }

    /// <summary>What is tried on every target.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="pearson">Correlations; null where the strategies do without.</param>
    public CausalOptions Options(OpenedPack pack, PearsonMatcher? pearson) => new()
    {
        Strategies = [.. Strategies.Where(n => n != CausalTests.Exhaustive).Select(n => Matcher(n, pack, pearson))],
        Exhaustive = Strategies.Contains(CausalTests.Exhaustive),
        Sweep = SweepTargets > 0 ? Sweep : [],
        Losses = SweepTargets > 0 ? Losses : [],
        SweepTargets = SweepTargets,
    };

    /// <summary>
    /// Targets of some documents, given by number: the same whichever others are drawn from. None is From nowhere; with correlations, none is so by cosine and by correlation both,
    /// as in the paper's comparison of the two: targets drawn by cosine alone would favour it.
    /// </summary>
    public IReadOnlyList<CausalTarget> Draw(OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<int> numbers, PearsonMatcher? pearson, CancellationToken cancel = default)
    {
        // numbered through, whatever corpora they are from
        var texts = numbers.Select(i => new SampledText("", i, documents[i], Sampling.Positions(documents[i], TokensPerText, Seed, i))).ToList();
        var cosine = GroupMeasurement.Measure(pack, model, texts, LayersOf(pack), null, null, cancel);
        return CausalTests.Draw(pearson is null ? [cosine] : [cosine, GroupMeasurement.Measure(pack, model, texts, LayersOf(pack), pearson, null, cancel)], TargetsPerToken, Seed);
    }

    private IReadOnlyList<int> LayersOf(OpenedPack pack) => Layers ?? [.. pack.Pack.Saes.Where(s => s.Site == Site.Res && s.Layer > 0).Select(s => s.Layer)];

    private IFeatureMatcher Matcher(string name, OpenedPack pack, PearsonMatcher? pearson) => name switch
    {
        "top1" => new CosineMatcher(pack),
        "top5" => new CosineMatcher(pack, 5),
        "random" => new RandomMatcher(pack, 5, Seed),
        "permutation" => new AssignmentMatcher(pack),
        _ => pearson!,
    };
}
