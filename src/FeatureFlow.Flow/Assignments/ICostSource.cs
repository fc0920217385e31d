namespace FeatureFlow.Flow;

/// <summary>The costs of an assignment problem, asked for where they are needed: the matrix of all pairs need not exist.</summary>
public interface ICostSource
{
    /// <summary>Number of rows (sources).</summary>
    int Rows { get; }

    /// <summary>Number of columns (targets).</summary>
    int Columns { get; }

    /// <summary>What the problem is, as a short text: a checkpoint of another problem is not taken up.</summary>
    string Identity { get; }

    /// <summary>
    /// For every row asked about the k columns of smallest cost − price, best first, exact in float64: <paramref name="columns"/> and <paramref name="reduced"/>
    /// are [rows, k]; a row with fewer than k columns ends in column −1 and +∞. <paramref name="ceiling"/>, [rows], are reduced costs that k columns are known not to exceed, +∞ for none.
    /// </summary>
    void Nearest(ReadOnlySpan<int> rows, double[] prices, int k, double[] ceiling, int[] columns, double[] reduced, IProgress<double>? progress, CancellationToken cancel);

    /// <summary>All costs of a row, [Columns], exact in float64.</summary>
    void Row(int row, double[] costs, CancellationToken cancel);

    /// <summary>The cost of one pair, exact in float64.</summary>
    double Cost(int row, int column);

    /// <summary>The problem of some of the rows, and all columns.</summary>
    ICostSource Part(ReadOnlySpan<int> rows);

    /// <summary>The same problem with rows and columns exchanged.</summary>
    ICostSource Transpose();
}
