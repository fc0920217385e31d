using System.Globalization;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Matching;

/// <summary>The page of a match experiment: SAE Match's figures 1, 3 to 8, 12 and appendix D (docs/figures.md says which is which).</summary>
internal sealed class MatchReport
{
    private const int MostStarts = 6;
    private const int MostPaths = 8;
    private const int ExamplePairs = 10;

    private readonly MatchResults _found;
    private readonly MatchPlan _plan;
    private readonly Report _report;
    private readonly FigureFolder _figures;

    private MatchReport(string name, MatchResults found, RunOutputs outputs)
    {
        (_found, _plan, _report) = (found, found.Plan, new Report(name));
        _figures = new FigureFolder(_report, outputs);
    }

    /// <summary>Writes report.html and the figures.</summary>
    public static void Write(string name, MatchResults found, RunOutputs outputs)
    {
        var page = new MatchReport(name, found, outputs);
        page.Norms();
        page.Errors();
        page.Scores();
        page.Pairs();
        page.Semantics();
        page.Persistence();
        page.Paths();
        page.Claims();
        page._report.Write(outputs.Add("report.html"));
    }

    private static Axis Layer(string label = "Layer") => new(label) { Whole = true };

    private string Fold => Matched(true).Select(m => m.Figures.Fold).FirstOrDefault() ?? "threshold";

    private IEnumerable<(MatchUnit Unit, FeatureMapMeasurement Figures)> Matched(bool folded) => _found.Neighbours(_plan.Costs[0], folded);

    private static LineSeries Line(string name, IEnumerable<(MatchUnit Unit, FeatureMapMeasurement Figures)> maps, Func<FeatureMapMeasurement, double?> value, Func<FeatureMapMeasurement, (double?, double?)>? ends = null) =>
        new(name, [.. maps.Where(m => value(m.Figures) is not null).Select(m => ends?.Invoke(m.Figures) is (double low, double high) ? new Dot(m.Unit.From, value(m.Figures)!.Value, low, high) : new Dot(m.Unit.From, value(m.Figures)!.Value))]);

    private void Norms()
    {
        var layers = _found.Layers.OrderBy(l => l.Layer).ToList();
        _report.Section("Norms").Paragraph(
            $"Hidden states grow from layer to layer, and thresholds with them: that is why features are folded (here by {Fold}). Last: how much longer the matched decoder rows get, folded, against how much longer the hidden states get.");
        var panels = new List<Panel>();
        if (layers.Count > 0) panels.Add(new Panel(Layer(), new Axis("Mean norm") { Min = 0 }, [new LineSeries("hidden states", [.. layers.Select(l => new Dot(l.Layer, l.MeanNorm))])]) { Title = "Hidden states" });
        if (layers.Any(l => l.MeanTheta is not null)) panels.Add(new Panel(Layer(), new Axis("Mean θ") { Min = 0 }, [new LineSeries("thresholds", [.. layers.Where(l => l.MeanTheta is not null).Select(l => new Dot(l.Layer, l.MeanTheta!.Value))])]) { Title = "Thresholds" });
        if (layers.Count > 1)
            panels.Add(new Panel(Layer("From layer"), new Axis("Rise of the norm"), [new LineSeries("hidden states", [.. layers.Zip(layers.Skip(1), (a, b) => new Dot(a.Layer, b.MeanNorm - a.MeanNorm))])]) { Title = "Hidden states" });
        panels.Add(new Panel(Layer("From layer"), new Axis("Rise of the norm"), [Line("matched decoder rows", Matched(true), m => m.TargetNorm - m.SourceNorm)]) { Title = "Matched decoder rows, folded" });
        _figures.Add("norms", new Figure("Norms of hidden states, thresholds, and matched decoder rows (SAE Match, figure 1)", panels) { Columns = 2 });
        if (layers.Count > 0) _report.Table("SAEs on the texts", Tables.Layers, layers, "layers.csv");
    }

    private void Errors()
    {
        Panel Of(string title, Func<FeatureMapMeasurement, double?> error) => new(
            Layer("From layer"), new Axis("Mean squared error") { Log = true },
            [Line("vanilla", _found.Neighbours(null), error), Line("matched", Matched(false), error), Line("folded + matched", Matched(true), error)])
        { Title = title };
        _report.Section("Folded against unfolded").Paragraph(
            "Mean squared error of matched features from each layer to the next, always of folded parameters: features paired as they are numbered (vanilla), matched as they are, and matched folded.");
        _figures.Add("errors", new Figure("Error of matched features (SAE Match, figure 3)", [Of("Decoder", m => m.DecoderError), Of("Encoder", m => m.EncoderError), Of("Encoder bias", m => m.BiasError)]) { Columns = 3 });
        _found.Show(_report, rated: false);
    }

