using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>The assignment solver against a textbook one, on easy, hard and nasty problems; its certificate, resumption and determinism.</summary>
public sealed class AssignmentTests
{
    public static TheoryData<string, int, int> Problems
    {
        get
        {
            var data = new TheoryData<string, int, int>();
            foreach (var kind in new[] { "random", "integers", "equal", "points", "hubs", "crowds", "duplicates", "zeros" })
            {
                foreach (var (rows, columns) in new[] { (1, 1), (2, 3), (7, 7), (60, 60), (60, 41), (41, 60), (160, 160) }) data.Add(kind, rows, columns);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Problems))]
    public void The_cost_is_that_of_a_textbook_solver(string kind, int rows, int columns)
    {
        var (costs, matrix) = Made(kind, rows, columns, 3);
        foreach (var candidates in new[] { 1, 4, 32 })
        {
            var found = AssignmentSolver.Solve(costs, new AssignmentOptions { Candidates = candidates });
            var best = Textbook(matrix);
            Assert.Equal(best, found.Certificate.Primal, 1e-9 * (1 + Math.Abs(best)));
            Assert.True(found.Certificate.IsOptimal);
            Assert.InRange(found.Certificate.Gap, -found.Certificate.Tolerance, found.Certificate.Tolerance);
            Assert.Equal((long)rows * columns, found.Certificate.Pairs);
            Assert.Equal(Bound(matrix, found.Prices), found.Certificate.Dual, 1e-9 * (1 + Math.Abs(best)));
            Assert.Equal(rows, found.Target.Length);
            var matched = found.Target.Where(j => j >= 0).ToArray();
            Assert.Equal(Math.Min(rows, columns), matched.Distinct().Count());
            Assert.All(matched, j => Assert.InRange(j, 0, columns - 1));
            Assert.Equal(best, found.Target.Select((j, i) => j < 0 ? 0 : matrix[i, j]).Sum(), 1e-9 * (1 + Math.Abs(best)));
        }
    }

    [Fact]
    public void A_small_problem_by_hand()
    {
        var found = AssignmentSolver.Solve(new DenseCosts(new double[,] { { 4, 1, 3 }, { 2, 0, 5 }, { 3, 2, 2 } }));
        Assert.Equal([1, 0, 2], found.Target);
        Assert.Equal((5, 5), (found.Certificate.Primal, found.Certificate.Dual));
        Assert.Equal([-1, 1, 0], AssignmentSolver.Solve(new DenseCosts(new double[,] { { 9, 9 }, { 5, 1 }, { 1, 5 } })).Target);
        Assert.Empty(AssignmentSolver.Solve(new DenseCosts(new double[0, 0])).Target);
    }

