namespace FeatureFlow.Flow;

/// <summary>A residual feature that is active at a sampled token.</summary>
/// <param name="Text">Number of the text in <see cref="GroupReport.Texts"/>.</param>
/// <param name="Position">Position in it.</param>
/// <param name="Layer">Layer of the feature.</param>
/// <param name="Index">Its index.</param>
/// <param name="Activation">Its activation.</param>
/// <param name="Group">Which of its matched predecessors are active there too.</param>
public readonly record struct FeatureOccurrence(int Text, int Position, int Layer, int Index, float Activation, PredecessorSites Group);

/// <summary>Occurrences of a group in a layer: a row of <c>groups.csv</c>.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Group">Group.</param>
/// <param name="Count">Occurrences.</param>
/// <param name="Share">Of all occurrences in the layer.</param>
/// <param name="Dataset">Corpus.</param>
public sealed record GroupCount(int Layer, PredecessorSites Group, int Count, double? Share, string Dataset);

/// <summary>One test whether a score differs between two groups: a row of <c>mannwhitney.csv</c>.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Score">The site whose scores are compared.</param>
/// <param name="GroupA">First group.</param>
/// <param name="GroupB">Second group.</param>
/// <param name="Kind">AO: the site is active in one of the groups; AB: in both; IB: in neither.</param>
/// <param name="CountA">Sample of the first group.</param>
/// <param name="CountB">Sample of the second.</param>
/// <param name="U">U of the first group.</param>
/// <param name="P">Two-sided, by the normal approximation with tie and continuity correction.</param>
/// <param name="ExactP">From the exact distribution, where the smaller sample is small and no values tie.</param>
/// <param name="Dataset">Corpus.</param>
public sealed record GroupTest(int Layer, PredecessorSites Score, PredecessorSites GroupA, PredecessorSites GroupB, string Kind, int CountA, int CountB, double U, double P, double? ExactP, string Dataset);

/// <summary>How many tests are significant: a row of <c>mannwhitney_summary.csv</c>.</summary>
/// <param name="Score">The site whose scores are compared.</param>
/// <param name="Kind">AO, AB or IB.</param>
/// <param name="Tests">Tests.</param>
/// <param name="Significant">Tests with p below the level.</param>
/// <param name="Dataset">Corpus, or <c>all</c>.</param>
public sealed record GroupTestSummary(PredecessorSites Score, string Kind, int Tests, int Significant, string Dataset)
{
    /// <summary>Share of significant tests; null without tests.</summary>
    public double? Share => Tests > 0 ? (double)Significant / Tests : null;
}

/// <summary>Whether features of a group are seen in another one too: a row of <c>appears_as.csv</c>.</summary>
/// <param name="GroupA">The group that features were seen in.</param>
/// <param name="GroupB">The other.</param>
/// <param name="Probability">Share of the features seen at least once in A that were also seen at least once in B; null when none was.</param>
/// <param name="Features">Features seen in A.</param>
/// <param name="Dataset">Corpus.</param>
public sealed record GroupOverlap(PredecessorSites GroupA, PredecessorSites GroupB, double? Probability, int Features, string Dataset)
{
    /// <summary>Every pair of groups.</summary>
    /// <param name="seen">Of every feature the groups that it was seen in; bits in the order of <see cref="ActivationGroups.All"/>.</param>
    /// <param name="dataset">Corpus.</param>
    public static IReadOnlyList<GroupOverlap> Of(IEnumerable<int> seen, string dataset)
    {
        var both = new int[ActivationGroups.All.Count, ActivationGroups.All.Count];
        foreach (var groups in seen)
        {
            for (var a = 0; a < ActivationGroups.All.Count; a++)
            {
                for (var b = 0; b < ActivationGroups.All.Count; b++) both[a, b] += (groups >> a) & (groups >> b) & 1;
            }
        }

        return
        [
            .. from a in Enumerable.Range(0, ActivationGroups.All.Count)
               from b in Enumerable.Range(0, ActivationGroups.All.Count)
               select new GroupOverlap(ActivationGroups.All[a], ActivationGroups.All[b], both[a, a] > 0 ? (double)both[a, b] / both[a, a] : null, both[a, a], dataset),
        ];
    }
}

/// <summary>An occurrence with its three scores: a row of <c>points.csv</c>.</summary>
/// <param name="Layer">Layer of the feature.</param>
/// <param name="Index">Its index.</param>
/// <param name="Group">Its group there.</param>
/// <param name="Res">s(R); null where there is no match.</param>
/// <param name="Mlp">s(M).</param>
/// <param name="Att">s(A).</param>
/// <param name="Dataset">Corpus.</param>
public sealed record GroupPoint(int Layer, int Index, PredecessorSites Group, double? Res, double? Mlp, double? Att, string Dataset);