    private void Scores()
    {
        if (_found.Layers.Count == 0) return;
        static (double?, double?) Ends(FeatureMapMeasurement m) => (m.MatchingScoreLow, m.MatchingScoreHigh);
        var panels = new List<Panel>
        {
            new(Layer("From layer"), new Axis("Matching score") { Min = 0 }, [Line("folded + matched", Matched(true), m => m.MatchingScore, Ends), Line("matched", Matched(false), m => m.MatchingScore, Ends), Line("vanilla", _found.Neighbours(null), m => m.MatchingScore, Ends)]) { Title = "Folded and not" },
        };
        if (_plan.Costs.Count > 1) panels.Add(new Panel(Layer("From layer"), new Axis("Matching score") { Min = 0 }, [.. _plan.Costs.Select(c => Line(c, _found.Neighbours(c), m => m.MatchingScore, Ends))]) { Title = "By what is compared, folded" });
        _report.Section("Matching score").Paragraph("How often the matched feature is active where the feature is active, averaged over the features that fired.");
        _figures.Add("scores", new Figure("Matching score (SAE Match, figures 7 and 12)", panels) { Note = "Bands are 95 % bootstrap intervals over features." });
    }

    // first, middle and last pair of neighbours
    private IEnumerable<(MatchUnit Unit, MatchedMap Map)> Shown()
    {
        var all = _plan.Work.Where(w => w is { Task: MatchTask.Assign, Folded: true } && w.Cost == _plan.Costs[0] && _plan.Apart(w) == 1).ToList();
        return all.Count == 0 ? [] : new[] { 0, all.Count / 2, all.Count - 1 }.Distinct().Select(i => (all[i], _found.Maps[all[i]]));
    }

    // a few pairs that have nothing in common would hide all others
    private static IEnumerable<double> Shortened(float[] errors) => errors.Order().Take((int)Math.Ceiling(0.98 * errors.Length)).Select(e => (double)e);

    private static string Steps(int from, int to) => string.Create(CultureInfo.InvariantCulture, $"{from} → {to}");

    private void Pairs()
    {
        _report.Section("Errors of single pairs");
        _figures.Add("pair-errors", new Figure("Errors of matched pairs (SAE Match, figure 5)", [.. Shown().Select(s => new Panel(
            new Axis("Folded decoder error"), new Axis("Pairs") { Min = 0 }, [Distribution.Histogram("pairs", Shortened(s.Map.DecoderErrors))]) { Title = Steps(s.Unit.From, s.Unit.To) })]) { Columns = 3, Note = "The largest two in a hundred are not shown." });
        var middle = _found.Rated.Where(r => r.Map == "folded" && Shown().Skip(1).Take(1).Any(s => s.Unit.From == r.From && s.Unit.To == r.To)).OrderBy(r => r.DecoderError).ToList();
        if (middle.Count == 0) return;
        var every = Math.Max(1, (middle.Count - 1) / (ExamplePairs - 1));
        _report.Table($"Pairs from the least to the largest error, {Steps(middle[0].From, middle[0].To)}", new TableColumns<RatedPair>(
            ("error", r => r.DecoderError), ("feature", r => r.Source), ("description", r => r.SourceDescription), ("match", r => r.Target), ("its description", r => r.TargetDescription), ("judged", r => r.Similarity)),
            [.. middle.Where((_, i) => i % every == 0).Take(ExamplePairs)], "judged.csv");
    }

    private void Semantics()
    {
        if (_found.Rated.Count == 0) return;
        var judge = _found.Rated[0].Judge;
        _report.Section("What descriptions say").Paragraph(
            $"The judge ({judge}) compared the descriptions of {_plan.Rated} features of each layer with those of their matches: 1 different, 2 maybe, 3 the same. Intervals are over pairs, 95 %, by bootstrap.");
        Panel Shares(string map, string title)
        {
            var groups = _found.Semantic.Where(s => s.Map == map && s.Distance == 1).ToList();
            BarSeries Of(string name, Func<RatedGroup, Interval> share) => new(name, [.. groups.Select(g => Bar.Of(Steps(g.From, g.To), share(g)) with { Low = null, High = null })]);
            return new Panel(new Axis("Layers") { Categories = [.. groups.Select(g => Steps(g.From, g.To))] }, new Axis("Share of pairs") { Min = 0, Max = 1 }, [Of("same", g => g.Same), Of("maybe", g => g.Maybe), Of("different", g => g.Different)]) { Title = title, Stacked = true };
        }

        _figures.Add("judged-shares", new Figure("What the judge said, by layer (SAE Match, figures 4 and 7)", [Shares("folded", "folded + matched"), Shares("unfolded", "matched")]));
        Series Mean(string map, string title) => new LineSeries(title, [.. _found.Semantic.Where(s => s.Map == map && s.Distance == 1).Select(s => Dot.Of(s.From, s.Similarity))]);
        _figures.Add("judged-folds", new Figure("Judged similarity of neighbours", new Panel(Layer("From layer"), new Axis("Mean, 1 to 3") { Min = 1 }, [Mean("folded", "folded + matched"), Mean("unfolded", "matched")])));
        _figures.Add("judged-errors", new Figure("Errors by what the judge said (SAE Match, figure 6)", [.. Shown().Select(s =>
        {
            string[] names = ["different", "maybe", "same"];
            var mine = _found.Rated.Where(r => r.Map == "folded" && r.From == s.Unit.From && r.To == s.Unit.To && r is { Similarity: not null, DecoderError: not null }).ToLookup(r => names[r.Similarity == 1 ? 0 : r.Similarity == 3 ? 2 : 1], r => r.DecoderError!.Value);
            return new Panel(new Axis("Judged") { Categories = names }, new Axis("Folded decoder error") { Min = 0 }, [new BoxSeries("pairs", [.. names.Where(mine.Contains).Select(n => Distribution.Box(n, mine[n]))])]) { Title = Steps(s.Unit.From, s.Unit.To) };
        })]) { Columns = 3 });
        _found.Show(_report, rated: true);
    }

