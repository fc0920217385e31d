using System.Globalization;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Steering;

/// <summary>
/// The page and the pictures of a sweep, after Feature Flow's figures 9, 10, 11 and 16: scores against layer and coefficient, the best of every layer, one layer against
/// several, schedules; what the edits did; texts side by side; where the best plans act.
/// </summary>
internal sealed class SteeringReport
{
    private const int TextsShown = 8;

    private readonly SteeringSweepPlan _plan;
    private readonly IReadOnlyList<SteeredText> _texts;
    private readonly IReadOnlyList<SteeringAggregate> _means;
    private readonly IReadOnlyDictionary<string, IReadOnlyList<FeatureEdit>> _edits;

    /// <param name="plan">The sweep.</param>
    /// <param name="texts">Its texts.</param>
    /// <param name="means">Their means.</param>
    /// <param name="edits">The edits of every plan, by its name.</param>
    public SteeringReport(SteeringSweepPlan plan, IReadOnlyList<SteeredText> texts, IReadOnlyList<SteeringAggregate> means, IReadOnlyDictionary<string, IReadOnlyList<FeatureEdit>> edits) =>
        (_plan, _texts, _means, _edits) = (plan, texts, means, edits);

    /// <summary>Writes report.html and figures/*.svg.</summary>
    public void Write(string name, RunOutputs outputs)
    {
        var report = new Report($"Steering: {name}").Section("The sweep").Facts(Facts());
        foreach (var subject in _means.Select(m => m.Subject).Distinct())
        {
            var means = _means.Where(m => m.Subject == subject).ToList();
            if (subject is null)
            {
                Show("What the plans do", "", [Measures(means.Where(m => m.Recipe is not null && m.Recipe.Coefficient == _plan.Coefficients[^1]), $"coefficient {Number(_plan.Coefficients[^1])}")]);
                Graphs([.. Shown(means)]);
                report.Section("Texts").Texts(["unsteered", .. Shown(means).Select(m => m.Plan)], Side(null, [.. Shown(means)]));
                continue;
            }

            var best = SteeringAggregate.Best(means).Where(m => m.Recipe is not null && m.Total.Count > 0).ToList();
            if (best.Count == 0) continue;
            var file = _plan.Subjects.Count > 1 ? $"{Safe(subject)}-" : "";
            Show($"Scores for {subject}", file, [ByCoefficient(subject, means), BestPerCoefficient(subject, means), BestPerLayer(subject, means, best), BestOfAll(subject, means, best), AgainstBoth(subject, means), TradeOff(subject, means), Measures(best, "best coefficient of every layer"), Places(best)]);
            Graphs([.. Ways(best).Select(w => Best(w.Means)).GroupBy(m => m.Recipe!.Mode).Select(Best)]);
            report.Table($"Comparisons for {subject}, paired by prompt and draws", SteeringComparison.Columns, [.. SteeringComparison.Of([.. _texts.Where(t => t.Text.Subject == subject)], _plan.Lineage.Targets[0].Layer)]);
            var shown = Ways(best).Select(w => Best(w.Means)).ToList();
            report.Section($"Texts, {subject}").Paragraph("The same draws without steering, and under the best plan of every way.").Texts(["unsteered", .. shown.Select(m => m.Plan)], Side(subject, shown));
        }

        report.Section("Means").Table("Every plan", SteeringAggregate.Columns, [.. _means], "aggregate.csv");
        report.Write(outputs.Add("report.html"));

        // the lineage, coloured by what plans do to it
        void Graphs(IEnumerable<SteeringAggregate> shown)
        {
            if (SteeringGraph.Of(_plan.Lineage) is not { } graph) return;
            foreach (var plan in shown)
            {
                if (_edits.GetValueOrDefault(plan.Plan) is not { Count: > 0 } edits) continue;
                report.Graph(graph, $"Where the plan {plan.Plan} acts", $"Nodes that it edits are coloured by the coefficient: {SteeringGraph.Coefficients(edits)} (+ adds the feature, × multiplies it). Lines are cosines.", SteeringGraph.Marks(edits));
            }
        }

        void Show(string heading, string prefix, IEnumerable<(string File, Figure Figure)?> figures)
        {
            report.Section(heading);
            foreach (var (picture, figure) in figures.OfType<(string, Figure)>())
            {
                report.Figure(figure);
                var path = outputs.Add($"figures/{prefix}{picture}.svg");
                figure.Write(path);
            }
        }
    }

