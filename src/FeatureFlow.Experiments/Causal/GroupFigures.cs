using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>Tables, pictures and page of activation groups, after Feature Flow's figures 3, 4, 5, 12, 13, 14, 18 and 19 (docs/figures.md lists them).</summary>
internal sealed class GroupFigures
{
    private const int LayersShown = 6;

    private readonly GroupsPlan _plan;
    private readonly IReadOnlyList<(string Matcher, GroupUnit Unit)> _units;
    private readonly string[] _datasets;

    /// <param name="plan">What was measured.</param>
    /// <param name="units">What came of it, by matcher, data set and layer.</param>
    public GroupFigures(GroupsPlan plan, IReadOnlyList<(string Matcher, GroupUnit Unit)> units) =>
        (_plan, _units, _datasets) = (plan, units, [.. units.SelectMany(u => u.Unit.Counts.Select(c => c.Dataset)).Distinct()]);

    /// <summary>Writes tables, figures/*.svg and report.html.</summary>
    public void Write(string name, RunOutputs outputs)
    {
        var report = new Report($"Groups: {name}").Section("What was looked at").Facts(Facts());
        foreach (var matcher in _plan.Matchers)
        {
            GroupUnit[] units = [.. _units.Where(u => u.Matcher == matcher).Select(u => u.Unit)];
            var prefix = matcher == _plan.Matchers[0] ? "" : $"{matcher}_";
            var summary = Tables(units, prefix, outputs);
            report.Section(_plan.Matchers.Count == 1 ? "Where features come from" : $"Where features come from, by {matcher}");
            Show(report, outputs, prefix, [ByLayer(units), ByDataset(units), Clouds(units)]);
            report.Section(_plan.Matchers.Count == 1 ? "Do scores tell the groups apart?" : $"Do scores tell the groups apart? By {matcher}");
            Show(report, outputs, prefix, [ByKind(summary), ByPair(units), Distributions(units), AppearsAs(units)]);
            report.Table("Tests with p < 0.001", GroupTables.Summary, [.. summary], $"{prefix}mannwhitney_summary.csv");
        }

        if (_plan.Matchers.Count > 1)
        {
            report.Section("Who names the predecessors");
            Show(report, outputs, "", [Matchers()]);
        }

        report.Section("Counts").Table("Occurrences", GroupTables.Counts, [.. _units.Where(u => u.Matcher == _plan.Matchers[0]).SelectMany(u => u.Unit.Counts)], "groups.csv");
        report.Write(outputs.Add("report.html"));
    }

    private IReadOnlyList<GroupTestSummary> Tables(GroupUnit[] units, string prefix, RunOutputs outputs)
    {
        List<GroupTest> tests = [.. units.SelectMany(u => u.Tests)];
        var summary = GroupReport.Summary(tests, _datasets);
        GroupTables.Counts.Write(outputs.Add($"{prefix}groups.csv"), units.SelectMany(u => u.Counts));
        GroupTables.Tests.Write(outputs.Add($"{prefix}mannwhitney.csv"), tests);
        GroupTables.Summary.Write(outputs.Add($"{prefix}mannwhitney_summary.csv"), summary);
        GroupTables.Overlaps.Write(outputs.Add($"{prefix}appears_as.csv"), Overlaps(units));
        GroupTables.Distributions.Write(outputs.Add($"{prefix}scores.csv"), units.SelectMany(u => u.Scores));
        GroupTables.Points.Write(outputs.Add($"{prefix}points.csv"), units.SelectMany(u => u.Points));
        return summary;
    }

    private IEnumerable<(string, string)> Facts() =>
    [
        ("data sets", string.Join(", ", _datasets)),
        ("texts of each", FormattableString.Invariant($"{_plan.Documents} at most, {_plan.TokensPerText} tokens of each, the first {_plan.Context} tokens of long ones")),
        ("layers", string.Join(", ", _plan.Layers)),
        ("predecessors", string.Join(", ", _plan.Matchers.Select(m => m switch { "top1" => "the best by cosine", "pearson" => FormattableString.Invariant($"the best by correlation over {_plan.PearsonTokens} tokens of {_plan.PearsonTexts}"), _ => "the partner in the exact assignment" }))),
        ("occurrences", FormattableString.Invariant($"{_units.Where(u => u.Matcher == _plan.Matchers[0]).Sum(u => u.Unit.Counts.Sum(c => c.Count))}")),
        ("seed", FormattableString.Invariant($"{_plan.Seed}")),
        ("program", $"{Generator.Current.Name} {Generator.Current.Version}"),
    ];

