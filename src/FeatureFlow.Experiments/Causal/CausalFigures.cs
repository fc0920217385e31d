using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>Tables, pictures and page of deactivations, after Feature Flow's figures 6, 7, 8 and 15 and its table 1 (docs/figures.md lists them), with its claims.</summary>
internal sealed class CausalFigures
{
    private const int Resamples = 1000;

    private readonly DeactivationPlan _plan;
    private readonly IReadOnlyList<CausalReport> _reports;
    private readonly string[] _strategies;
    private readonly string _first;

    /// <param name="plan">What was done.</param>
    /// <param name="reports">What came of it, by data set.</param>
    public CausalFigures(DeactivationPlan plan, IReadOnlyList<CausalReport> reports)
    {
        (_plan, _reports) = (plan, reports);
        _strategies = [.. plan.Protocol.Strategies.Where(s => s != CausalTests.Exhaustive)];
        _first = _strategies.FirstOrDefault() ?? "";
    }

    /// <summary>Writes tables, figures/*.svg and report.html; files of several data sets are numbered.</summary>
    public void Write(string name, RunOutputs outputs)
    {
        var report = new Report($"Deactivation: {name}").Section("What was cut").Facts(Facts());
        for (var t = 0; t < _reports.Count; t++)
        {
            var (cuts, suffix) = (_reports[t], _reports.Count == 1 ? "" : FormattableString.Invariant($"_{t}"));
            var of = _reports.Count == 1 ? "" : $", {_plan.Texts[t]}";
            var claims = new CausalClaims(cuts);
            Tables(cuts, claims, suffix, outputs);
            report.Section($"Do the paper's claims hold{of}?").Table("Claims", CausalTables.Claims, claims.All(), $"claims{suffix}.csv")
                .Paragraph("Intervals: 95 %, texts drawn again. A claim holds or fails where the whole interval is on one side of 0; two methods are on par where it lies within 0.05 of 0.")
                .Table("Methods on the targets that cosine or correlation calls From RES, From MLP or From ATT", CausalTables.Methods, claims.Methods(), $"methods{suffix}.csv");
            report.Section($"Cuts{of}");
            foreach (var (file, figure) in Figures(cuts).OfType<(string, Figure)>())
            {
                report.Figure(figure);
                figure.Write(outputs.Add($"figures/{file}{suffix}.svg"));
            }

            report.Table("Success rates of all layers", CausalTables.Summary, [.. cuts.Summary().Where(s => s.Layer is null)], $"summary{suffix}.csv");
        }

        report.Write(outputs.Add("report.html"));
    }

    private IEnumerable<(string, string)> Facts() =>
    [
        ("data sets", string.Join(", ", _plan.Texts)),
        ("targets", FormattableString.Invariant($"{_reports.Sum(r => r.Rows.Select(x => x.Target).Distinct().Count())}: up to {_plan.Protocol.TargetsPerToken} at each of {_plan.Protocol.TokensPerText} tokens of {_plan.Protocol.Texts} texts, layers {string.Join(", ", _plan.Protocol.Layers!)}, none From nowhere{(_strategies.Contains("pearson") ? " by cosine and by correlation both" : "")}")),
        ("cuts", FormattableString.Invariant($"{_reports.Sum(r => r.Cuts)}")),
        ("strategies", string.Join(", ", _plan.Protocol.Strategies)),
        ("seed", FormattableString.Invariant($"{_plan.Protocol.Seed}")),
        ("program", $"{Generator.Current.Name} {Generator.Current.Version}"),
    ];

    private static void Tables(CausalReport cuts, CausalClaims claims, string suffix, RunOutputs outputs)
    {
        CausalTables.Rows.Write(outputs.Add($"causal{suffix}.csv"), cuts.Rows);
        CausalTables.OneSite.Write(outputs.Add($"one_at_a_time{suffix}.csv"), cuts.OneSite);
        CausalTables.Summary.Write(outputs.Add($"summary{suffix}.csv"), cuts.Summary());
        CausalTables.Sweep.Write(outputs.Add($"rsweep{suffix}.csv"), cuts.Sweep);
        CausalTables.Losses.Write(outputs.Add($"loss{suffix}.csv"), cuts.Losses);
        CausalTables.Claims.Write(outputs.Add($"claims{suffix}.csv"), claims.All());
        CausalTables.Methods.Write(outputs.Add($"methods{suffix}.csv"), claims.Methods());
    }

    private IEnumerable<(string, Figure)?> Figures(CausalReport cuts) => [Strategies(cuts), OneAtATime(cuts), Sweep(cuts), Shares(cuts), After(cuts)];

    // figure 6
    private (string, Figure)? Strategies(CausalReport cuts)
    {
        var rows = cuts.Rows.Where(r => r.Group != PredecessorSites.None && r.Strategy != CausalTests.Exhaustive).ToList();
        return rows.Count == 0 ? null : ("strategies", new Figure("Active predecessors cut, by who named them",
        [
            Panel("share silenced", g => Wilson.Of(g.Count(r => r.Deactivated), g.Count)),
            Panel("mean activation change", g => Mean(g.Select(r => r.ActivationChange))),
        ])
        {
            Columns = 1,
            PlotHeight = 220,
            Note = "Groups are each strategy's own: sites at which it has an active candidate, all of which are cut. Whiskers: 95 %.",
        });

        Panel Panel(string measure, Func<List<CausalRow>, Interval> of) => new(new Axis("") { Categories = [.. Groups.Select(g => g.Name())] }, new Axis(measure) { Min = measure[0] == 's' ? 0 : null },
            [.. _strategies.Select(s => new BarSeries(s, [.. from g in Groups let some = rows.Where(r => r.Strategy == s && r.Group == g).ToList() where some.Count > 0 select Bar.Of(g.Name(), of(some)) with { Note = Count(some.Count) }]))]);
    }

