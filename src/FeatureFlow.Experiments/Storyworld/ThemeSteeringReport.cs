using System.Globalization;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>The page of a theme that was steered both ways: scores, texts side by side, and the lineage that it was brought in along.</summary>
public static class ThemeSteeringReport
{
    /// <summary>Writes it, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<ThemeSteering> ways, FlowGraph lineage)
    {
        var report = new Report($"Steering by {ways[0].Theme}");
        report.Section("Scores").Figure(new Figure(
            "What steering does",
            [Panel($"share of the theme {ways[0].Theme}", w => (w.ThemeBefore, w.ThemeAfter)), Panel("coherence", w => (w.CoherenceBefore, w.CoherenceAfter))])
        {
            Note = $"Means over {ways[0].Steered.Count} texts of each kind with 95 % bootstrap intervals; the judge is the grammar that the stories were made with.",
        });
        foreach (var way in ways)
        {
            report.Section(char.ToUpperInvariant(way.Plan.Name[0]) + way.Plan.Name[1..])
                .Facts([
                    ("prompt", way.Prompt),
                    ("features", $"{way.Plan.Edits.Count}: {string.Join(", ", way.Plan.Edits)}"),
                    ("state moved by", way.Steered.Average(t => t.PerturbationNorm ?? 0).ToString("0.0", CultureInfo.InvariantCulture)),
                    ("divergence", way.Steered.Average(t => t.Kl ?? 0).ToString("0.000", CultureInfo.InvariantCulture) + " nats a token"),
                ])
                .Texts(["unsteered", way.Plan.Name], Enumerable.Range(0, way.Steered.Count).Select(i => ($"{i}", Side(way, i))));
        }

        report.Section("Lineage").Paragraph("The theme was brought in along the residual features of this graph.").Graph(lineage);
        report.Write(path);

        Panel Panel(string label, Func<ThemeSteering, (Interval Before, Interval After)> of) => new(new Axis(""), new Axis(label) { Min = 0, Max = 1 },
        [
            new BarSeries("unsteered", [.. ways.Select(w => Bar.Of(w.Plan.Name, of(w).Before))]),
            new BarSeries("steered", [.. ways.Select(w => Bar.Of(w.Plan.Name, of(w).After))]),
        ]);

        IReadOnlyList<(string, string)> Side(ThemeSteering way, int i) => [Text(way, way.Unsteered[i]), Text(way, way.Steered[i])];

        (string, string) Text(ThemeSteering way, SteeringResult text) =>
            (text.Prompt + text.Text, string.Create(CultureInfo.InvariantCulture, $"theme {StoryJudge.Score(text.Text).Of(way.Theme):0.00}, coherence {StoryJudge.Score(text.Prompt + text.Text).Coherence:0.00}, perplexity {text.Perplexity:0.0}"));
    }
}
