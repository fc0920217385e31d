namespace FeatureFlow.Flow;

/// <summary>
/// For every row its nearest columns under prices as they were when it was asked, in rising order of reduced cost, and the line: no other column was nearer than that. Prices
/// only fall, and reduced costs only rise with it, so the line holds for ever: a search that stays under it is exact although it sees few columns.
/// </summary>
internal sealed class CandidateLists
{
    private const int MostCandidates = 1024;

    private readonly int[][] _columns;
    private readonly double[][] _costs;
    private readonly double[][] _reduced;

    public CandidateLists(int rows)
    {
        (_columns, _costs, _reduced, Line) = (new int[rows][], new double[rows][], new double[rows][], new double[rows]);
        Array.Fill(_columns, []);
        Array.Fill(_costs, []);
        Array.Fill(_reduced, []);
        Array.Fill(Line, double.NegativeInfinity);
    }

    /// <summary>Reduced cost under which a row's list is complete; +∞ for a row that lists all columns.</summary>
    public double[] Line { get; }

    public int[] Columns(int row) => _columns[row];

    public double[] Costs(int row) => _costs[row];

    /// <summary>Reduced costs when the row was asked: lower bounds of what they are now.</summary>
    public double[] Reduced(int row) => _reduced[row];

    public int Count(int row) => _columns[row].Length;

    /// <summary>How many candidates a row gets when it is asked next: twice as many every time; beyond what a search gives, all columns.</summary>
    public int NextCount(int row, int first, int all)
    {
        var next = _columns[row].Length == 0 ? first : 2L * _columns[row].Length;
        return next >= all || next > MostCandidates ? all : (int)next;
    }

    public void Set(int row, int[] columns, double[] reduced, double[] prices, int all)
    {
        if (columns.Length == 0) throw FlowErrors.NoCosts(row);
        var costs = new double[columns.Length];
        for (var e = 0; e < columns.Length; e++) costs[e] = reduced[e] + prices[columns[e]];
        (_columns[row], _reduced[row], _costs[row]) = (columns, reduced, costs);
        Line[row] = columns.Length == all ? double.PositiveInfinity : reduced[^1];
    }

    /// <summary>Puts back what a checkpoint kept.</summary>
    public void Restore(int row, int[] columns, double[] reduced, double[] costs, double line) =>
        (_columns[row], _reduced[row], _costs[row], Line[row]) = (columns, reduced, costs, line);

    /// <summary>Asks for the nearest columns of some rows under the prices.</summary>
    public void Renew(ICostSource source, ReadOnlySpan<int> rows, double[] prices, int first, IProgress<double>? progress, CancellationToken cancel)
    {
        var asked = rows.ToArray();
        var done = 0;
        foreach (var group in asked.GroupBy(i => NextCount(i, first, source.Columns)).OrderBy(g => g.Key).ToList())
        {
            int[] members = [.. group];
            var k = group.Key;
            if (k > MostCandidates)
            {
                // a row that contests with more columns than a search lists: all of them
                foreach (var row in members) Set(row, source, prices, cancel);
                continue;
            }

            var columns = new int[members.Length * k];
            var reduced = new double[members.Length * k];
            var (from, share) = (done / (double)asked.Length, members.Length / (double)asked.Length);
            source.Nearest(members, prices, k, columns, reduced, progress is null ? null : new Part(progress, from, share), cancel);
            for (var r = 0; r < members.Length; r++)
            {
                var n = k;
                while (n > 0 && columns[(r * k) + n - 1] < 0) n--;
                Set(members[r], columns.AsSpan(r * k, n).ToArray(), reduced.AsSpan(r * k, n).ToArray(), prices, source.Columns);
            }

            done += members.Length;
        }
    }

    private void Set(int row, ICostSource source, double[] prices, CancellationToken cancel)
    {
        var all = new double[source.Columns];
        source.Row(row, all, cancel);
        var columns = new int[all.Length];
        for (var j = 0; j < all.Length; j++)
        {
            columns[j] = j;
            all[j] -= prices[j];
        }

        Array.Sort(all, columns);
        Set(row, columns, all, prices, source.Columns);
    }

    private sealed class Part(IProgress<double> whole, double from, double share) : IProgress<double>
    {
        public void Report(double value) => whole.Report(from + (share * value));
    }
}
