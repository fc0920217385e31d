using System.Globalization;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Approximation;

/// <summary>The page of an approximation experiment: SAE Match's figures 1, 10, 11, 13 to 17, Feature Flow's 23 and 24 (docs/figures.md says which is which).</summary>
internal sealed class ApproximationReport
{
    private const int MostQuantiles = 5;
    private const double LeastShown = -1; // maps of many targets explain less than nothing, and would hide what the others do
    private const string Permuted = "encode-permute-decode";
    private const string Permutation = "permutation";
    private static readonly string[] Inferences = ["folded", "plain"];

    private static readonly TableColumns<(string Pack, string Text, double? From, double? To, LayerApproximation Row)> Sparsity = new(
        ("pack", r => r.Pack), ("text", r => r.Text), ("layer", r => r.Row.Layer), ("mean_l0_source", r => r.From), ("mean_l0_target", r => r.To), ("substitute", r => r.Row.Substitute), ("explained_variance", r => r.Row.ExplainedVariance),
        ("explained_variance_low", r => r.Row.ExplainedVarianceInterval?.Low), ("explained_variance_high", r => r.Row.ExplainedVarianceInterval?.High), ("delta_ce", r => r.Row.DeltaCrossEntropy), ("delta_ce_low", r => r.Row.DeltaInterval?.Low),
        ("delta_ce_high", r => r.Row.DeltaInterval?.High), ("matching_score", r => r.Row.MatchingScore));

    private readonly ApproximationPlan _plan;
    private readonly List<(ApproximationWork Work, ApproximationUnit Found)> _found;
    private readonly RunOutputs _outputs;
    private readonly Report _report;
    private readonly FigureFolder _figures;

    private ApproximationReport(string name, ApproximationPlan plan, List<(ApproximationWork Work, ApproximationUnit Found)> found, RunOutputs outputs)
    {
        (_plan, _found, _outputs, _report) = (plan, found, outputs, new Report(name));
        _figures = new FigureFolder(_report, outputs);
    }

    /// <summary>Writes report.html and the figures.</summary>
    public static void Write(string name, ApproximationPlan plan, List<(ApproximationWork Work, ApproximationUnit Found)> found, RunOutputs outputs)
    {
        var page = new ApproximationReport(name, plan, found, outputs);
        if (plan.Texts.Names.Count > 1) page.DataSets();
        for (var t = 0; t < plan.Texts.Names.Count; t++) page.DataSet(t);
        if (plan.Sweep.Count > 0) page.Sweeps();
        page._report.Write(outputs.Add("report.html"));
    }

    private static Axis Layer => new("From layer") { Whole = true };

    private List<LayerApproximation> Rows(int text, int sweep = -1) => [.. _found.Where(f => f.Work.Text == text && f.Work.Sweep == sweep).SelectMany(f => f.Found.Approximations)];

    private static bool IsQuantile(LayerApproximation row) => row.Substitute.StartsWith("quantile", StringComparison.Ordinal);

    private static Dot Variance(double x, LayerApproximation r) => r.ExplainedVarianceInterval is { } i ? Dot.Of(x, i) : new Dot(x, r.ExplainedVariance);

    private static Dot Rise(double x, LayerApproximation r) => r.DeltaInterval is { } i ? Dot.Of(x, i) : new Dot(x, r.DeltaCrossEntropy!.Value);

    // ΔL and explained variance side by side, as the paper's figures are
    private List<Panel> Both(Axis x, IEnumerable<(string Name, double X, LayerApproximation Row)> points, string? title = null)
    {
        var groups = points.GroupBy(p => p.Name).ToList();
        var panels = new List<Panel>();
        if (_plan.Losses) panels.Add(new Panel(x, new Axis("ΔL, nats"), [.. groups.Select(g => new LineSeries(g.Key, [.. g.Where(p => p.Row.DeltaCrossEntropy is not null).OrderBy(p => p.X).Select(p => Rise(p.X, p.Row))]))]) { Title = title ?? "Rise of the loss" });
        panels.Add(new Panel(x, new Axis("Explained variance"), [.. groups.Select(g => new LineSeries(g.Key, [.. g.OrderBy(p => p.X).Select(p => Variance(p.X, p.Row))]))]) { Title = title ?? "Explained variance" });
        return panels;
    }

    private void DataSets()
    {
        _report.Section("Data sets").Paragraph("The state of the next layer, replaced by matched features: encoded at one layer, permuted, decoded at the next.");
        _figures.Add("data-sets", new Figure("Encode-permute-decode by data set (SAE Match, figure 10)", Both(Layer, _plan.Texts.Names.SelectMany((name, t) => Rows(t).Where(r => r.Substitute == Permuted).Select(r => (name, (double)r.Layer, r))))) { Note = "Bands are 95 % bootstrap intervals over documents." });
    }