    private IEnumerable<(string, string)> Facts() =>
    [
        ("aim", SteeringPlanFile.Name(_plan.Aim)),
        ("features", string.Join(", ", _plan.Lineage.Features.Select(f => f.Antagonist ? $"−{f.Feature}" : $"{f.Feature}"))),
        ("targets", string.Join(", ", _plan.Lineage.Targets)),
        ("similarity span", $"{_plan.Lineage.SpanStart} to {_plan.Lineage.SpanEnd}"),
        ("method", SteeringPlanFile.Name(_plan.Recipe.Method)),
        ("texts", $"{_plan.Prompts.Count} prompts × {_plan.Samples} samples for each of {_plan.Units.Count} plans"),
        ("prompts", string.Join(" | ", _plan.Prompts)),
        ("drawn", string.Create(CultureInfo.InvariantCulture, $"at most {_plan.Options.Generation.MaxTokens} tokens, temperature {_plan.Options.Generation.Temperature:0.##}, top-p {_plan.Options.Generation.TopP:0.##}, seed {_plan.Options.Generation.Seed}")),
        ("judge", string.Join(", ", _texts.Select(t => t.Text.Judge).OfType<string>().Distinct().DefaultIfEmpty("none"))),
        ("program", $"{Generator.Current.Name} {Generator.Current.Version}"),
    ];

    // Fig. 16: of every layer the best coefficient
    private static (string, Figure)? BestPerLayer(string subject, List<SteeringAggregate> means, List<SteeringAggregate> best) =>
        ("best-per-layer", new Figure($"Best total score of every layer, {subject}", new Panel(new Axis("layer") { Categories = [.. best.Select(m => m.Recipe!.Layer!.Value).Distinct().Order().Select(Layers)] }, Score("total score"),
            [.. Ways(best).Select(w => new BarSeries(w.Name, [.. w.Means.OrderBy(m => m.Recipe!.Layer).Select(m => Bar.Of(Layers(m.Recipe!.Layer!.Value), m.Total) with { Note = $"coefficient {Number(m.Recipe.Coefficient)}" })]))])
        { Guides = Unsteered(means) })
        { Note = "Single edits one layer, the others all up to it. Means over texts with 95 % bootstrap intervals; the coefficient is the one with the best mean, so that the best of many is a little flattered." });