    // figure 8
    private static (string, Figure)? OneAtATime(CausalReport cuts) => cuts.OneSite.Count == 0 ? null : ("one_at_a_time", new Figure("One site cut alone",
        new Panel(new Axis("") { Categories = [.. Groups.Select(g => g.Name())] }, new Axis("mean activation change"),
            [.. ActivationGroups.Sites.Select(s => new BarSeries($"{s.SiteName().ToUpperInvariant()} cut", [.. from g in Groups let some = cuts.OneSite.Where(o => o.Site == s && o.Row.Group == g).Select(o => o.Row.ActivationChange).ToList() where some.Count > 0 select Bar.Of(g.Name(), Mean(some)) with { Note = Count(some.Count) }]))]))
    {
        Note = "The other active predecessors of the target stay. Whiskers: 95 % (bootstrap).",
    });

    // figure 7
    private static (string, Figure)? Sweep(CausalReport cuts)
    {
        if (cuts.Sweep.Count == 0) return null;
        var group = cuts.Sweep.GroupBy(s => s.Row.Target).ToDictionary(g => g.Key, g => g.First().Row.Group);
        var panels = new List<Panel> { Panel("mean activation change", cuts.Sweep.Select(s => (s.Row.Group, s.R, s.Row.ActivationChange))) };
        var losses = cuts.Losses.Where(l => group.ContainsKey(l.Target)).Select(l => (group[l.Target], l.R, l.RelativeChange)).ToList();
        if (losses.Count > 0) panels.Add(Panel("relative loss change", losses));
        return ("rescaling", new Figure("Predecessors rescaled by r", panels)
        {
            Columns = 1,
            PlotHeight = 240,
            Note = "All active predecessors together; r = 0 removes them, r = 1 changes nothing. Groups with fewer than 3 targets are left out. Bands: 95 % (bootstrap).",
        });

        static Panel Panel(string measure, IEnumerable<(PredecessorSites Group, double R, double Value)> values)
        {
            var all = values.ToList();
            return new Panel(new Axis("r"), new Axis(measure),
                [.. Groups.Select(g => new LineSeries(g.Name(), [.. all.Where(v => v.Group == g).GroupBy(v => v.R).Where(r => r.Count() >= 3).OrderBy(r => r.Key).Select(r => Dot.Of(r.Key, Mean(r.Select(v => v.Value)), Count(r.Count())))]))])
            {
                Guides = [new Guide(0, "")],
            };
        }
    }

    // figure 15a
    private (string, Figure)? Shares(CausalReport cuts)
    {
        var total = cuts.Rows.Select(r => r.Target).Distinct().Count();
        return total == 0 || _strategies.Length == 0 ? null : ("groups_by_strategy", new Figure("Targets in each group, by strategy",
            new Panel(new Axis("") { Categories = [.. ActivationGroups.All.Select(g => g.Name())] }, new Axis("share of targets") { Min = 0 },
                [.. _strategies.Select(s => new BarSeries(s, [.. ActivationGroups.All.Select(g => Bar.Of(g.Name(), Wilson.Of(cuts.Rows.Count(r => r.Strategy == s && r.Group == g), total)))]))]))
        {
            Note = FormattableString.Invariant($"{total} targets, the same for every strategy. Whiskers: 95 % (Wilson)."),
        });
    }

    // figure 15b
    private (string, Figure)? After(CausalReport cuts)
    {
        string[] names = [.. ActivationGroups.All.Select(g => g.Name()), ActivationGroups.Deactivated];
        var panels = new List<Panel>();
        foreach (var group in Groups)
        {
            var cut = cuts.OneSite.Where(o => o.Row.Group == group && o.Row.GroupAfterName is not null).Select(o => (Cut: o.Site.SiteName().ToUpperInvariant(), After: o.Row.GroupAfterName!)).ToList();
            if (System.Numerics.BitOperations.PopCount((uint)group) > 1) cut.AddRange(cuts.Rows.Where(r => r.Strategy == _first && r.Group == group && r.GroupAfterName is not null).Select(r => ("all", r.GroupAfterName!)));
            if (cut.Count == 0) continue;
            string[] cuttings = [.. Ways.Where(c => cut.Exists(x => x.Cut == c))];
            panels.Add(new Panel(new Axis("cut") { Categories = cuttings }, new Axis("share") { Min = 0, Max = 1 },
                [.. names.Select(n => new BarSeries(n, [.. cuttings.Select(c => new Bar(c, (double)cut.Count(x => x.Cut == c && x.After == n) / cut.Count(x => x.Cut == c), Note: Count(cut.Count(x => x.Cut == c))))]))])
            {
                Stacked = true,
                Title = $"{group.Name()} ({cut.Count(x => x.Cut == cuttings[^1])})",
            });
        }

        return panels.Count == 0 ? null : ("group_after", new Figure("What targets are after a cut", panels)
        {
            Columns = 2,
            Note = "Panels: the group before, with the number of targets. Bars: which of the active predecessors were cut. Read from the same candidates after the cut: a removed feature can stay active, because encoders are not orthogonal.",
        });
    }

    private static readonly string[] Ways = ["RES", "MLP", "ATT", "all"];

    private static IEnumerable<PredecessorSites> Groups { get; } = [.. ActivationGroups.All.Where(g => g != PredecessorSites.None)];

    private static Interval Mean(IEnumerable<double> values) => new Bootstrap(Resamples: Resamples).Mean(values);

    private static string Count(int n) => FormattableString.Invariant($"n = {n}");
}
