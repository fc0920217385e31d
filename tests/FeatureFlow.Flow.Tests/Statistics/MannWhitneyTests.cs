namespace FeatureFlow.Flow.Tests.Statistics;

/// <summary>The Mann-Whitney test against values of scipy.stats.mannwhitneyu 1.x and against counting by hand.</summary>
public sealed class MannWhitneyTests
{
    public static TheoryData<double[], double[], double, double, double, bool> Cases => new()
    {
        { [1.1, 2.5, 0.3], [4.2, 5.1, 3.3, 2.6], 0, 0.05714285714285714, 0.05182992721790968, true },
        { [1, 2, 2, 3], [2, 3, 4, 4, 5], 2.5, 0.07854585095119067, 0.07854585095119067, false },
        { [0.5], [0.7], 0, 1, 1, true },
        { [3, 3], [3, 3, 3], 3, 1, 1, false },
        { [10.5, 11.5, 12.5], [.. Enumerable.Range(0, 200).Select(i => (double)i)], 36, 0.0024867129018614673, 0.009079695312413653, true },
        { [.. Enumerable.Range(0, 30).Select(i => 0.1 * (i * 7 % 30))], [.. Enumerable.Range(0, 40).Select(i => (0.07 * (i * 11 % 40)) + 0.3)], 516, 0.3216953349673757, 0.3216953349673757, false },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Agrees_with_scipy(double[] first, double[] second, double u, double p, double approximate, bool exact)
    {
        var test = MannWhitney.Test(first, second);
        Assert.Equal((u, exact), (test.U, test.Exact));
        Assert.Equal(p, test.P, 1e-9 * p);
        Assert.Equal(approximate, MannWhitney.Approximate(first, second).P, 1e-9 * approximate);
    }

    [Fact]
    public void Exact_probabilities_are_those_of_counting_all_orders()
    {
        var random = new Prng(3);
        for (var round = 0; round < 20; round++)
        {
            var (nA, nB) = (1 + random.Next(4), 1 + random.Next(5));
            var values = Enumerable.Range(0, nA + nB).Select(_ => random.NextDouble()).ToArray();
            var test = MannWhitney.Test(values[..nA], values[nA..]);
            double hits = 0, all = 0, larger = Math.Max(test.U, (nA * nB) - test.U);
            for (var mask = 0; mask < 1 << (nA + nB); mask++)
            {
                if (System.Numerics.BitOperations.PopCount((uint)mask) != nA) continue;
                var u = 0;
                for (var a = 0; a < nA + nB; a++)
                {
                    for (var b = 0; b < a; b++) u += (mask >> a & 1) == 1 && (mask >> b & 1) == 0 ? 1 : 0;
                }

                all++;
                hits += u >= larger ? 1 : 0;
            }

            Assert.Equal(Math.Min(1, 2 * hits / all), test.P, 1e-12);
        }
    }

    [Fact]
    public void Changing_sides_changes_U_and_not_p()
    {
        double[] a = [1, 5, 5, 7, 9], b = [2, 5, 8];
        var (there, back) = (MannWhitney.Test(a, b), MannWhitney.Test(b, a));
        Assert.Equal(a.Length * b.Length, there.U + back.U);
        Assert.Equal(there.P, back.P, 1e-15);
    }
}