    // Fig. 10 and 11: of every coefficient the best layer, and the layer that the features were picked at
    private (string, Figure)? BestPerCoefficient(string subject, List<SteeringAggregate> means)
    {
        var steered = means.Where(m => m.Recipe is not null && m.Total.Count > 0).ToList();
        if (steered.Select(m => m.Recipe!.Coefficient).Distinct().Count() < 2) return null;
        var home = _plan.Lineage.Targets[0].Layer;
        List<(string Name, List<SteeringAggregate> Means)> ways = [.. Ways(steered).Select(w => (w.Name, w.Means.GroupBy(m => m.Recipe!.Coefficient).Select(Best).OrderBy(m => m.Recipe!.Coefficient).ToList()))];
        var initial = steered.Where(m => m.Recipe!.Mode == SteeringMode.Single && m.Recipe.Layer == home).OrderBy(m => m.Recipe!.Coefficient).ToList();
        if (initial.Count > 0) ways.Add(($"single, layer {home} alone, where the features were picked", initial));
        var positive = steered.All(m => m.Recipe!.Coefficient > 0) && steered.Max(m => m.Recipe!.Coefficient) >= 8 * steered.Min(m => m.Recipe!.Coefficient);
        Panel Of(string label, Func<SteeringAggregate, Interval> of, double? most) => new(new Axis(_plan.Recipe.Method == EditMethod.Add ? "coefficient s" : "coefficient r") { Log = positive }, new Axis(label) { Min = 0, Max = most },
            [.. ways.Select(w => new LineSeries(w.Name, [.. w.Means.Select(m => Mark(m.Recipe!.Coefficient, of(m), m.Plan, Crowded(means)))]))])
        { Guides = [.. means.Where(m => m.Recipe is null && m.Total.Count > 0).Select(m => new Guide(of(m).Value, "unsteered"))] };
        return ("best-per-coefficient", new Figure($"Best layer of every coefficient, {subject}", [Of("total score", m => m.Total, null), Of("behavioral", m => m.Behavioral, 5), Of("coherence", m => m.Coherence, 5)])
        { Note = $"The layer with the best total of every coefficient and way{Intervals(means)}; behavioral and coherence are those of the same plans." });
    }

    // every way at its best
    private static (string, Figure)? BestOfAll(string subject, List<SteeringAggregate> means, List<SteeringAggregate> best)
    {
        var tops = Ways(best).Select(w => (w.Name, Mean: Best(w.Means))).ToList();
        Panel Of(string label, Func<SteeringAggregate, Interval> of, double? most) => new(new Axis("way"), new Axis(label) { Min = 0, Max = most },
            [new BarSeries("", [.. tops.Select(t => Bar.Of(t.Name, of(t.Mean)) with { Note = t.Mean.Plan }), .. means.Where(m => m.Recipe is null).Select(m => Bar.Of("unsteered", of(m)))])]);
        return ("best", new Figure($"Best plan of every way, {subject}", [Of("total", m => m.Total, null), Of("behavioral", m => m.Behavioral, 5), Of("coherence", m => m.Coherence, 5)])
        { Note = $"Best plans: {string.Join("; ", tops.Select(t => $"{t.Name}: layer {t.Mean.Recipe!.Layer}, coefficient {Number(t.Mean.Recipe.Coefficient)}"))}." });
    }

    // score against layer and coefficient
    private static (string, Figure)? AgainstBoth(string subject, List<SteeringAggregate> means)
    {
        var steered = means.Where(m => m.Recipe is not null).ToList();
        var layers = steered.Select(m => m.Recipe!.Layer!.Value).Distinct().Order().ToList();
        var coefficients = steered.Select(m => m.Recipe!.Coefficient).Distinct().OrderDescending().ToList();
        if (layers.Count * coefficients.Count < 4) return null;
        var most = steered.Max(m => m.Total.Value);
        return ("layer-coefficient", new Figure($"Total score against layer and coefficient, {subject}",
        [
            .. Ways(steered).Select(w =>
            {
                var values = new double[coefficients.Count, layers.Count];
                for (var r = 0; r < coefficients.Count; r++)
                {
                    for (var c = 0; c < layers.Count; c++) values[r, c] = w.Means.FirstOrDefault(m => m.Recipe!.Layer == layers[c] && m.Recipe.Coefficient == coefficients[r])?.Total.Value ?? double.NaN;
                }

                return new Panel(new Axis("layer"), new Axis("coefficient"), [new HeatSeries("total score", [.. coefficients.Select(Number)], [.. layers.Select(l => $"{l}")], values) { Min = 0, Max = most }]) { Title = w.Name };
            }),
        ])
        { PlotHeight = Math.Clamp(24 * coefficients.Count, 80, 240) });
    }

