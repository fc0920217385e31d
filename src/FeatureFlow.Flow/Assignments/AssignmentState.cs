namespace FeatureFlow.Flow;

/// <summary>
/// Prices, dual values of rows, and who is matched with whom. Matched pairs are tight: cost − price = the row's value. The problem is made square: columns too many are
/// matched with idle rows, which cost nothing with any column and are numbered from <paramref name="rows"/> on.
/// </summary>
internal sealed class AssignmentState(int rows, int columns)
{
    /// <summary>u: the smallest reduced cost of the row, [columns]: rows and idle rows.</summary>
    public double[] Value { get; } = new double[columns];

    /// <summary>v, [columns]; once rows have been asked, only <see cref="Fall"/> changes it.</summary>
    public double[] Price { get; } = new double[columns];

    /// <summary>Column of a row, −1 for none.</summary>
    public int[] ColumnOf { get; } = Filled(columns);

    /// <summary>Row of a column, −1 for none.</summary>
    public int[] RowOf { get; } = Filled(columns);

    /// <summary>Rows that have costs; idle rows follow.</summary>
    public int Rows => rows;

    public int Columns => columns;

    /// <summary>Lowers a price: what was known of rows under the higher one stays a bound.</summary>
    public void Fall(int column, double by)
    {
        if (!(by >= 0)) throw FlowErrors.NoCosts(RowOf[column]);
        Price[column] -= by;
    }

    public void Match(int row, int column) => (ColumnOf[row], RowOf[column]) = (column, row);

    /// <summary>Leaves a row without its column, and the column without its row.</summary>
    public void Part(int row)
    {
        RowOf[ColumnOf[row]] = -1;
        ColumnOf[row] = -1;
    }

    /// <summary>Rows without a column, idle ones last.</summary>
    public List<int> FreeRows()
    {
        var free = new List<int>();
        for (var i = 0; i < ColumnOf.Length; i++)
        {
            if (ColumnOf[i] < 0) free.Add(i);
        }

        return free;
    }

    private static int[] Filled(int count)
    {
        var array = new int[count];
        Array.Fill(array, -1);
        return array;
    }
}