    [Fact]
    public void The_certificate_is_a_bound_whatever_the_prices()
    {
        // an assignment that is not optimal cannot have a certificate: the dual bound never passes the optimum
        var (costs, matrix) = Made("points", 50, 50, 8);
        var best = Textbook(matrix);
        var random = new Random(1);
        for (var trial = 0; trial < 20; trial++)
        {
            var prices = Enumerable.Range(0, 50).Select(_ => random.NextDouble()).ToArray();
            var (column, smallest) = (new int[50], new double[50]);
            costs.Nearest([.. Enumerable.Range(0, 50)], prices, 1, [.. Enumerable.Repeat(double.PositiveInfinity, 50)], column, smallest, null, default);
            Assert.True(smallest.Sum() + prices.Sum() <= best + 1e-9);
        }

        Assert.False(new AssignmentCertificate(best + 1e-3, best, 1e-9, 2500).IsOptimal);
        Assert.True(new AssignmentCertificate(best, best - 1e-12, 1e-9, 2500).IsOptimal);
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_pairs_and_bits()
    {
        using Tensor a = Points(1, 700, 24), b = Points(2, 700, 24);
        using var one = new CpuEngine(1);
        using var three = new CpuEngine(3);
        var first = AssignmentSolver.Solve(new PointCosts(one, a, b, "x"));
        var second = AssignmentSolver.Solve(new PointCosts(three, a, b, "x"));
        Assert.Equal(first.Target, second.Target);
        Assert.Equal(first.Certificate, second.Certificate);
        Assert.Equal(first.Work, second.Work);
        Assert.InRange(first.Work.Queries, 700, 5 * 700);
    }

    [Fact]
    public void A_stopped_assignment_goes_on_where_it_was()
    {
        using var folder = new TempFolder();
        using Tensor a = Points(1, 900, 12), b = Points(2, 900, 12);
        var costs = new Counting(new PointCosts(CpuEngine.Shared, a, b, "resumed"));
        var whole = AssignmentSolver.Solve(costs, new AssignmentOptions { Candidates = 8 });
        var (queries, calls) = (costs.Queries, costs.Calls);
        Assert.InRange(calls, 4, 40);
        foreach (var after in Enumerable.Range(1, calls))
        {
            // the first pass, rounds, and the certificate
            var file = folder.File($"state{after}.safetensors");
            using var stop = new CancellationTokenSource();
            costs.Begin(() => { if (costs.Calls == after) stop.Cancel(); });
            Assert.ThrowsAny<OperationCanceledException>(() => AssignmentSolver.Solve(costs, new AssignmentOptions { Candidates = 8, Checkpoint = file, CheckpointSeconds = 0 }, stop.Token));
            Assert.True(File.Exists(file));
            costs.Begin(() => { });
            var rest = AssignmentSolver.Solve(costs, new AssignmentOptions { Candidates = 8, Checkpoint = file });
            Assert.Equal(whole.Certificate.Primal, rest.Certificate.Primal, 1e-9);
            if (after > 1) Assert.True(costs.Queries < queries, $"{costs.Queries} of {queries} queries after a stop at {after}");
            Assert.False(File.Exists(file));
        }
    }

    [Fact]
    public void A_checkpoint_of_another_problem_or_a_damaged_one_is_not_taken_up()
    {
        using var folder = new TempFolder();
        var file = folder.File("state.safetensors");
        using Tensor a = Points(1, 300, 8), b = Points(2, 300, 8), c = Points(3, 300, 8);
        using var stop = new CancellationTokenSource();
        var costs = new Counting(new PointCosts(CpuEngine.Shared, a, b, "x"));
        costs.Begin(() => { if (costs.Calls == 2) stop.Cancel(); });
        Assert.ThrowsAny<OperationCanceledException>(() => AssignmentSolver.Solve(costs, new AssignmentOptions { Candidates = 4, Checkpoint = file }, stop.Token));
        var other = new PointCosts(CpuEngine.Shared, a, c, "x");
        Assert.Equal(AssignmentSolver.Solve(other).Certificate, AssignmentSolver.Solve(other, new AssignmentOptions { Checkpoint = file }).Certificate);
        File.WriteAllText(file, "not a checkpoint");
        Assert.Equal(AssignmentSolver.Solve(other).Certificate, AssignmentSolver.Solve(other, new AssignmentOptions { Checkpoint = file }).Certificate);
    }

    [Fact]
    public void Progress_rises_to_the_end()
    {
        using Tensor a = Points(1, 400, 8), b = Points(2, 400, 8);
        var seen = new List<FlowProgress>();
        AssignmentSolver.Solve(new PointCosts(CpuEngine.Shared, a, b, "x"), new AssignmentOptions { Progress = new Told(seen.Add) });
        Assert.Equal(seen.Select(p => p.Done).Order(), seen.Select(p => p.Done));
        Assert.Equal(1, seen[^1].Done, 1e-9);
        Assert.Contains(seen, p => p.Stage.StartsWith("paths", StringComparison.Ordinal));
    }

    [Fact]
    public void Costs_that_are_no_numbers_are_told()
    {
        using Tensor a = Points(1, 40, 8), b = Points(2, 40, 8);
        a.AsSpan<float>()[3] = float.NaN;
        Assert.Equal("FF4062", Assert.Throws<FeatureFlowException>(() => AssignmentSolver.Solve(new PointCosts(CpuEngine.Shared, a, b, "x"))).Code);
    }

    private static Tensor Points(int seed, int rows, int width)
    {
        var random = new Random(seed);
        return Tensor.From([.. Enumerable.Range(0, rows * width).Select(_ => (float)(random.NextDouble() - 0.5))], rows, width);
    }

    private static (ICostSource Costs, double[,] Matrix) Made(string kind, int rows, int columns, int seed)
    {
        var random = new Random(seed);
        var matrix = new double[rows, columns];
        if (kind is "random" or "integers" or "equal")
        {
            for (var i = 0; i < rows; i++)
            {
                for (var j = 0; j < columns; j++) matrix[i, j] = kind == "random" ? random.NextDouble() : kind == "equal" ? 1 : random.Next(4);
            }

            return (new DenseCosts(matrix), matrix);
        }

        const int Width = 5;
        float Size() => kind == "hubs" ? (float)Math.Exp(4 * random.NextDouble()) : 1; // columns that are near to everybody, or to nobody
        float[] Made(int count, int side) => [.. Enumerable.Range(0, count).SelectMany(i =>
        {
            var size = kind == "zeros" && i % 2 == 0 ? 0 : Size();
            var point = kind == "duplicates" ? new Random(i % 5) : random;
            // crowds: most rows are near few of the columns, so that lists hold nothing but contested ones
            var far = kind == "crowds" && (i < count / 4) == (side == 0) ? 3 : 0;
            return Enumerable.Range(0, Width).Select(_ => far + (size * (float)(point.NextDouble() - 0.5))).ToArray();
        })];
        var (a, b) = (Tensor.From(Made(rows, 0), rows, Width), Tensor.From(Made(columns, 1), columns, Width));
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                for (var d = 0; d < Width; d++) matrix[i, j] += Math.Pow((double)a.AsSpan<float>()[i * Width + d] - b.AsSpan<float>()[j * Width + d], 2);
            }
        }