/// <summary>The distribution of a score over the occurrences of a group: a row of <c>scores.csv</c>.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Group">Group.</param>
/// <param name="Score">The site whose score it is.</param>
/// <param name="Count">Occurrences that have the score.</param>
/// <param name="Mean">Mean.</param>
/// <param name="Quantiles">At 5, 25, 50, 75 and 95 %.</param>
/// <param name="Dataset">Corpus.</param>
public sealed record GroupScores(int Layer, PredecessorSites Group, PredecessorSites Score, int Count, double Mean, IReadOnlyList<double> Quantiles, string Dataset);

/// <summary>Every active residual feature at every sampled token with its group, and what Feature Flow reports of them (sections 4.2, 5.1, A.1).</summary>
public sealed class GroupReport
{
    /// <summary>p below which a difference counts, in Feature Flow.</summary>
    public const double Level = 0.001;

    /// <summary>The quantiles of <see cref="GroupScores.Quantiles"/>.</summary>
    public static IReadOnlyList<double> QuantilesShown { get; } = [0.05, 0.25, 0.5, 0.75, 0.95];

    private const ulong PointKey = 0x9017;
    private static readonly string[] Kinds = ["AO", "AB", "IB"];

    private readonly Dictionary<int, double[][]> _scores;

    internal GroupReport(string matcher, IReadOnlyList<SampledText> texts, IReadOnlyList<int> layers, IReadOnlyList<FeatureOccurrence> occurrences, Dictionary<int, double[][]> scores, IReadOnlyList<string> notes)
    {
        (Matcher, Texts, Layers, Occurrences, _scores, Notes) = (matcher, texts, layers, occurrences, scores, notes);
        Datasets = [.. texts.Select(t => t.Dataset).Distinct()];
    }

    /// <summary>What named the predecessors.</summary>
    public string Matcher { get; }

    /// <summary>Texts and positions that were looked at.</summary>
    public IReadOnlyList<SampledText> Texts { get; }

    /// <summary>Their corpora.</summary>
    public IReadOnlyList<string> Datasets { get; }

    /// <summary>Layers, ascending.</summary>
    public IReadOnlyList<int> Layers { get; }

    /// <summary>By layer, then in the order of texts and positions, then by index.</summary>
    public IReadOnlyList<FeatureOccurrence> Occurrences { get; }

    /// <summary>What was left out and why.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>The part of one layer.</summary>
    public GroupReport Of(int layer) => new(Matcher, Texts, [layer], [.. Occurrences.Where(o => o.Layer == layer)], _scores, Notes);

    /// <summary>The score of a feature: of its best match at a site. NaN where it has none.</summary>
    public double Score(int layer, int index, PredecessorSites site) => _scores[layer][Position(site)][index];

    /// <summary>How many occurrences are in each group, by corpus, layer and group.</summary>
    public IReadOnlyList<GroupCount> Counts()
    {
        var counts = Occurrences.CountBy(o => (Texts[o.Text].Dataset, o.Layer, o.Group)).ToDictionary();
        return
        [
            .. from dataset in Datasets
               from layer in Layers
               let total = ActivationGroups.All.Sum(g => counts.GetValueOrDefault((dataset, layer, g)))
               from g in ActivationGroups.All
               let count = counts.GetValueOrDefault((dataset, layer, g))
               select new GroupCount(layer, g, count, total > 0 ? (double)count / total : null, dataset),
        ];
    }

    /// <summary>Mann-Whitney U of every pair of groups, for every corpus, layer with all three scores, and score.</summary>
    public IReadOnlyList<GroupTest> Tests()
    {
        var tests = new List<GroupTest>();
        foreach (var (dataset, layer, samples) in Samples())
        {
            if (ActivationGroups.Sites.Any(s => Array.TrueForAll(_scores[layer][Position(s)], double.IsNaN))) continue;
            for (var a = 0; a < ActivationGroups.All.Count; a++)
            {
                for (var b = a + 1; b < ActivationGroups.All.Count; b++)
                {
                    foreach (var score in ActivationGroups.Sites)
                    {
                        var (groupA, groupB) = (ActivationGroups.All[a], ActivationGroups.All[b]);
                        var (first, second) = (samples[a][Position(score)], samples[b][Position(score)]);
                        if (first.Count == 0 || second.Count == 0) continue;
                        var (exact, approximate) = (MannWhitney.Test(first, second), MannWhitney.Approximate(first, second));
                        tests.Add(new GroupTest(layer, score, groupA, groupB, Kind(score, groupA, groupB), first.Count, second.Count, approximate.U, approximate.P, exact.Exact ? exact.P : null, dataset));
                    }
                }
            }
        }

        return tests;
    }

    /// <summary>Significant tests by score and kind; of each corpus, and of all together where there are several.</summary>
    public IReadOnlyList<GroupTestSummary> Summary(IReadOnlyList<GroupTest> tests, double level = Level) => Summary(tests, Datasets, level);

