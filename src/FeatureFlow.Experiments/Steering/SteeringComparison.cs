using System.Globalization;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Steering;

/// <summary>
/// Two ways of steering compared by their total scores: texts paired by prompt and draws, the mean difference first − second with its bootstrap interval over the pairs. Where
/// one has to pick the best of several plans, it is picked on the samples of even number and compared on those of odd number, so that luck is not counted as merit.
/// </summary>
internal sealed record SteeringComparison(string Question, string Subject, string First, string Second, Interval Difference)
{
    public static TableColumns<SteeringComparison> Columns { get; } = new(
        ("question", r => r.Question),
        ("subject", r => r.Subject),
        ("first", r => r.First),
        ("second", r => r.Second),
        ("pairs", r => r.Difference.Count),
        ("difference", r => Known(r.Difference.Value)),
        ("low", r => Known(r.Difference.Low)),
        ("high", r => Known(r.Difference.High)),
        ("verdict", r => r.Verdict));

    /// <summary>What the interval says.</summary>
    public string Verdict => !Difference.Known ? "unknown" : Difference.Above(0) ? "first is better" : Difference.Below(0) ? "second is better" : "no difference seen";

    /// <summary>The questions of Feature Flow's section 5.3 that a sweep can answer.</summary>
    /// <param name="texts">All texts.</param>
    /// <param name="pickedAt">The layer that the feature was picked at.</param>
    public static List<SteeringComparison> Of(IReadOnlyList<SteeredText> texts, int pickedAt)
    {
        var found = new List<SteeringComparison>();
        foreach (var subject in texts.Select(t => t.Text.Subject).OfType<string>().Distinct())
        {
            var steered = texts.Where(t => t.Text.Subject == subject && t.Recipe is not null && t.Total is not null).ToList();
            var unsteered = texts.Where(t => t.Text.Subject == subject && t.Recipe is null && t.Total is not null).ToList();
            var ways = steered.GroupBy(t => (t.Recipe!.Mode, t.Recipe.Schedule)).ToDictionary(g => g.Key, g => g.ToList());
            var single = ways.GetValueOrDefault((SteeringMode.Single, SteeringSchedule.Constant));

            foreach (var (way, of) in ways) found.Add(Picked("steering against none", subject, Name(way), of, "unsteered", unsteered));
            if (single is not null)
            {
                found.Add(Picked("best layer against the layer of the feature", subject, "single, best layer", single, $"single, layer {pickedAt}", [.. single.Where(t => t.Recipe!.Layer == pickedAt)]));
                foreach (var (way, of) in ways.Where(w => w.Key.Mode != SteeringMode.Single))
                {
                    foreach (var c in of.Select(t => t.Recipe!.Coefficient).Distinct())
                        found.Add(Paired($"several layers against one, coefficient {c.ToString(CultureInfo.InvariantCulture)}", subject, Name(way), [.. of.Where(t => t.Recipe!.Coefficient == c)], "single", [.. single.Where(t => t.Recipe!.Coefficient == c)]));
                    found.Add(Picked("several layers against one, each at its best", subject, Name(way), of, "single", single));
                }
            }

            foreach (var (way, of) in ways.Where(w => w.Key.Schedule != SteeringSchedule.Constant))
            {
                if (!ways.TryGetValue((way.Mode, SteeringSchedule.Constant), out var constant)) continue;
                found.Add(Paired("schedule against constant, all coefficients", subject, Name(way), of, Name((way.Mode, SteeringSchedule.Constant)), constant));
                found.Add(Picked("schedule against constant, each at its best", subject, Name(way), of, Name((way.Mode, SteeringSchedule.Constant)), constant));
            }
        }

        return found;
    }

    // the same layers and coefficients on both sides; a pair is the mean over them
    private static SteeringComparison Paired(string question, string subject, string first, List<SteeredText> a, string second, List<SteeredText> b)
    {
        var other = b.ToDictionary(t => (t.Recipe!.Layer, t.Recipe.Coefficient, t.Pair), t => t.Total!.Value);
        var differences = a.Where(t => other.ContainsKey((t.Recipe!.Layer, t.Recipe.Coefficient, t.Pair)))
            .GroupBy(t => t.Pair)
            .Select(g => g.Average(t => t.Total!.Value - other[(t.Recipe!.Layer, t.Recipe.Coefficient, t.Pair)]));
        return new SteeringComparison(question, subject, first, second, new Bootstrap().Mean(differences));
    }

    // the best plan of each side
    private static SteeringComparison Picked(string question, string subject, string first, List<SteeredText> a, string second, List<SteeredText> b)
    {
        if (a.Count == 0 || b.Count == 0) return new SteeringComparison(question, subject, first, second, new Bootstrap().Mean([]));
        var (bestA, bestB) = (Best(a), Best(b));
        var other = b.Where(t => t.Plan == bestB && Odd(t)).ToDictionary(t => t.Pair, t => t.Total!.Value);
        var differences = a.Where(t => t.Plan == bestA && Odd(t) && other.ContainsKey(t.Pair)).Select(t => t.Total!.Value - other[t.Pair]);
        return new SteeringComparison(question, subject, $"{first} ({bestA})", $"{second} ({bestB})", new Bootstrap().Mean(differences));

        static string Best(List<SteeredText> of) => of.Where(t => !Odd(t)).GroupBy(t => t.Plan).MaxBy(g => g.Average(t => t.Total!.Value))!.Key;

        static bool Odd(SteeredText text) => text.Text.Sample % 2 == 1;
    }

    private static string Name((SteeringMode Mode, SteeringSchedule Schedule) way) =>
        way.Mode == SteeringMode.Single ? "single" : $"{SteeringPlanFile.Name(way.Mode)} {SteeringPlanFile.Name(way.Schedule)}";

    private static double? Known(double value) => double.IsNaN(value) ? null : value;
}
