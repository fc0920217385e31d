namespace FeatureFlow.Flow;

/// <summary>The standard normal distribution, to about twelve significant digits in both tails.</summary>
public static class Normal
{
    private const double SeriesUpTo = 3;
    private const double InverseRootOfTwoPi = 0.3989422804014327;

    /// <summary>φ(x).</summary>
    public static double Density(double x) => InverseRootOfTwoPi * Math.Exp(-0.5 * x * x);

    /// <summary>Φ(x) = P(Z ≤ x).</summary>
    public static double Cumulative(double x) => x <= 0 ? UpperTail(-x) : 1 - UpperTail(x);

    /// <summary>1 − Φ(x), exact far out too, where the difference would be nothing but rounding.</summary>
    public static double UpperTail(double x)
    {
        if (double.IsNaN(x)) return double.NaN;
        if (x < 0) return 1 - UpperTail(-x);
        return x < SeriesUpTo ? 0.5 - (Density(x) * Series(x)) : Density(x) / Fraction(x);
    }

    /// <summary>The x with Φ(x) = <paramref name="p"/>; ±∞ at 1 and 0.</summary>
    public static double Quantile(double p)
    {
        if (!(p is >= 0 and <= 1)) return double.NaN;
        if (p is 0 or 1) return p == 0 ? double.NegativeInfinity : double.PositiveInfinity;
        if (p > 0.5) return -Quantile(1 - p);
        // Newton on log Φ, which is concave: from the left it never overshoots; the start is the tail's leading term
        var x = -Math.Sqrt(-2 * Math.Log(p));
        for (var round = 0; round < 60; round++)
        {
            var tail = UpperTail(-x);
            var step = Math.Log(p / tail) * tail / Density(x);
            x += step;
            if (Math.Abs(step) <= 1e-15 * (1 + Math.Abs(x))) break;
        }

        return x;
    }

    // Φ(x) − ½ = φ(x)·(x + x³/3 + x⁵/(3·5) + ...)
    private static double Series(double x)
    {
        double term = x, sum = x;
        for (var odd = 3; term > 1e-17 * sum; odd += 2) sum += term *= x * x / odd;
        return sum;
    }

    // x + 1/(x + 2/(x + 3/(x + ...))), from the inside out
    private static double Fraction(double x)
    {
        var value = x;
        for (var k = 160; k >= 1; k--) value = x + (k / value);
        return value;
    }
}