    // Fig. 9: one layer against several, coefficient by coefficient; the best single layer of each
    private (string, Figure)? ByCoefficient(string subject, List<SteeringAggregate> means) => _plan.Coefficients.Count < 2 ? null :
        ("coefficients", new Figure($"Total score against layer for every coefficient, {subject}", [.. _plan.Coefficients.Distinct().Select(c => OfCoefficient(c, [.. means.Where(m => m.Recipe?.Coefficient == c && m.Total.Count > 0)], means))])
        { Note = $"Means over texts{Intervals(means)}. The upright line is at the best layer when one layer is edited." });

    private static Panel OfCoefficient(double coefficient, List<SteeringAggregate> of, List<SteeringAggregate> means)
    {
        var lines = Ways(of).Select(w => new LineSeries(w.Name, [.. w.Means.OrderBy(m => m.Recipe!.Layer).Select(m => Mark(m.Recipe!.Layer!.Value, m.Total, m.Plan, Crowded(means)))]));
        var single = of.Where(m => m.Recipe!.Mode == SteeringMode.Single).ToList();
        Guide[] best = single.Count > 1 ? [new Guide(Best(single).Recipe!.Layer!.Value, "", Vertical: true)] : [];

        // one scale for all coefficients
        var most = means.Where(m => m.Total.Count > 0).Max(m => Crowded(means) || !m.Total.Known ? m.Total.Value : m.Total.High);
        return new Panel(Layer, Score("total") with { Max = most > 0 ? 1.04 * most : null }, [.. lines]) { Title = $"coefficient {Number(coefficient)}", Guides = [.. Unsteered(means), .. best] };
    }

    private static (string, Figure)? TradeOff(string subject, List<SteeringAggregate> means) =>
        ("trade-off", new Figure($"Coherence against {subject}", new Panel(new Axis("behavioral") { Min = 0, Max = 5 }, new Axis("coherence") { Min = 0, Max = 5 },
        [
            .. Ways([.. means.Where(m => m.Recipe is not null)]).Select(w => new ScatterSeries(w.Name, [.. w.Means.Select(m => new Dot(m.Behavioral.Value, m.Coherence.Value, Note: m.Plan))])),
            .. means.Where(m => m.Recipe is null).Select(m => new ScatterSeries("unsteered", [new Dot(m.Behavioral.Value, m.Coherence.Value)])),
        ]))
        { Note = "Every point is a plan." });

    // what the edits do to the hidden state, to the predictions, and to the targets
    private static (string, Figure)? Measures(IEnumerable<SteeringAggregate> means, string which)
    {
        var ways = Ways([.. means]);
        Panel Of(string label, Func<SteeringAggregate, double?> of, bool log = false) => new(Layer, new Axis(label) { Log = log }, [.. ways.Select(w => new LineSeries(w.Name, [.. w.Means.OrderBy(m => m.Recipe!.Layer).Select(m => new Dot(m.Recipe!.Layer!.Value, of(m) ?? double.NaN, Note: m.Plan))]))]);
        var panels = new[] { Of("perturbation norm", m => m.Norm), Of("KL, nats", m => m.Kl), Of("perplexity", m => m.Perplexity, log: true), Of("target activation after", m => m.After) };
        panels = [.. panels.Where(p => p.Series.OfType<LineSeries>().Any(s => s.Dots.Any(d => double.IsFinite(d.Y))))];
        return panels.Length == 0 ? null : ("measures", new Figure("What the plans do", panels) { Note = $"Means over texts, {which}. KL and perplexity are against the unsteered model." });
    }

