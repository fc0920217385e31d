using System.Runtime.Intrinsics;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// Squared distances between two sets of points, never held: |a − b|² = |a|² + |b|² − 2a·b, so that the nearest columns under prices are the largest inner
/// products with a bias, which the engine finds exactly (<see cref="ITensorEngine.TopKInnerProduct"/>).
/// </summary>
public sealed class PointCosts : ICostSource
{
    private readonly ITensorEngine _engine;
    private readonly Tensor _a_ND;
    private readonly Tensor _b_MD;
    private readonly double[] _squareA;
    private readonly double[] _squareB;
    private readonly string _name;

    /// <summary>Costs of host points.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="a_ND">Row points [N,D], contiguous float32 on the host.</param>
    /// <param name="b_MD">Column points [M,D], likewise.</param>
    /// <param name="name">What the points are: part of <see cref="Identity"/>.</param>
    public PointCosts(ITensorEngine engine, Tensor a_ND, Tensor b_MD, string name)
        : this(engine, a_ND, b_MD, Squares(a_ND), Squares(b_MD), name)
    {
    }

    private PointCosts(ITensorEngine engine, Tensor a_ND, Tensor b_MD, double[] squareA, double[] squareB, string name) =>
        (_engine, _a_ND, _b_MD, _squareA, _squareB, _name) = (engine, a_ND, b_MD, squareA, squareB, name);

    /// <inheritdoc/>
    public int Rows => _a_ND.Shape[0];

    /// <inheritdoc/>
    public int Columns => _b_MD.Shape[0];

    /// <inheritdoc/>
    public string Identity
    {
        get
        {
            // sums of all numbers tell other weights from these
            double a = 0, b = 0;
            for (var i = 0; i < _squareA.Length; i++) a += _squareA[i] * (1 + (i % 97));
            for (var j = 0; j < _squareB.Length; j++) b += _squareB[j] * (1 + (j % 97));
            return FormattableString.Invariant($"{_name} {Rows}x{Columns}x{_a_ND.Shape[1]} {a:R} {b:R}");
        }
    }

    /// <inheritdoc/>
    public void Nearest(ReadOnlySpan<int> rows, double[] prices, int k, double[] ceiling, int[] columns, double[] reduced, IProgress<double>? progress, CancellationToken cancel)
    {
        // c − v = |a|² − 2(a·b + (v − |b|²)/2)
        var bias = new double[Columns];
        for (var j = 0; j < bias.Length; j++) bias[j] = (prices[j] - _squareB[j]) / 2;
        var floor = new double[rows.Length];
        for (var r = 0; r < floor.Length; r++) floor[r] = (_squareA[rows[r]] - ceiling[r]) / 2;
        var consecutive = true;
        for (var r = 1; r < rows.Length && consecutive; r++) consecutive = rows[r] == rows[0] + r;
        using var gathered = consecutive || rows.Length == 0 ? null : _engine.Allocate(DType.F32, rows.Length, _a_ND.Shape[1]);
        if (gathered is not null) _engine.GatherRows(_a_ND, rows, gathered);
        if (rows.Length == 0) return;
        var found = _engine.TopKInnerProduct(gathered ?? _a_ND.Rows(rows[0], rows.Length), _b_MD, k, new TopKOptions { KeyBias = bias, Floor_Q = floor, Progress = progress }, cancel);
        for (var r = 0; r < rows.Length; r++)
        {
            for (var e = r * k; e < (r + 1) * k; e++)
            {
                columns[e] = found.Indices_QK[e];
                reduced[e] = found.Indices_QK[e] < 0 ? double.PositiveInfinity : _squareA[rows[r]] - (2 * found.Scores_QK[e]);
            }
        }
    }

    /// <inheritdoc/>
    public void Row(int row, double[] costs, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        Parallel.For(0, (Columns + 255) / 256, block =>
        {
            for (var j = block * 256; j < Math.Min(Columns, (block + 1) * 256); j++) costs[j] = Cost(row, j);
        });
    }

    /// <inheritdoc/>
    public double Cost(int row, int column) => Distance(Point(_a_ND, row), Point(_b_MD, column));

    /// <inheritdoc/>
    public ICostSource Part(ReadOnlySpan<int> rows)
    {
        var part_ND = Tensor.Allocate(DType.F32, rows.Length, _a_ND.Shape[1]);
        var squares = new double[rows.Length];
        for (var r = 0; r < rows.Length; r++)
        {
            Point(_a_ND, rows[r]).CopyTo(part_ND.Rows(r, 1).AsSpan<float>());
            squares[r] = _squareA[rows[r]];
        }

        return new PointCosts(_engine, part_ND, _b_MD, squares, _squareB, _name + " part");
    }

    /// <inheritdoc/>
    public ICostSource Transpose() => new PointCosts(_engine, _b_MD, _a_ND, _squareB, _squareA, _name + " transposed");

    // always the same eight sums, whatever the machine
    internal static double Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = Vector512<double>.Zero;
        var k = 0;
        for (; k + 8 <= a.Length; k += 8)
        {
            var (x, y) = (Widened(a[k..]), Widened(b[k..]));
            var difference = x - y;
            sum += difference * difference;
        }

        double total = 0;
        for (var lane = 0; lane < 8; lane++) total += sum[lane];
        for (; k < a.Length; k++) total += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
        return total;

        static Vector512<double> Widened(ReadOnlySpan<float> x)
        {
            var floats = Vector256.Create(x);
            var (low, high) = Vector256.Widen(floats);
            return Vector512.Create(low, high);
        }
    }

    private static ReadOnlySpan<float> Point(Tensor x_ND, int row) => x_ND.Rows(row, 1).AsSpan<float>();

    private static double[] Squares(Tensor x_ND)
    {
        var squares = new double[x_ND.Shape[0]];
        var zeros = new float[x_ND.Shape[1]];
        Parallel.For(0, squares.Length, i => squares[i] = Distance(Point(x_ND, i), zeros));
        return squares;
    }
}
