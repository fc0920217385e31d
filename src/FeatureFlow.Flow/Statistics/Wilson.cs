namespace FeatureFlow.Flow;

/// <summary>Confidence intervals of shares (Wilson 1927): sensible for few cases and for shares of 0 and 1 too.</summary>
public static class Wilson
{
    /// <summary>The interval of <paramref name="hits"/> of <paramref name="count"/>; ends are NaN when there are no cases.</summary>
    public static Interval Of(int hits, int count, double level = 0.95)
    {
        if (count == 0) return new Interval(double.NaN, double.NaN, double.NaN, 0);
        var z = Normal.Quantile((1 + level) / 2);
        double p = (double)hits / count, square = z * z / count;
        var centre = (p + (square / 2)) / (1 + square);
        var half = z * Math.Sqrt((p * (1 - p) / count) + (square / (4 * count))) / (1 + square);
        return new Interval(p, Math.Max(0, centre - half), Math.Min(1, centre + half), count);
    }
}