    // where the best plans act: summed coefficients by layer
    private (string, Figure)? Places(List<SteeringAggregate> best)
    {
        var plans = Ways(best).Select(w => (w.Name, Edits: _edits.GetValueOrDefault(Best(w.Means).Plan) ?? [])).Where(p => p.Edits.Count > 0).ToList();
        if (plans.Count == 0) return null;
        int low = plans.Min(p => p.Edits.Min(e => e.Feature.Layer)), high = plans.Max(p => p.Edits.Max(e => e.Feature.Layer));
        var values = new double[plans.Count, high - low + 1];
        for (var r = 0; r < plans.Count; r++)
        {
            for (var l = low; l <= high; l++)
            {
                var here = plans[r].Edits.Where(e => e.Feature.Layer == l).ToList();
                values[r, l - low] = here.Count == 0 ? double.NaN : here.Sum(e => Math.Abs(e.Coefficient));
            }
        }

        return ("places", new Figure("Where the best plans act", new Panel(new Axis("layer"), new Axis("way"), [new HeatSeries("coefficient", [.. plans.Select(p => p.Name)], [.. Enumerable.Range(low, high - low + 1).Select(l => $"{l}")], values) { Min = 0 }]))
        { PlotHeight = Math.Clamp(30 * plans.Count, 60, 300), Note = "Coefficients of the edited features of a layer, summed without sign." });
    }

    private IEnumerable<(string, IReadOnlyList<(string, string)>)> Side(string? subject, List<SteeringAggregate> shown)
    {
        var columns = new[] { SteeringSweepPlan.UnsteeredUnit }.Concat(shown.Select(m => m.Plan)).Select(p => _texts.Where(t => t.Plan == p && t.Text.Subject == subject).ToDictionary(t => (t.PromptText, t.Text.Sample))).ToList();
        var keys = columns[0].Keys.OrderBy(k => k.Sample).Take(TextsShown);
        return keys.Select(k => ($"{k.PromptText} [{k.Sample}]", (IReadOnlyList<(string, string)>)[.. columns.Select(c => c.TryGetValue(k, out var t) ? (t.Text.Text, Remark(t)) : ("", ""))]));
    }

    private static string Remark(SteeredText text) => text.Total is not { } total ? text.Text.Problem ?? "" : string.Create(CultureInfo.InvariantCulture, $"coherence {text.Text.Coherence:0.#}, behavioral {text.Text.Behavioral:0.#}, total {total:0.##}");

    private static IEnumerable<SteeringAggregate> Shown(List<SteeringAggregate> means) => Ways([.. means.Where(m => m.Recipe is not null)]).Select(w => w.Means[^1]);

    private static List<(string Name, List<SteeringAggregate> Means)> Ways(IReadOnlyList<SteeringAggregate> means) =>
        [.. means.GroupBy(m => (m.Recipe!.Mode, m.Recipe.Schedule)).Select(g => (g.Key.Mode == SteeringMode.Single ? "single" : $"{SteeringPlanFile.Name(g.Key.Mode)} {SteeringPlanFile.Name(g.Key.Schedule)}", g.ToList()))];

    private static SteeringAggregate Best(IEnumerable<SteeringAggregate> means) => means.MaxBy(m => m.Total.Value)!;

    private static Guide[] Unsteered(List<SteeringAggregate> means) => [.. means.Where(m => m.Recipe is null && m.Total.Count > 0).Select(m => new Guide(m.Total.Value, "unsteered"))];

    // bands over each other hide more than they show: intervals of many lines are told, not drawn
    private static Dot Mark(double x, Interval interval, string note, bool crowded) =>
        crowded && interval.Known ? new Dot(x, interval.Value, Note: string.Create(CultureInfo.InvariantCulture, $"{note}, {interval.Low:0.###} to {interval.High:0.###}")) : Dot.Of(x, interval, note);

    private static string Intervals(List<SteeringAggregate> means) => Crowded(means) ? "; intervals are in the tooltips" : ", with 95 % bootstrap intervals";

    private static bool Crowded(List<SteeringAggregate> means) => Ways([.. means.Where(m => m.Recipe is not null)]).Count > 3;

    private static Axis Layer { get; } = new("layer") { Whole = true };

    private static Axis Score(string label) => new(label) { Min = 0 };

    private static string Layers(int layer) => layer.ToString(CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Safe(string subject) => string.Concat(subject.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '-'));
}
