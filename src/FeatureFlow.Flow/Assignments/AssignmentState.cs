namespace FeatureFlow.Flow;

/// <summary>Prices, dual values of rows, and who is matched with whom. Matched pairs are tight: cost − price = the row's value.</summary>
internal sealed class AssignmentState(int rows, int columns)
{
    /// <summary>u: the smallest reduced cost of the row, [rows].</summary>
    public double[] Value { get; } = new double[rows];

    /// <summary>v, only ever falling, [columns].</summary>
    public double[] Price { get; } = new double[columns];

    /// <summary>Column of a row, −1 for none.</summary>
    public int[] ColumnOf { get; } = Filled(rows);

    /// <summary>Row of a column, −1 for none.</summary>
    public int[] RowOf { get; } = Filled(columns);

    public int Rows => rows;

    public int Columns => columns;

    public void Match(int row, int column) => (ColumnOf[row], RowOf[column]) = (column, row);

    public List<int> FreeRows()
    {
        var free = new List<int>();
        for (var i = 0; i < rows; i++)
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
