namespace FeatureFlow.Experiments.Figures;

/// <summary>Figures of a sample: histogram, cumulative distribution, five numbers. NaN values are left out.</summary>
public static class Distribution
{
    private const int MostSteps = 400;

    /// <summary>A histogram; samples that are to be compared are given the same edges.</summary>
    /// <param name="name">Name of the series.</param>
    /// <param name="values">The sample.</param>
    /// <param name="edges">Ends of the ranges, rising; null for 20 to 40 equal ones from the least to the largest value.</param>
    /// <param name="shares">Shares of the sample instead of counts.</param>
    public static HistogramSeries Histogram(string name, IEnumerable<double> values, IReadOnlyList<double>? edges = null, bool shares = false)
    {
        var sample = Sorted(values);
        edges ??= Edges(sample);
        var heights = new double[edges.Count - 1];
        foreach (var value in sample)
        {
            // the last range holds its upper end too
            var bin = value == edges[^1] ? heights.Length - 1 : Last(edges, value);
            if (bin >= 0 && bin < heights.Length) heights[bin]++;
        }

        if (shares && sample.Length > 0)
        {
            for (var i = 0; i < heights.Length; i++) heights[i] /= sample.Length;
        }

        return new HistogramSeries(name, edges, heights);
    }

    /// <summary>Equal ranges over all of some samples.</summary>
    public static IReadOnlyList<double> Edges(IReadOnlyCollection<double> values, int bins = 0)
    {
        var finite = Sorted(values);
        if (finite.Length == 0) return [0, 1];
        var (low, high) = (finite[0], finite[^1]);
        if (low == high) (low, high) = (low - 0.5, high + 0.5);
        if (bins <= 0) bins = (int)Math.Clamp(Math.Sqrt(finite.Length), 20, 40);
        return [.. Enumerable.Range(0, bins + 1).Select(i => i == bins ? high : low + (i * (high - low) / bins))];
    }

    /// <summary>Share of the sample up to each value, as steps; at most some hundred, so that large samples stay small files.</summary>
    public static LineSeries Cumulative(string name, IEnumerable<double> values)
    {
        var sample = Sorted(values);
        var dots = new List<Dot>();
        if (sample.Length > 0) dots.Add(new Dot(sample[0], 0));
        var every = Math.Max(1, sample.Length / MostSteps);
        for (var i = 0; i < sample.Length; i++)
        {
            // of equal values the last
            if (i + 1 < sample.Length && (sample[i + 1] == sample[i] || (i + 1) % every != 0)) continue;
            dots.Add(new Dot(sample[i], (i + 1.0) / sample.Length));
        }

        return new LineSeries(name, dots) { Steps = true, Plain = true };
    }

    /// <summary>Quartiles (linear between neighbours), and whiskers to the farthest values within 1.5 times their distance.</summary>
    /// <exception cref="ArgumentException">The sample is empty.</exception>
    public static Box Box(string category, IEnumerable<double> values)
    {
        var sample = Sorted(values);
        if (sample.Length == 0) throw new ArgumentException("There is no value.", nameof(values));
        double q1 = Quantile(sample, 0.25), q3 = Quantile(sample, 0.75), reach = 1.5 * (q3 - q1);
        return new Box(category, sample.First(v => v >= q1 - reach), q1, Quantile(sample, 0.5), q3, sample.Last(v => v <= q3 + reach), sample.Length);
    }

    /// <summary>A quantile of a sorted sample, linear between neighbours.</summary>
    internal static double Quantile(double[] sorted, double p)
    {
        var place = p * (sorted.Length - 1);
        var under = (int)Math.Floor(place);
        return under + 1 >= sorted.Length ? sorted[^1] : sorted[under] + ((place - under) * (sorted[under + 1] - sorted[under]));
    }

    private static double[] Sorted(IEnumerable<double> values) => [.. values.Where(double.IsFinite).Order()];

    // the last edge that is not above the value
    private static int Last(IReadOnlyList<double> edges, double value)
    {
        int low = -1, high = edges.Count;
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (edges[middle] <= value) low = middle;
            else high = middle;
        }

        return low;
    }
}
