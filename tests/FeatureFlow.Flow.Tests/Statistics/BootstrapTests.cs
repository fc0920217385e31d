namespace FeatureFlow.Flow.Tests.Statistics;

/// <summary>The normal distribution against its tables, bootstrap intervals against cases that can be counted out.</summary>
public sealed class BootstrapTests
{
    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(1, 0.15865525393145707)]
    [InlineData(1.959963984540054, 0.02500000000000002)]
    [InlineData(2.999, 0.0013543365337271066)]
    [InlineData(3.001, 0.0013454728250849683)]
    [InlineData(6, 9.865876450377012e-10)]
    [InlineData(10, 7.619853024160593e-24)]
    [InlineData(37, 5.725571222525139e-300)]
    public void Tails_of_the_normal_distribution(double x, double tail)
    {
        Assert.Equal(1, Normal.UpperTail(x) / tail, 1e-12);
        Assert.Equal(1, Normal.Cumulative(-x) / tail, 1e-12);
        Assert.Equal(1 - tail, Normal.Cumulative(x), 1e-12);
        if (x > 0) Assert.Equal(-x, Normal.Quantile(Normal.Cumulative(-x)), 1e-9 * x);
    }

    [Fact]
    public void Quantiles_at_the_ends()
    {
        Assert.Equal(double.NegativeInfinity, Normal.Quantile(0));
        Assert.Equal(double.PositiveInfinity, Normal.Quantile(1));
        Assert.True(double.IsNaN(Normal.Quantile(1.5)));
        Assert.Equal(0, Normal.Quantile(0.5), 1e-15);
        Assert.Equal(1.6448536269514722, Normal.Quantile(0.95), 1e-12);
    }

    [Fact]
    public void Of_two_values_the_mean_has_three_outcomes()
    {
        // 0, ½, 1 with ¼, ½, ¼: the outer eighths lie wholly in 0 and 1, the inner quarters wholly in ½
        var plain = new Bootstrap(Level: 0.75, Resamples: 20_000, Method: BootstrapMethod.Percentile).Mean([0, 1]);
        Assert.Equal(new Interval(0.5, 0, 1, 2), plain);
        Assert.Equal(new Interval(0.5, 0.5, 0.5, 2), new Bootstrap(Level: 0.4, Resamples: 20_000, Method: BootstrapMethod.Percentile).Mean([0, 1]));
        // symmetric, so there is nothing to correct
        Assert.Equal(plain, new Bootstrap(Level: 0.75, Resamples: 20_000).Mean([0, 1]));
    }

    [Fact]
    public void Samples_that_say_nothing()
    {
        var bootstrap = new Bootstrap();
        Assert.Equal(new Interval(3, 3, 3, 4), bootstrap.Mean([3, 3, 3, 3]));
        var one = bootstrap.Mean([2]);
        Assert.Equal((2, 1, false), (one.Value, one.Count, one.Known));
        Assert.Equal(0, bootstrap.Mean([]).Count);
        Assert.True(double.IsNaN(bootstrap.Mean([double.NaN]).Value));
        Assert.Equal(bootstrap.Mean([1, 2, 4]), bootstrap.Mean([1, double.NaN, 2, 4]));
    }

    [Fact]
    public void The_same_seed_gives_the_same_interval_and_the_order_of_calls_does_not_matter()
    {
        double[] values = [1.3, 5.02, 2.71, 8, 3.14, 3.3, 9.6];
        var bootstrap = new Bootstrap(Seed: 7);
        var first = bootstrap.Mean(values);
        bootstrap.Mean([1, 2]);
        Assert.Equal(first, bootstrap.Mean(values));
        Assert.NotEqual(first, new Bootstrap(Seed: 8).Mean(values));
        // the mean by the general way, which computes the influence by leaving one out
        var general = bootstrap.Of(values.Length, drawn => drawn.Average(i => values[i]));
        Assert.Equal(first.Low, general.Low, 1e-12);
        Assert.Equal(first.High, general.High, 1e-12);
    }

    [Fact]
    public void Bca_moves_both_ends_towards_the_long_tail()
    {
        double[] skewed = [0, 0, 0, 0, 0, 0, 1, 1, 2, 12];
        var plain = new Bootstrap(Method: BootstrapMethod.Percentile).Mean(skewed);
        var corrected = new Bootstrap().Mean(skewed);
        Assert.True(corrected.Low > plain.Low && corrected.High > plain.High, $"{plain} {corrected}");
    }

    [Fact]
    public void Differences_of_independent_samples()
    {
        var random = new Prng(3);
        double[] a = [.. Enumerable.Range(0, 60).Select(_ => random.NextGaussian() + 2)], b = [.. Enumerable.Range(0, 50).Select(_ => random.NextGaussian())];
        var difference = new Bootstrap().Difference(a, b);
        Assert.Equal(a.Average() - b.Average(), difference.Value, 1e-12);
        Assert.True(difference.Above(1.2) && difference.Below(2.8), $"{difference}");
        // two standard errors either way, which are known here: √(1/60 + 1/50) each
        Assert.Equal(4 * Math.Sqrt((1 / 60.0) + (1 / 50.0)), difference.High - difference.Low, 0.15);
        var back = new Bootstrap().Difference(b, a);
        Assert.Equal(-difference.Value, back.Value, 1e-12);
        Assert.False(new Bootstrap().Difference([1], [2, 3]).Known);
    }

    [Theory]
    [InlineData(BootstrapMethod.Bca)]
    [InlineData(BootstrapMethod.Percentile)]
    public void Intervals_hold_the_truth_about_as_often_as_they_say(BootstrapMethod method)
    {
        var hits = 0;
        for (var trial = 0; trial < 300; trial++)
        {
            var random = new Prng(11, (ulong)trial);
            var interval = new Bootstrap(Level: 0.9, Resamples: 400, Seed: (ulong)trial, Method: method).Mean(Enumerable.Range(0, 30).Select(_ => -Math.Log(1 - random.NextDouble())));
            if (interval.Low <= 1 && 1 <= interval.High) hits++;
        }

        Assert.InRange(hits / 300.0, 0.82, 0.95); // exponential with mean 1, 30 values: a little less than 0.9 is known for it
    }

    [Fact]
    public void Ratios_are_of_sums()
    {
        var bootstrap = new Bootstrap();
        Assert.Equal(new Interval(0.5, 0.5, 0.5, 3), bootstrap.Ratio([1, 2, 4], [2, 4, 8])); // every document says the same
        var ratio = bootstrap.Ratio([1, 9], [1, 1]);
        Assert.Equal((5, 1, 9), (ratio.Value, ratio.Low, ratio.High));
        Assert.Equal(10.0 / 3, bootstrap.Ratio([1, 9], [2, 1]).Value); // not the mean of ratios, 4.75
    }

    [Fact]
    public void Intervals_print_shortly()
    {
        Assert.Equal("0.412 [0.36, 0.471]", new Interval(0.4123, 0.36, 0.4711, 9).ToString());
        Assert.Equal("2", new Interval(2, double.NaN, double.NaN, 1).ToString());
    }
}
