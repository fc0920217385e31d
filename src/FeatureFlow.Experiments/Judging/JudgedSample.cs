using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Judging;

/// <summary>A sample, a subject, and what the judge says of the two.</summary>
/// <param name="Values">The sample's own columns, in the order of their table.</param>
/// <param name="Subject">The subject.</param>
/// <param name="Aim">What steering was to do to it, or null where nobody says.</param>
/// <param name="Coherence">0 to 5, or null.</param>
/// <param name="Behavioral">0 to 5, or null.</param>
/// <param name="Judge">Who judged.</param>
/// <param name="Problem">Why there are no scores, when there are none.</param>
public sealed record JudgedSample(IReadOnlyList<string> Values, string Subject, SteeringAim? Aim, double? Coherence, double? Behavioral, string Judge, string? Problem)
{
    /// <summary>0 to 1; null without both scores and an aim.</summary>
    public double? Total => Coherence is { } c && Behavioral is { } b && Aim is { } aim ? SteeringScore.Total(c, b, aim) : null;
}

/// <summary>Samples with their scores: one row for each sample and subject.</summary>
/// <param name="Names">Names of the samples' own columns.</param>
/// <param name="Samples">The rows.</param>
public sealed record JudgedTable(IReadOnlyList<string> Names, IReadOnlyList<JudgedSample> Samples)
{
    /// <summary>Columns that judging adds; in a table that was judged before they are judged anew.</summary>
    public static IReadOnlyList<string> Added { get; } = ["subject", "aim", "coherence", "behavioral", "total", "judge", "problem"];

    /// <summary>Number of rows that the judge had no scores for.</summary>
    public int Unjudged => Samples.Count(s => s.Problem is not null);

    /// <summary>The columns of judged.csv.</summary>
    public TableColumns<JudgedSample> Columns() => new(
    [
        .. Names.Select((n, c) => Own(n, c)),
        ("subject", s => s.Subject),
        ("aim", s => s.Aim?.ToString().ToLowerInvariant()),
        ("coherence", s => s.Coherence),
        ("behavioral", s => s.Behavioral),
        ("total", s => s.Total),
        ("judge", s => s.Judge),
        ("problem", s => s.Problem),
    ]);

    private (string, Func<JudgedSample, object?>) Own(string name, int column)
    {
        var value = SampleTable.Value(column, Samples.Select(s => s.Values));
        return (name, s => value(s.Values));
    }
}
