using System.Globalization;

namespace FeatureFlow.Flow;

/// <summary>An estimate with a confidence interval.</summary>
/// <param name="Value">The statistic of the sample itself.</param>
/// <param name="Low">Lower end; NaN where the sample is too small to say (fewer than two).</param>
/// <param name="High">Upper end.</param>
/// <param name="Count">Size of the sample.</param>
public readonly record struct Interval(double Value, double Low, double High, int Count)
{
    /// <summary>Whether the interval says anything.</summary>
    public bool Known => !double.IsNaN(Low) && !double.IsNaN(High);

    /// <summary>Whether all of it lies above <paramref name="value"/>.</summary>
    public bool Above(double value) => Low > value;

    /// <summary>Whether all of it lies below <paramref name="value"/>.</summary>
    public bool Below(double value) => High < value;

    /// <summary><c>0.41 [0.36, 0.47]</c>.</summary>
    public override string ToString() => Known
        ? string.Create(CultureInfo.InvariantCulture, $"{Value:0.###} [{Low:0.###}, {High:0.###}]")
        : Value.ToString("0.###", CultureInfo.InvariantCulture);
}