        return (new PointCosts(CpuEngine.Shared, a, b, kind), matrix);
    }

    // the dual bound that prices prove, every pair looked at
    private static double Bound(double[,] matrix, double[] prices)
    {
        var (n, m) = (matrix.GetLength(0), matrix.GetLength(1));
        var turned = n > m;
        if (turned) (n, m) = (m, n);
        double Cost(int i, int j) => turned ? matrix[j, i] : matrix[i, j];
        var smallest = Enumerable.Range(0, n).Sum(i => Enumerable.Range(0, m).Min(j => Cost(i, j) - prices[j]));
        return smallest + prices.Sum() - ((m - n) * prices.Max());
    }

    // Kuhn and Munkres with potentials, all costs at hand, O(n³): written for reading, kept as the oracle
    private static double Textbook(double[,] costs)
    {
        var (n, m) = (costs.GetLength(0), costs.GetLength(1));
        if (n > m)
        {
            var turned = new double[m, n];
            for (var i = 0; i < n; i++)
            {
                for (var j = 0; j < m; j++) turned[j, i] = costs[i, j];
            }

            return Textbook(turned);
        }

        var (u, v, owner, way) = (new double[n + 1], new double[m + 1], new int[m + 1], new int[m + 1]);
        for (var i = 1; i <= n; i++)
        {
            owner[0] = i;
            var j0 = 0;
            var least = Enumerable.Repeat(double.PositiveInfinity, m + 1).ToArray();
            var used = new bool[m + 1];
            do
            {
                used[j0] = true;
                var (delta, j1) = (double.PositiveInfinity, 0);
                for (var j = 1; j <= m; j++)
                {
                    if (used[j]) continue;
                    var reduced = costs[owner[j0] - 1, j - 1] - u[owner[j0]] - v[j];
                    if (reduced < least[j]) (least[j], way[j]) = (reduced, j0);
                    if (least[j] < delta) (delta, j1) = (least[j], j);
                }

                for (var j = 0; j <= m; j++)
                {
                    if (used[j])
                    {
                        u[owner[j]] += delta;
                        v[j] -= delta;
                    }
                    else
                    {
                        least[j] -= delta;
                    }
                }

                j0 = j1;
            }
            while (owner[j0] != 0);

            do
            {
                owner[j0] = owner[way[j0]];
                j0 = way[j0];
            }
            while (j0 != 0);
        }

        return Enumerable.Range(1, m).Where(j => owner[j] > 0).Sum(j => costs[owner[j] - 1, j - 1]);
    }

    private sealed class Told(Action<FlowProgress> to) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value) => to(value);
    }

    // counts what is asked, and says so before it answers
    private sealed class Counting(ICostSource inner) : ICostSource
    {
        private Action _before = () => { };

        public int Calls { get; private set; }

        public long Queries { get; private set; }

        public int Rows => inner.Rows;

        public int Columns => inner.Columns;

        public string Identity => inner.Identity;

        public void Begin(Action before) => (_before, Calls, Queries) = (before, 0, 0);

        public void Nearest(ReadOnlySpan<int> rows, double[] prices, int k, double[] ceiling, int[] columns, double[] reduced, IProgress<double>? progress, CancellationToken cancel)
        {
            Calls++;
            Queries += rows.Length;
            _before();
            inner.Nearest(rows, prices, k, ceiling, columns, reduced, progress, cancel);
            for (var r = 0; r < rows.Length; r++) Assert.True(reduced[(r * k) + k - 1] <= ceiling[r] + 1e-12, "fewer than k columns are under the ceiling");
        }

        public ICostSource Part(ReadOnlySpan<int> rows) => inner.Part(rows);

        public void Row(int row, double[] costs, CancellationToken cancel)
        {
            Calls++;
            Queries++;
            _before();
            inner.Row(row, costs, cancel);
        }

        public double Cost(int row, int column) => inner.Cost(row, column);

        public ICostSource Transpose() => new Counting(inner.Transpose());
    }
}