    // figures 5 and 19b
    private (string, Figure) ByLayer(GroupUnit[] units) => ("groups_by_layer", new Figure("Groups by layer",
        [.. _datasets.Select(d => new Panel(new Axis("layer") { Whole = true }, Share, [.. ActivationGroups.All.Select(g => new LineSeries(g.Name(), [.. Of(units, d).Where(c => c.Group == g && c.Share is not null).OrderBy(c => c.Layer).Select(c => Interval(c.Layer, c.Count, Total(units, d, c.Layer)))]))]) { Title = _datasets.Length > 1 ? d : null })])
    {
        Note = "Share of the occurrences of active features in each layer: which of their matched predecessors are active at the same token. Bands: 95 % (Wilson), occurrences taken as independent.",
    });

    // figures 12a and 19a
    private (string, Figure) ByDataset(GroupUnit[] units) => ("groups_by_dataset", new Figure("Groups of all layers",
        new Panel(new Axis("") { Categories = Names }, Share, [.. _datasets.Select(d => new BarSeries(d, [.. ActivationGroups.All.Select(g => Share95(g.Name(), Of(units, d).Where(c => c.Group == g).Sum(c => c.Count), Of(units, d).Sum(c => c.Count)))]))]))
    {
        Note = "Whiskers: 95 % (Wilson), occurrences taken as independent.",
    });

    // figure 3
    private (string, Figure)? Clouds(GroupUnit[] units)
    {
        var layers = Spread([.. units.SelectMany(u => u.Points).Where(p => p.Res is not null && p.Mlp is not null).Select(p => p.Layer).Distinct().Order()], LayersShown);
        if (layers.Length == 0) return null;
        return ("scores_and_activity", new Figure("Cosine with the predecessors, and which of them are active",
            [.. layers.Select(layer => new Panel(new Axis("s(R)"), new Axis("s(M)"), [.. ActivationGroups.All.Select(g => new ScatterSeries(g.Name(), [.. units.SelectMany(u => u.Points).Where(p => p.Layer == layer && p.Group == g && p.Res is not null && p.Mlp is not null).Select(p => new Dot(p.Res!.Value, p.Mlp!.Value, Note: FormattableString.Invariant($"{layer}/res/{p.Index}")))]))]) { Title = FormattableString.Invariant($"layer {layer}") })])
        {
            Note = FormattableString.Invariant($"At most {_plan.Points} occurrences of each layer and data set, drawn by the seed; points.csv has them all."),
        });
    }

    // figure 4
    private (string, Figure) ByKind(IReadOnlyList<GroupTestSummary> summary)
    {
        var dataset = _datasets.Length > 1 ? "all" : _datasets[0];
        return ("significant_by_kind", new Figure("Do two groups differ in a score?",
            new Panel(new Axis("") { Categories = ["AO", "AB", "IB"] }, new Axis("tests with p < 0.001") { Min = 0, Max = 1 }, [.. ActivationGroups.Sites.Select(s => new BarSeries(ScoreName(s), [.. summary.Where(t => t.Dataset == dataset && t.Score == s && t.Tests > 0).Select(t => Share95(t.Kind, t.Significant, t.Tests))]))]))
        {
            Note = "Mann-Whitney U of every pair of groups, layer and data set. AO: the score's site is active in only one of the two groups, AB: in both, IB: in neither.",
        });
    }

    // figures 14 and 19d
    private static (string, Figure) ByPair(GroupUnit[] units) => ("significant_by_pair", new Figure("Tests with p < 0.001, by pair of groups",
        [.. ActivationGroups.Sites.Select(s => new Panel(new Axis(""), new Axis(""), [new HeatSeries(ScoreName(s), Names, Names, Cells((a, b) => Passed(units, s, a, b))) { Min = 0, Max = 1 }]) { Title = ScoreName(s) })])
    {
        Columns = 1,
        Note = "Share of the tests of a pair over layers and data sets.",
    });

    // figures 12b and 19c
    private (string, Figure) Distributions(GroupUnit[] units)
    {
        var layers = Spread([.. units.SelectMany(u => u.Scores).Where(s => s.Score == PredecessorSites.Res).Select(s => s.Layer).Distinct().Order()], 4);
        if (layers.Length == 4) layers = layers[1..3]; // a third and two thirds up, as layers 8 and 18 of 26
        return ("score_distributions", new Figure("Scores of the groups",
            [.. from layer in layers
                from site in ActivationGroups.Sites
                let boxes = units.SelectMany(u => u.Scores).Where(s => s.Layer == layer && s.Score == site && s.Dataset == _datasets[0]).Select(s => new Box(s.Group.Name(), s.Quantiles[0], s.Quantiles[1], s.Quantiles[2], s.Quantiles[3], s.Quantiles[4], s.Count)).ToList()
                where boxes.Count > 0
                select new Panel(new Axis("") { Categories = Names }, new Axis(ScoreName(site)), [new BoxSeries("cosine", boxes)]) { Title = FormattableString.Invariant($"layer {layer}, {ScoreName(site)}") }])
        {
            Columns = 2,
            Note = $"Median, quartiles, and whiskers from 5 to 95 %; data set {_datasets[0]}. scores.csv has every layer and data set.",
        });
    }

