using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Steering;

/// <summary>Means over the texts of one plan, scores with bootstrap intervals over samples.</summary>
internal sealed record SteeringAggregate(string Plan, SteeringRecipe? Recipe, string? Subject, int Texts, double? Norm, double? Kl, double? Perplexity, double? Before, double? After, Interval Coherence, Interval Behavioral, Interval Total)
{
    public static TableColumns<SteeringAggregate> Columns { get; } = new(
    [
        ("plan", r => r.Plan),
        ("method", r => SteeredText.Lower(r.Recipe?.Method)),
        ("mode", r => SteeredText.Lower(r.Recipe?.Mode)),
        ("schedule", r => SteeredText.Lower(r.Recipe?.Schedule)),
        ("layer", r => r.Recipe?.Layer),
        ("coefficient", r => r.Recipe?.Coefficient),
        ("subject", r => r.Subject),
        ("samples", r => r.Texts),
        ("perturbation_norm", r => r.Norm),
        ("kl", r => r.Kl),
        ("perplexity", r => r.Perplexity),
        ("target_before", r => r.Before),
        ("target_after", r => r.After),
        .. Spread("coherence", r => r.Coherence),
        .. Spread("behavioral", r => r.Behavioral),
        .. Spread("total", r => r.Total),
    ]);

    public static List<SteeringAggregate> Of(IEnumerable<SteeredText> texts)
    {
        var bootstrap = new Bootstrap();
        return [.. texts.GroupBy(t => (t.Plan, t.Text.Subject)).Select(g => new SteeringAggregate(
            g.Key.Plan,
            g.First().Recipe,
            g.Key.Subject,
            g.Count(),
            g.Average(t => t.Text.Norm),
            g.Average(t => t.Text.Kl),
            g.Average(t => t.Text.Perplexity),
            g.Average(t => t.Text.Before),
            g.Average(t => t.Text.After),
            bootstrap.Mean(g.Select(t => t.Text.Coherence ?? double.NaN)),
            bootstrap.Mean(g.Select(t => t.Text.Behavioral ?? double.NaN)),
            bootstrap.Mean(g.Select(t => t.Total ?? double.NaN))))];
    }

    /// <summary>Of every mode, schedule and layer the coefficient with the best total (Feature Flow, Fig. 16).</summary>
    public static IEnumerable<SteeringAggregate> Best(IEnumerable<SteeringAggregate> all) =>
        all.GroupBy(a => (a.Recipe?.Mode, a.Recipe?.Schedule, a.Recipe?.Layer, a.Subject)).Select(g => g.MaxBy(a => double.IsNaN(a.Total.Value) ? double.NegativeInfinity : a.Total.Value)!);

    private static IEnumerable<(string, Func<SteeringAggregate, object?>)> Spread(string name, Func<SteeringAggregate, Interval> of) =>
    [
        (name, r => Known(of(r).Value)),
        ($"{name}_low", r => Known(of(r).Low)),
        ($"{name}_high", r => Known(of(r).High)),
    ];

    private static double? Known(double value) => double.IsNaN(value) ? null : value;
}