    private void DataSet(int text)
    {
        var suffix = _plan.Texts.Names.Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"_{text}");
        var rows = Rows(text);
        var units = _found.Where(f => f.Work.Text == text && f.Work.Sweep < 0).Select(f => f.Found).ToList();
        _report.Section(_plan.Texts.Names[text]).Paragraph(
            $"How well the state after a layer is known from the layer before: the layer left out, SAEs decoded at either layer, matched features (folded by {rows.Select(r => r.Fold).FirstOrDefault()}). Bands are 95 % bootstrap intervals over documents.");
        _figures.Add($"substitutes{suffix}", new Figure("Substitutes for the state of the next layer (SAE Match, figures 11 and 13)", Both(Layer, rows.Where(r => !IsQuantile(r)).Select(r => (r.Substitute, (double)r.Layer, r)))));
        _figures.Add($"scores{suffix}", new Figure("Matching score (SAE Match, figure 7)", new Panel(Layer, new Axis("Matching score") { Min = 0 }, [.. rows.Where(r => r.MatchingScore is not null).GroupBy(r => r.Substitute).Select(g =>
            new LineSeries(g.Key, [.. g.Select(r => r.MatchingInterval is { Known: true } i ? Dot.Of(r.Layer, i) : new Dot(r.Layer, r.MatchingScore!.Value))]))])));
        Quantiles(rows, suffix);
        Transitions([.. units.SelectMany(u => u.Transitions)], suffix);
        if (units.Count > 0) Layers(units[0], suffix);
        _report.Table("Substitutes, with intervals", Tables.ApproximationIntervals, rows, $"intervals{suffix}.csv");
    }

    private void Quantiles(List<LayerApproximation> rows, string suffix)
    {
        var quantiles = rows.Where(IsQuantile).ToList();
        var levels = quantiles.Select(Q).Distinct().Order().ToList();
        if (levels.Count < 2) return;
        // five lines are told apart, eleven are not
        var shown = Enumerable.Range(0, MostQuantiles).Select(i => levels[(int)Math.Round((double)i * (levels.Count - 1) / (MostQuantiles - 1))]).ToHashSet();
        _figures.Add($"quantiles-by-layer{suffix}", new Figure("Only pairs of small error permuted (SAE Match, figure 16)", Both(Layer, quantiles.Where(r => shown.Contains(Q(r))).Select(r => (r.Substitute.Replace("quantile-", "q = ", StringComparison.Ordinal), (double)r.Layer, r)))));
        _figures.Add($"quantiles{suffix}", new Figure("Share of the pairs that is permuted (SAE Match, figure 17)", [.. Some(quantiles.Select(r => r.Layer)).Select(l => new Panel(
            new Axis("Quantile of the error") { Min = 0, Max = 1 }, new Axis("Explained variance"), [new LineSeries("permuted below the quantile", [.. quantiles.Where(r => r.Layer == l).OrderBy(Q).Select(r => Variance(Q(r), r))])]) { Title = Steps(l) })]) { Columns = 3 });

        static double Q(LayerApproximation row) => double.Parse(row.Substitute.AsSpan("quantile-".Length), CultureInfo.InvariantCulture);
    }

    private void Transitions(List<TransitionApproximation> all, string suffix)
    {
        static Bar Bar(string name, TransitionApproximation t) => t.ExplainedVarianceInterval is { } i ? Figures.Bar.Of(name, i) : new Bar(name, t.ExplainedVariance);
        var variants = all.Where(t => t.Map.StartsWith(Permutation + "-", StringComparison.Ordinal) || t.Map == "indicator-top1").ToList();
        if (variants.Count > 0 && _plan.Permutations.Count > 0)
        {
            string Name(TransitionApproximation t) => t.Map == "indicator-top1" ? "cosine" : t.Map[(Permutation.Length + 1)..];
            string[] names = [.. variants.Select(Name).Distinct()];
            _figures.Add($"permutations{suffix}", new Figure("Permutations as translayer transcoders (Feature Flow, figure 23)", [.. Some(variants.Select(t => t.Layer)).Select(l => new Panel(
                new Axis("Compared, and how it was found") { Categories = names }, new Axis("Explained variance"), [.. Inferences.Select(how => new BarSeries($"used {how}", [.. variants.Where(t => t.Layer == l && t.Inference == how).Select(t => Bar(Name(t), t))]))]) { Title = Steps(l) })]) { Columns = 1, PlotHeight = 150 });
        }

        double K(TransitionApproximation t) => double.Parse(t.Map.AsSpan(t.Map.IndexOf("top", StringComparison.Ordinal) + 3), CultureInfo.InvariantCulture);
        var tops = all.Where(t => t.Map.Contains("-top", StringComparison.Ordinal)).ToList();
        if (tops.Select(K).Distinct().Count() < 2) return;
        _figures.Add($"transitions{suffix}", new Figure("Transition maps by their number of targets (Feature Flow, figure 24)", [.. Some(tops.Select(t => t.Layer)).Select(l => new Panel(
            new Axis("k") { Whole = true }, new Axis("Explained variance"),
            [.. tops.Where(t => t.Layer == l).GroupBy(t => $"{t.Map[..t.Map.IndexOf('-', StringComparison.Ordinal)]}, {t.Inference}").Select(g =>
                new LineSeries(g.Key, [.. g.OrderBy(K).Where(t => t.ExplainedVariance >= LeastShown).Select(t => t.ExplainedVarianceInterval is { } i ? Dot.Of(K(t), i) : new Dot(K(t), t.ExplainedVariance))]))])
        {
            Title = Steps(l),
            Guides = [.. all.Where(t => t.Layer == l && t is { Map: Permutation, Inference: "folded", ExplainedVariance: >= LeastShown }).Select(t => new Guide(t.ExplainedVariance, Permutation))],
        })]) { Columns = 3, Note = "indicator: entries 1; weighted: entries are cosines. The dashed line is the permutation, used folded. Values below −1 are in transitions.csv alone." });
    }

    private void Layers(ApproximationUnit unit, string suffix)
    {
        var residual = unit.Layers.Where(l => l.Site == "res").OrderBy(l => l.Layer).ToList();
        Panel Of(string title, Func<LayerStatistics, double?> value) => new(new Axis("Layer") { Whole = true }, new Axis(title) { Min = 0 }, [new LineSeries("res", [.. residual.Where(l => value(l) is not null).Select(l => new Dot(l.Layer, value(l)!.Value))])]) { Title = title };
        _figures.Add($"layers{suffix}", new Figure("Norms, thresholds and sparsity (SAE Match, figures 1 and 15)", [.. new[] { Of("Mean norm of states", l => l.MeanNorm), Of("Mean threshold", l => l.MeanTheta), Of("Mean L0", l => l.MeanL0) }.Where(p => ((LineSeries)p.Series[0]).Dots.Count > 0)]) { Columns = 3 });
    }

    private void Sweeps()
    {
        string[] names = ["this pack", .. _plan.Sweep.Select(p => Path.GetFileNameWithoutExtension(p.TrimEnd('/', '\\')) is "pack" ? Path.GetFileName(Path.GetDirectoryName(p) ?? p) : Path.GetFileNameWithoutExtension(p.TrimEnd('/', '\\')))];
        var rows = _found.SelectMany(f => f.Found.Approximations.Where(r => !IsQuantile(r)).Select(r => (Pack: names[f.Work.Sweep + 1], f.Work, From: f.Found.L0(r.Layer), To: f.Found.L0(r.Layer + 1), Row: r))).ToList();
        Sparsity.Write(_outputs.Add("sparsity.csv"), rows.Select(r => (r.Pack, _plan.Texts.Names[r.Work.Text], r.From, r.To, r.Row)));
        _report.Section("Sparsity").Paragraph("The same with SAEs of other sparsity. L0 is measured on the texts, at the layer that is approximated.");
        string[] shown = ["encode-decode-current", "encode-decode-previous", Permuted];
        foreach (var layer in Some(rows.Select(r => r.Row.Layer)))
        {
            var mine = rows.Where(r => r.Row.Layer == layer && r.Work.Text == 0 && r.To is not null && shown.Contains(r.Row.Substitute)).ToList();
            if (mine.Select(r => r.To).Distinct().Count() < 2) continue;
            _figures.Add(string.Create(CultureInfo.InvariantCulture, $"sparsity_{layer}"), new Figure($"Substitutes by sparsity, layers {Steps(layer)} (SAE Match, figure 14)", Both(new Axis("Mean L0"), mine.Select(r => (r.Row.Substitute, r.To!.Value, r.Row)))));
        }

        if (_plan.Layers.Count < 2) return;
        var first = _found.Where(f => f.Work.Text == 0).GroupBy(f => f.Work.Sweep).ToList();
        _figures.Add("sparsity-by-layer", new Figure("Sparsity over layers, and what it does to matching (SAE Match, figure 15)",
        [
            new Panel(new Axis("Layer") { Whole = true }, new Axis("Mean L0") { Min = 0 }, [.. first.Select(g => new LineSeries(names[g.Key + 1], [.. g.First().Found.Layers.Where(l => l.Site == "res").OrderBy(l => l.Layer).Select(l => new Dot(l.Layer, l.MeanL0))]))]) { Title = "Sparsity" },
            new Panel(Layer, new Axis("Explained variance"), [.. first.Select(g => new LineSeries(names[g.Key + 1], [.. g.SelectMany(f => f.Found.Approximations).Where(r => r.Substitute == Permuted).OrderBy(r => r.Layer).Select(r => Variance(r.Layer, r))]))]) { Title = "Encode-permute-decode" },
        ]));
    }

    // first, middle and last
    private static int[] Some(IEnumerable<int> layers)
    {
        int[] all = [.. layers.Distinct().Order()];
        return all.Length <= 3 ? all : [all[0], all[all.Length / 2], all[^1]];
    }

    private static string Steps(int layer) => string.Create(CultureInfo.InvariantCulture, $"{layer} → {layer + 1}");
}