    // figure 13
    private (string, Figure) AppearsAs(GroupUnit[] units)
    {
        var overlaps = Overlaps(units);
        return ("appears_as", new Figure("Features of one group, seen in another one too",
            [.. _datasets.Select(d => new Panel(new Axis("seen in"), new Axis("features of"), [new HeatSeries("probability", Names, Names, Cells((a, b) => overlaps.First(o => o.Dataset == d && o.GroupA == a && o.GroupB == b).Probability)) { Min = 0, Max = 1 }]) { Title = _datasets.Length > 1 ? d : null })])
        {
            Columns = 1,
            Note = "Of the features seen at least once in the group of the row, the share also seen in that of the column; all layers.",
        });
    }

    // figure 18
    private (string, Figure) Matchers() => ("matchers", new Figure("Groups by who names the predecessors",
        [.. from dataset in _datasets
            select new Panel(new Axis("") { Categories = Names }, Share, [.. _plan.Matchers.Select(m =>
            {
                GroupUnit[] units = [.. _units.Where(u => u.Matcher == m).Select(u => u.Unit)];
                return new BarSeries(m, [.. ActivationGroups.All.Select(g => Share95(g.Name(), Of(units, dataset).Where(c => c.Group == g).Sum(c => c.Count), Of(units, dataset).Sum(c => c.Count)))]);
            })]) { Title = dataset },
            .. from dataset in _datasets
               select new Panel(new Axis("layer") { Whole = true }, new Axis("share From nowhere") { Min = 0 }, [.. _plan.Matchers.Select(m =>
               {
                   GroupUnit[] units = [.. _units.Where(u => u.Matcher == m).Select(u => u.Unit)];
                   return new LineSeries(m, [.. Of(units, dataset).Where(c => c.Group == PredecessorSites.None && c.Share is not null).OrderBy(c => c.Layer).Select(c => Interval(c.Layer, c.Count, Total(units, dataset, c.Layer)))]);
               })]) { Title = dataset }])
    {
        Columns = 1,
        PlotHeight = 200,
    });

    private List<GroupOverlap> Overlaps(GroupUnit[] units) =>
        [.. _datasets.SelectMany(d => GroupOverlap.Of(units.Where(u => u.Counts.Any(c => c.Dataset == d)).SelectMany(u => u.Seen.Where((_, i) => i % 2 == 1)), d))];

    private static void Show(Report report, RunOutputs outputs, string prefix, IEnumerable<(string File, Figure Figure)?> figures)
    {
        foreach (var (file, figure) in figures.OfType<(string, Figure)>())
        {
            report.Figure(figure);
            figure.Write(outputs.Add($"figures/{prefix}{file}.svg"));
        }
    }

    private static Axis Share { get; } = new("share of active features") { Min = 0 };

    private static string[] Names { get; } = [.. ActivationGroups.All.Select(g => g.Name())];

    private static string ScoreName(PredecessorSites site) => site switch { PredecessorSites.Res => "s(R)", PredecessorSites.Mlp => "s(M)", _ => "s(A)" };

    private static IEnumerable<GroupCount> Of(GroupUnit[] units, string dataset) => units.SelectMany(u => u.Counts).Where(c => c.Dataset == dataset);

    private static int Total(GroupUnit[] units, string dataset, int layer) => Of(units, dataset).Where(c => c.Layer == layer).Sum(c => c.Count);

    private static Dot Interval(double x, int hits, int count) => Dot.Of(x, Wilson.Of(hits, count));

    private static Bar Share95(string category, int hits, int count) => count == 0 ? new Bar(category, 0) : Bar.Of(category, Wilson.Of(hits, count));

    private static double[,] Cells(Func<PredecessorSites, PredecessorSites, double?> value)
    {
        var cells = new double[Names.Length, Names.Length];
        for (var a = 0; a < Names.Length; a++)
        {
            for (var b = 0; b < Names.Length; b++) cells[a, b] = value(ActivationGroups.All[a], ActivationGroups.All[b]) ?? double.NaN;
        }

        return cells;
    }

    private static double? Passed(GroupUnit[] units, PredecessorSites score, PredecessorSites a, PredecessorSites b)
    {
        var tests = units.SelectMany(u => u.Tests).Where(t => t.Score == score && ((t.GroupA == a && t.GroupB == b) || (t.GroupA == b && t.GroupB == a))).ToList();
        return tests.Count == 0 ? null : (double)tests.Count(t => t.P < GroupReport.Level) / tests.Count;
    }

    // at most so many, evenly
    private static int[] Spread(int[] all, int count) => all.Length <= count ? all : [.. Enumerable.Range(0, count).Select(i => all[i * (all.Length - 1) / (count - 1)])];
}