    private void Persistence()
    {
        var far = _found.Persistence.Where(p => p.Distance > 1).ToList();
        if (far.Count == 0) return;
        _report.Section("Persistence").Paragraph(
            "How long features last: maps made directly (exact) and by following the maps from layer to layer (composed), by how many layers they go. Each point is the mean over all layers that a map of this length begins at.");
        var panels = new List<Panel>
        {
            new(Layer("Layers apart"), new Axis("Share of features") { Min = 0, Max = 1 }, [By("composed leads where exact leads", "composed", p => p.Share)]) { Title = "Agreement" },
            new(Layer("Layers apart"), new Axis("Mean cosine") { Min = 0 }, [By("exact", "exact", p => p.Figures.MeanSimilarity), By("composed", "composed", p => p.Figures.MeanSimilarity)]) { Title = "Similarity of decoder rows" },
        };
        if (_found.Layers.Count > 0) panels.Add(new Panel(Layer("Layers apart"), new Axis("Matching score") { Min = 0 }, [By("exact", "exact", p => p.Figures.MatchingScore), By("composed", "composed", p => p.Figures.MatchingScore)]) { Title = "Matching score" });
        if (_found.Rated.Count > 0) panels.Add(new Panel(Layer("Layers apart"), new Axis("Mean, 1 to 3") { Min = 1 }, [Judged("exact", "folded"), Judged("composed", "composed")]) { Title = "Judged similarity" });
        _figures.Add("persistence", new Figure("Exact and composed maps by distance", panels) { Columns = 2, Note = _found.Rated.Count > 0 ? "Bands of judged similarities are 95 % bootstrap intervals over pairs." : "" });
        var starts = _found.Rated.Select(r => r.From).Distinct().Where(a => _found.Semantic.Any(s => s.From == a && s.Distance > 1)).Take(MostStarts).ToList();
        Series Judged(string name, string map) => new LineSeries(name, [.. _found.SemanticByDistance.Where(s => s.Map == map || s is { Distance: 1, Map: "folded" }).Select(s => Dot.Of(s.Distance, s.Similarity))]);
        Series From(string name, int start, string map) => new LineSeries(name, [.. _found.Semantic.Where(s => s.From == start && (s.Map == map || s is { Distance: 1, Map: "folded" })).Select(s => Dot.Of(s.To, s.Similarity))]);
        _figures.Add("judged-persistence", new Figure("Judged similarity of the features of a layer with their matches in later layers (SAE Match, figure 8)",
            [.. starts.Select(a => new Panel(Layer(), new Axis("Mean, 1 to 3") { Min = 1 }, [From("exact", a, "folded"), From("composed", a, "composed")]) { Title = string.Create(CultureInfo.InvariantCulture, $"from layer {a}") })]) { Columns = 3 });
        _found.ShowPersistence(_report);

        LineSeries By(string name, string map, Func<PersistenceRow, double?> value) =>
            new(name, [.. _found.Persistence.Where(p => (p.Map == map || p.Distance == 1) && value(p) is not null).GroupBy(p => p.Distance).OrderBy(g => g.Key).Select(g => new Dot(g.Key, g.Average(p => value(p)!.Value)))]);
    }

    private void Claims()
    {
        if (_found.Claims.Count == 0) return;
        _report.Section("What the paper says").Paragraph("Differences that the paper's hypotheses say have a sign, over features, with 95 % bootstrap intervals: holds where the whole interval has it, fails where it has the other, undecided where zero lies inside.");
        _report.Table("Claims", PaperClaim.Columns, _found.Claims, "claims.csv");
    }

    private void Paths()
    {
        if (_found.Paths.Count == 0) return;
        _report.Section("Paths").Paragraph("Where the first features go, map after map (SAE Match, appendix D); paths.csv has more.");
        var paths = _found.Paths.GroupBy(p => p.Path).Take(MostPaths).Select(g => g.ToDictionary(p => p.Layer)).ToList();
        _report.Table("Paths", new TableColumns<Dictionary<int, DescribedPath>>([.. _plan.Layers.Select(l => (string.Create(CultureInfo.InvariantCulture, $"layer {l}"), (Func<Dictionary<int, DescribedPath>, object?>)(p => p.TryGetValue(l, out var at) ? Text(at) : null)))]), paths, "paths.csv");

        static string Text(DescribedPath at) => at.Description is { Length: > 0 } d ? string.Create(CultureInfo.InvariantCulture, $"{at.Feature}: {d}") : at.Feature.ToString(CultureInfo.InvariantCulture);
    }
}
