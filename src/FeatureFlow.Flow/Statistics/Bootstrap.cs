namespace FeatureFlow.Flow;

/// <summary>How the ends of a bootstrap interval are read off the resampled statistics.</summary>
public enum BootstrapMethod
{
    /// <summary>Bias-corrected and accelerated (Efron 1987): right to second order, also for skewed samples.</summary>
    Bca,

    /// <summary>Plain percentiles.</summary>
    Percentile,
}

/// <summary>
/// Confidence intervals by resampling with replacement, seeded: the same numbers on every machine, and for a sample whatever else is computed
/// before it. Values that are NaN (not measured) are left out.
/// </summary>
/// <param name="Level">Confidence, between 0 and 1.</param>
/// <param name="Resamples">How often the sample is drawn again; the ends of a 95 % interval are steady to about 1 % of its width from 2,000 on.</param>
/// <param name="Seed">Seed of the draws.</param>
/// <param name="Method">How the ends are found.</param>
public sealed record Bootstrap(double Level = 0.95, int Resamples = 2000, ulong Seed = 0, BootstrapMethod Method = BootstrapMethod.Bca)
{
    private const ulong FirstGroup = 0xB007;
    private const ulong SecondGroup = 0xB008;

    /// <summary>Interval of the mean. For a paired difference give the differences.</summary>
    public Interval Mean(IEnumerable<double> values)
    {
        var sample = Measured(values);
        if (sample.Length == 0) return new Interval(double.NaN, double.NaN, double.NaN, 0);
        var mean = sample.Average();
        if (sample.Length == 1) return new Interval(mean, double.NaN, double.NaN, 1);
        var resampled = Draw(sample, FirstGroup);
        // the influence of each value on the mean
        return Ends(mean, resampled, [.. sample.Select(v => v - mean)], sample.Length);
    }

    /// <summary>Interval of the difference of the means of two independent samples, first − second.</summary>
    public Interval Difference(IEnumerable<double> first, IEnumerable<double> second)
    {
        double[] a = Measured(first), b = Measured(second);
        var count = Math.Min(a.Length, b.Length);
        if (count == 0) return new Interval(double.NaN, double.NaN, double.NaN, 0);
        double meanA = a.Average(), meanB = b.Average();
        if (count == 1) return new Interval(meanA - meanB, double.NaN, double.NaN, 1);
        double[] drawnA = Draw(a, FirstGroup), drawnB = Draw(b, SecondGroup);
        return Ends(meanA - meanB, [.. drawnA.Zip(drawnB, (x, y) => x - y)], [.. a.Select(v => (v - meanA) / a.Length), .. b.Select(v => (meanB - v) / b.Length)], count);
    }

    /// <summary>Interval of a ratio of sums, Σ numerators / Σ denominators, of items that come together: tokens of documents.</summary>
    public Interval Ratio(IReadOnlyList<double> numerators, IReadOnlyList<double> denominators)
    {
        ArgumentNullException.ThrowIfNull(numerators);
        ArgumentNullException.ThrowIfNull(denominators);
        return Of(numerators.Count, chosen =>
        {
            double over = 0, under = 0;
            for (var i = 0; i < chosen.Count; i++)
            {
                over += numerators[chosen[i]];
                under += denominators[chosen[i]];
            }

            return over / under;
        });
    }

    /// <summary>Interval of any statistic of items drawn together, such as a ratio of sums.</summary>
    /// <param name="count">Number of items.</param>
    /// <param name="statistic">The statistic of the items with these numbers; a number may come several times.</param>
    public Interval Of(int count, Func<IReadOnlyList<int>, double> statistic)
    {
        int[] all = [.. Enumerable.Range(0, count)];
        if (count == 0) return new Interval(double.NaN, double.NaN, double.NaN, 0);
        var value = statistic(all);
        if (count == 1) return new Interval(value, double.NaN, double.NaN, 1);
        var resampled = new double[Resamples];
        var random = new Prng(Seed, FirstGroup);
        var drawn = new int[count];
        for (var r = 0; r < Resamples; r++)
        {
            for (var i = 0; i < count; i++) drawn[i] = random.Next(count);
            resampled[r] = statistic(drawn);
        }

        if (Method == BootstrapMethod.Percentile) return Ends(value, resampled, [], count);
        var without = new double[count];
        for (var i = 0; i < count; i++) without[i] = statistic([.. all.Where(j => j != i)]);
        var centre = without.Average();
        return Ends(value, resampled, [.. without.Select(v => centre - v)], count);
    }

    private static double[] Measured(IEnumerable<double> values) => [.. values.Where(v => !double.IsNaN(v))];

    private double[] Draw(double[] sample, ulong group)
    {
        var random = new Prng(Seed, group);
        var means = new double[Resamples];
        for (var r = 0; r < Resamples; r++)
        {
            double sum = 0;
            for (var i = 0; i < sample.Length; i++) sum += sample[random.Next(sample.Length)];
            means[r] = sum / sample.Length;
        }

        return means;
    }

    private Interval Ends(double value, double[] resampled, double[] influence, int count)
    {
        Array.Sort(resampled);
        var (low, high) = ((1 - Level) / 2, (1 + Level) / 2);
        if (Method == BootstrapMethod.Bca)
        {
            // what ties with the estimate counts half: scores have few values
            var (below, upTo) = (Rank(resampled, value, orEqual: false), Rank(resampled, value, orEqual: true));
            var bias = Normal.Quantile((below + upTo) / (2.0 * resampled.Length));
            double squares = influence.Sum(d => d * d), cubes = influence.Sum(d => d * d * d);
            var acceleration = squares > 0 ? cubes / (6 * Math.Pow(squares, 1.5)) : 0;
            // an estimate outside all that was drawn has no bias to correct
            if (double.IsFinite(bias)) (low, high) = (Moved(low, bias, acceleration), Moved(high, bias, acceleration));
        }

        return new Interval(value, At(resampled, low), At(resampled, high), count);
    }

    private static double Moved(double p, double bias, double acceleration)
    {
        var z = bias + Normal.Quantile(p);
        return Normal.Cumulative(bias + (z / (1 - (acceleration * z))));
    }

    // number of sorted values below (or up to) one; sums of the same numbers in another order differ in the last digits
    private static int Rank(double[] sorted, double value, bool orEqual)
    {
        var slack = 1e-12 * Math.Max(1, Math.Abs(value));
        return sorted.Count(v => orEqual ? v <= value + slack : v < value - slack);
    }

    private static double At(double[] sorted, double p)
    {
        var place = Math.Clamp(p, 0, 1) * (sorted.Length - 1);
        var under = (int)Math.Floor(place);
        return under + 1 >= sorted.Length ? sorted[^1] : sorted[under] + ((place - under) * (sorted[under + 1] - sorted[under]));
    }
}
