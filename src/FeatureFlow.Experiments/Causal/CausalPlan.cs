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

    /// <summary>Targets whose predecessors are also rescaled, and for which the loss is measured; 0 for neither.</summary>
    public int SweepTargets { get; init; } = 100;

    /// <summary>Seed of everything drawn.</summary>
    public ulong Seed { get; init; }

    /// <summary>Draws targets unless they are given, and runs everything. Correlations are over all documents.</summary>
    /// <exception cref="FeatureFlowException">FF40xx: no such SAE, feature, text or position, or SAEs of another model.</exception>
    public CausalReport Run(OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<CausalTarget>? targets = null, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        targets ??= Draw(pack, model, documents, cancel);
        using var pearson = Strategies.Contains("pearson") && targets.Count > 0
            ? new PearsonMatcher(pack, model, documents, PearsonMatcher.PlacesOf(pack, targets.Select(t => t.Layer)), 1, null, cancel)
            : null;
        var options = new CausalOptions
        {
            Strategies = [.. Strategies.Where(n => n != CausalTests.Exhaustive).Select(n => Matcher(n, pack, pearson))],
            Exhaustive = Strategies.Contains(CausalTests.Exhaustive),
            Sweep = SweepTargets > 0 ? [-1, -0.5, 0, 0.5, 1, 1.5, 2] : [],
            Losses = SweepTargets > 0 ? [0, 2] : [],
            SweepTargets = SweepTargets,
        };
        return CausalTests.Run(pack, model, documents, targets, options, progress, cancel);
    }

    private IReadOnlyList<CausalTarget> Draw(OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, CancellationToken cancel)
    {
        // numbered through, whatever corpora they are from
        var texts = documents.Take(Texts).Select((d, i) => new SampledText("", i, d, Sampling.Positions(d, TokensPerText, Seed, i))).ToList();
        var layers = Layers ?? [.. pack.Pack.Saes.Where(s => s.Site == Site.Res && s.Layer > 0).Select(s => s.Layer)];
        return CausalTests.Draw(GroupMeasurement.Measure(pack, model, texts, layers, null, null, cancel), TargetsPerToken, Seed);
    }

    private IFeatureMatcher Matcher(string name, OpenedPack pack, PearsonMatcher? pearson) => name switch
    {
        "top1" => new CosineMatcher(pack),
        "top5" => new CosineMatcher(pack, 5),
        "random" => new RandomMatcher(pack, 5, Seed),
        "permutation" => new AssignmentMatcher(pack),
        _ => pearson!,
    };
}
