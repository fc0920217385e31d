using FeatureFlow.Tensors;

namespace FeatureFlow.Flow.Tests;

/// <summary>Where prices begin: by hand, the same from costs that are held and from points, and near enough to where they end.</summary>
public sealed class StartingPricesTests
{
    [Fact]
    public void By_hand()
    {
        // two by two: all are sampled, and the nearest one is the mean. values (1, 2), prices (min(0, 0), min(3, 1)) = (0, 1), values (min(1, 3), min(2, 2)) = (1, 2)
        var prices = new double[2];
        StartingPrices.Estimate(new DenseCosts(new double[,] { { 1, 4 }, { 2, 3 } }), prices, null, default);
        Assert.Equal([0, 1], prices);
    }

    [Fact]
    public void Points_and_their_matrix_begin_alike()
    {
        var (points, matrix) = Hubs(96, 6);
        var (from, held) = (new double[96], new double[96]);
        StartingPrices.Estimate(points, from, null, default);
        StartingPrices.Estimate(new DenseCosts(matrix), held, null, default);
        for (var j = 0; j < held.Length; j++) Assert.Equal(held[j], from[j], 1e-9);
    }

    [Fact]
    public void A_part_is_the_rows_that_were_asked_for()
    {
        var (points, matrix) = Hubs(20, 4);
        foreach (var part in new[] { points.Part([3, 17, 4]), new DenseCosts(matrix).Part([3, 17, 4]) })
        {
            Assert.Equal((3, 20), (part.Rows, part.Columns));
            Assert.Equal(matrix[17, 5], part.Cost(1, 5), 1e-12);
            Assert.Equal(matrix[4, 19], part.Transpose().Cost(19, 2), 1e-12);
        }
    }

    [Fact]
    public void They_are_near_to_where_they_end()
    {
        // columns of many sizes: what it costs to have one differs more between columns than what is left to find
        var (points, _) = Hubs(400, 24);
        var begun = new double[400];
        StartingPrices.Estimate(points, begun, null, default);
        var ended = AssignmentSolver.Solve(points).Prices;
        Assert.InRange(Correlation(begun, ended), 0.9, 1);
    }

    private static (ICostSource Points, double[,] Matrix) Hubs(int n, int width)
    {
        var random = new Random(7);
        Tensor Made()
        {
            var x = Tensor.Allocate(DType.F32, n, width);
            for (var i = 0; i < n; i++)
            {
                var size = Math.Exp(random.NextDouble());
                foreach (ref var v in x.Rows(i, 1).AsSpan<float>()) v = (float)(size * (random.NextDouble() - 0.4));
            }

            return x;
        }

        var (a, b) = (Made(), Made());
        var points = new PointCosts(CpuEngine.Shared, a, b, "hubs");
        var matrix = new double[n, n];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++) matrix[i, j] = points.Cost(i, j);
        }

        return (points, matrix);
    }

    private static double Correlation(double[] x, double[] y)
    {
        var (mx, my) = (x.Average(), y.Average());
        var xy = x.Zip(y, (a, b) => (a - mx) * (b - my)).Sum();
        return xy / Math.Sqrt(x.Sum(a => (a - mx) * (a - mx)) * y.Sum(b => (b - my) * (b - my)));
    }
}