    /// <summary>The same of tests from anywhere.</summary>
    public static IReadOnlyList<GroupTestSummary> Summary(IReadOnlyList<GroupTest> tests, IReadOnlyList<string> datasets, double level = Level) =>
    [
        .. from dataset in datasets.Count > 1 ? datasets.Append("all") : datasets
           from score in ActivationGroups.Sites
           from kind in Kinds
           let some = tests.Where(t => t.Score == score && t.Kind == kind && (t.Dataset == dataset || dataset == "all")).ToList()
           select new GroupTestSummary(score, kind, some.Count, some.Count(t => t.P < level), dataset),
    ];

    /// <summary>Of the features seen in a group, the share also seen in another, over all layers.</summary>
    public IReadOnlyList<GroupOverlap> Overlaps() =>
        [.. Datasets.SelectMany(dataset => GroupOverlap.Of(Seen().Where(s => s.Dataset == dataset).Select(s => s.Groups), dataset))];

    /// <summary>The groups that every feature was seen in; bits in the order of <see cref="ActivationGroups.All"/>.</summary>
    public IEnumerable<(string Dataset, int Layer, int Index, int Groups)> Seen()
    {
        var order = ActivationGroups.All.Select((g, i) => (g, i)).ToDictionary(p => p.g, p => p.i);
        return Occurrences
            .GroupBy(o => (Texts[o.Text].Dataset, o.Layer, o.Index))
            .Select(g => (g.Key.Dataset, g.Key.Layer, g.Key.Index, g.Aggregate(0, (mask, o) => mask | (1 << order[o.Group]))));
    }

    /// <summary>A seeded sample of occurrences of every corpus and layer with their three scores: the clouds of Feature Flow, figure 3.</summary>
    /// <param name="count">Of each corpus and layer at most.</param>
    /// <param name="seed">Seed of the draw.</param>
    public IReadOnlyList<GroupPoint> Points(int count, ulong seed)
    {
        var points = new List<GroupPoint>();
        foreach (var some in Occurrences.GroupBy(o => (Texts[o.Text].Dataset, o.Layer)))
        {
            var all = some.ToArray();
            new Prng(seed, PointKey, (ulong)some.Key.Layer).Shuffle(all.AsSpan());
            points.AddRange(all.Take(count).OrderBy(o => o.Index).ThenBy(o => o.Text).ThenBy(o => o.Position).Select(o => new GroupPoint(
                o.Layer, o.Index, o.Group, Known(0, o), Known(1, o), Known(2, o), some.Key.Dataset)));
        }

        return points;

        double? Known(int site, FeatureOccurrence o) => _scores[o.Layer][site][o.Index] is var v && double.IsNaN(v) ? null : v;
    }

    /// <summary>How the scores of each group are distributed.</summary>
    public IReadOnlyList<GroupScores> Distributions()
    {
        var rows = new List<GroupScores>();
        foreach (var (dataset, layer, samples) in Samples())
        {
            for (var g = 0; g < samples.Length; g++)
            {
                foreach (var score in ActivationGroups.Sites)
                {
                    double[] values = [.. samples[g][Position(score)].Order()];
                    if (values.Length == 0) continue;
                    rows.Add(new GroupScores(layer, ActivationGroups.All[g], score, values.Length, values.Average(), [.. QuantilesShown.Select(q => Quantile(values, q))], dataset));
                }
            }
        }

        return rows;
    }

    /// <summary>AO, AB or IB: how the activity of a site differs between two groups.</summary>
    public static string Kind(PredecessorSites score, PredecessorSites groupA, PredecessorSites groupB) => (groupA.HasFlag(score), groupB.HasFlag(score)) switch
    {
        (true, true) => "AB",
        (false, false) => "IB",
        _ => "AO",
    };

    // of every corpus and layer: by group and score, the scores of its occurrences
    private IEnumerable<(string Dataset, int Layer, List<double>[][] Samples)> Samples()
    {
        var order = ActivationGroups.All.Select((g, i) => (g, i)).ToDictionary(p => p.g, p => p.i);
        foreach (var dataset in Datasets)
        {
            foreach (var layer in Layers)
            {
                var samples = ActivationGroups.All.Select(_ => new List<double>[] { [], [], [] }).ToArray();
                foreach (var o in Occurrences)
                {
                    if (o.Layer != layer || Texts[o.Text].Dataset != dataset) continue;
                    for (var s = 0; s < 3; s++)
                    {
                        if (_scores[layer][s][o.Index] is var v && !double.IsNaN(v)) samples[order[o.Group]][s].Add(v);
                    }
                }

                yield return (dataset, layer, samples);
            }
        }
    }

    private static int Position(PredecessorSites site) => System.Numerics.BitOperations.TrailingZeroCount((int)site);

    private static double Quantile(double[] sorted, double q)
    {
        var place = q * (sorted.Length - 1);
        var under = (int)place;
        return under + 1 >= sorted.Length ? sorted[^1] : sorted[under] + ((place - under) * (sorted[under + 1] - sorted[under]));
    }
}
