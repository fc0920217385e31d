using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>What the self-check of an SAE found: every array looked at, thresholds and decoder norms, and what a user should know.</summary>
/// <param name="Info">What the SAE says it is; declared shapes agree with the actual ones, or it would not have opened.</param>
/// <param name="Arrays">Every array that it is made of.</param>
/// <param name="Thresholds">θ, null for architectures without one or when it cannot be read.</param>
/// <param name="NotPositiveThresholds">Features with θ ≤ 0: they have no fold (METHODS 1).</param>
/// <param name="DecoderNorms">L2 norms of decoder rows, as the format defines them; null when they cannot be read.</param>
/// <param name="ZeroNorms">Features whose decoder row is zero: similarity 0 with all.</param>
/// <param name="DeadShare">Share of features that the release measured as never firing (log10 firing rate below −8), null when not measured.</param>
/// <param name="Problems">What is wrong, in sentences; empty for a sound SAE.</param>
public sealed record SaeReport(
    SaeInfo Info,
    IReadOnlyList<SaeArray> Arrays,
    Spread? Thresholds,
    int NotPositiveThresholds,
    Spread? DecoderNorms,
    int ZeroNorms,
    double? DeadShare,
    IReadOnlyList<string> Problems)
{
    /// <summary>True when nothing is wrong.</summary>
    public bool IsSound => Problems.Count == 0;
}

/// <summary>One array of an SAE.</summary>
/// <param name="File">The file it lies in, full path.</param>
/// <param name="Name">Its name there.</param>
/// <param name="Type">Stored type.</param>
/// <param name="Shape">Extents.</param>
/// <param name="NonFinite">Elements that are NaN or infinite.</param>
public sealed record SaeArray(string File, string Name, DType Type, IReadOnlyList<int> Shape, long NonFinite);

/// <summary>Smallest, median, mean and largest of some numbers.</summary>
public sealed record Spread(double Min, double Median, double Mean, double Max)
{
    internal static Spread? Of(double[] values)
    {
        if (values.Length == 0) return null;
        var sorted = values.Order().ToArray();
        return new Spread(sorted[0], (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2, values.Average(), sorted[^1]);
    }
}
