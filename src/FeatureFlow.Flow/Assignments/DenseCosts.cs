namespace FeatureFlow.Flow;

/// <summary>Costs that are all known: small problems, and the oracle of tests.</summary>
public sealed class DenseCosts(double[,] matrix) : ICostSource
{
    /// <inheritdoc/>
    public int Rows => matrix.GetLength(0);

    /// <inheritdoc/>
    public int Columns => matrix.GetLength(1);

    /// <inheritdoc/>
    public string Identity => FormattableString.Invariant($"dense {Rows}x{Columns}");

    /// <inheritdoc/>
    public void Nearest(ReadOnlySpan<int> rows, double[] prices, int k, double[] ceiling, int[] columns, double[] reduced, IProgress<double>? progress, CancellationToken cancel)
    {
        var order = new int[Columns];
        var values = new double[Columns];
        for (var r = 0; r < rows.Length; r++)
        {
            cancel.ThrowIfCancellationRequested();
            for (var j = 0; j < order.Length; j++) (order[j], values[j]) = (j, matrix[rows[r], j] - prices[j]);
            Array.Sort(order, (x, y) => values[x] != values[y] ? values[x].CompareTo(values[y]) : x.CompareTo(y));
            for (var e = 0; e < k; e++)
            {
                columns[(r * k) + e] = e < order.Length ? order[e] : -1;
                reduced[(r * k) + e] = e < order.Length ? values[order[e]] : double.PositiveInfinity;
            }
        }
    }

    /// <inheritdoc/>
    public void Row(int row, double[] costs, CancellationToken cancel)
    {
        for (var j = 0; j < Columns; j++) costs[j] = matrix[row, j];
    }

    /// <inheritdoc/>
    public double Cost(int row, int column) => matrix[row, column];

    /// <inheritdoc/>
    public ICostSource Part(ReadOnlySpan<int> rows)
    {
        var part = new double[rows.Length, Columns];
        for (var r = 0; r < rows.Length; r++)
        {
            for (var j = 0; j < Columns; j++) part[r, j] = matrix[rows[r], j];
        }

        return new DenseCosts(part);
    }

    /// <inheritdoc/>
    public ICostSource Transpose()
    {
        var turned = new double[Columns, Rows];
        for (var i = 0; i < Rows; i++)
        {
            for (var j = 0; j < Columns; j++) turned[j, i] = matrix[i, j];
        }

        return new DenseCosts(turned);
    }
}
