using System.Globalization;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Judging;

/// <summary>The page of judged samples, whatever made them: scores by setting, by layer where there are layers, and texts beside their scores.</summary>
public static class JudgeReport
{
    private const int BarsShown = 24;
    private const int TextsShown = 12;

    /// <summary>Writes the page.</summary>
    /// <param name="path">Its file.</param>
    /// <param name="source">The table that was judged.</param>
    /// <param name="judged">Its samples.</param>
    /// <param name="aggregate">Their means.</param>
    /// <param name="judge">Who judged.</param>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written.</exception>
    public static void Write(string path, string source, JudgedTable judged, AggregateTable aggregate, string judge)
    {
        var report = new Report("Judged texts").Section("The texts").Facts(
        [
            ("samples", $"{judged.Samples.Count} from {Path.GetFileName(source)}"),
            ("without scores", judged.Unjudged.ToString(CultureInfo.InvariantCulture)),
            ("judge", judge),
            ("subjects", string.Join(", ", judged.Samples.Select(s => s.Subject).Distinct())),
            ("program", $"{Generator.Current.Name} {Generator.Current.Version}"),
        ]);
        foreach (var subject in judged.Samples.GroupBy(s => s.Subject))
        {
            report.Section($"Scores for {subject.Key}");
            var rows = aggregate.Rows.Where(r => Value(aggregate, r, "subject") is not { } s || s == subject.Key).Where(r => r.Coherence.Count > 0).ToList();
            if (rows.Count == 0)
            {
                report.Paragraph("No text has scores.");
                continue;
            }

            report.Figure(ByLayer(aggregate, rows, subject.Key) ?? Bars(aggregate, rows, subject.Key));
            Texts(report, judged, [.. subject]);
        }

        report.Section("Means").Table("Every setting", aggregate.Columns(), [.. aggregate.Rows], "aggregate.csv").Write(path);
    }

    // every layer at its best, a line for each way of steering; null where there are no layers
    private static Figure? ByLayer(AggregateTable table, List<SampleAggregate> rows, string subject)
    {
        var layered = rows.Where(r => double.IsFinite(Layer(table, r))).ToList();
        if (layered.Select(r => Layer(table, r)).Distinct().Take(2).Count() < 2) return null;
        var best = layered.GroupBy(r => (Way: Way(table, r), Layer: Layer(table, r))).Select(g => (g.Key.Way, g.Key.Layer, Row: g.MaxBy(r => Score(r))!)).ToList();
        var ways = best.GroupBy(b => b.Way).ToList();
        var guides = rows.Where(r => !double.IsFinite(Layer(table, r))).Take(1).ToList();
        Panel Of(string label, Func<SampleAggregate, Interval> of, double? most) => new(new Axis("layer") { Whole = true }, new Axis(label) { Min = 0, Max = most },
            [.. ways.Select(w => new LineSeries(w.Key, [.. w.OrderBy(b => b.Layer).Select(b => Dot.Of(b.Layer, of(b.Row), Name(table, b.Row)))]) { Whiskers = ways.Count > 3 })])
        { Guides = [.. guides.Where(g => of(g).Count > 0).Select(g => new Guide(of(g).Value, Name(table, g)))] };
        var panels = Panels(rows, Of);
        return new Figure($"Best score of every layer, {subject}", panels) { Note = "Means over texts with bootstrap intervals; of several coefficients the one with the best mean." };
    }

    private static Figure Bars(AggregateTable table, List<SampleAggregate> rows, string subject)
    {
        var shown = rows.OrderByDescending(r => Score(r)).Take(BarsShown).ToList();
        Panel Of(string label, Func<SampleAggregate, Interval> of, double? most) => new(new Axis("setting"), new Axis(label) { Min = 0, Max = most }, [new BarSeries("", [.. shown.Select(r => Bar.Of(Name(table, r), of(r)))])]);
        return new Figure($"Scores of every setting, {subject}", Panels(rows, Of))
        { Note = rows.Count > BarsShown ? $"The best {BarsShown} of {rows.Count}; means over texts with bootstrap intervals." : "Means over texts with bootstrap intervals." };
    }

    private static Panel[] Panels(List<SampleAggregate> rows, Func<string, Func<SampleAggregate, Interval>, double?, Panel> of) =>
    [
        .. rows.Any(r => r.Total.Count > 0) ? [of("total", r => r.Total, null)] : Array.Empty<Panel>(),
        of("behavioral", r => r.Behavioral, SteeringScore.Most),
        of("coherence", r => r.Coherence, SteeringScore.Most),
    ];

    // the best texts and the worst, so that the scores can be checked by eye
    private static void Texts(Report report, JudgedTable table, IReadOnlyList<JudgedSample> samples)
    {
        int text = Column(table, "text"), prompt = Column(table, "prompt");
        var ordered = samples.Where(s => s.Coherence is not null).OrderByDescending(s => s.Total ?? s.Behavioral).ToList();
        var shown = Math.Min(TextsShown, ordered.Count / 2);
        if (shown == 0) return;
        report.Paragraph("Texts with the best scores, and with the worst.");
        report.Texts(["best", "worst"], Enumerable.Range(0, shown).Select(i => ($"{i + 1}", (IReadOnlyList<(string, string)>)[Cell(ordered[i]), Cell(ordered[^(i + 1)])])));

        (string, string) Cell(JudgedSample s) => (
            (prompt < 0 ? "" : s.Values[prompt]) + s.Values[text],
            string.Create(CultureInfo.InvariantCulture, $"coherence {s.Coherence:0.#}, behavioral {s.Behavioral:0.#}{(s.Total is { } total ? $", total {total:0.##}" : "")}"));
    }

    private static int Column(JudgedTable table, string name) => table.Names.Index().Where(n => string.Equals(n.Item, name, StringComparison.OrdinalIgnoreCase)).Select(n => n.Index).DefaultIfEmpty(-1).First();

    private static string? Value(AggregateTable table, SampleAggregate row, string name) =>
        table.Names.Index().Where(n => string.Equals(n.Item, name, StringComparison.OrdinalIgnoreCase)).Select(n => row.Values[n.Index]).FirstOrDefault();

    private static double Layer(AggregateTable table, SampleAggregate row) => double.TryParse(Value(table, row, "layer"), NumberStyles.Float, CultureInfo.InvariantCulture, out var layer) ? layer : double.NaN;

    private static double Score(SampleAggregate row) => row.Total.Count > 0 ? row.Total.Value : row.Behavioral.Value;

    // what tells ways of steering apart
    private static string Way(AggregateTable table, SampleAggregate row) => Joined(table, row, "plan", "layer", "coefficient", "subject", "aim");

    private static string Name(AggregateTable table, SampleAggregate row) => Value(table, row, "plan") is { Length: > 0 } plan ? plan : Joined(table, row, "subject", "aim");

    private static string Joined(AggregateTable table, SampleAggregate row, params string[] without)
    {
        var parts = table.Names.Index().Where(n => row.Values[n.Index].Length > 0 && !without.Contains(n.Item, StringComparer.OrdinalIgnoreCase)).Select(n => n.Item is "method" or "mode" or "schedule" ? row.Values[n.Index] : $"{n.Item} {row.Values[n.Index]}").ToList();
        return parts.Count == 0 ? "all" : string.Join(' ', parts);
    }
}
