using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Matching;

/// <summary>What a paper says, as a difference that should not be zero, and what was found of it.</summary>
/// <param name="Claim">In words.</param>
/// <param name="Where">Layers, data set.</param>
/// <param name="Measure">What the estimate is a difference of.</param>
/// <param name="Found">The difference and its interval.</param>
/// <param name="Rises">The sign that the paper says.</param>
internal sealed record PaperClaim(string Claim, string Where, string Measure, Interval Found, bool Rises)
{
    public static TableColumns<PaperClaim> Columns { get; } = new(
        ("claim", c => c.Claim), ("where", c => c.Where), ("measure", c => c.Measure), ("difference", c => Known(c.Found.Value)), ("low", c => Known(c.Found.Low)), ("high", c => Known(c.Found.High)), ("count", c => c.Found.Count), ("verdict", c => c.Verdict));

    /// <summary>holds: the whole interval has the sign; fails: the whole interval has the other; undecided: zero lies inside.</summary>
    public string Verdict => !Found.Known ? "undecided" : Found.Above(0) ? (Rises ? "holds" : "fails") : Found.Below(0) ? (Rises ? "fails" : "holds") : "undecided";

    private static double? Known(double value) => double.IsNaN(value) ? null : value;
}
