namespace FeatureFlow.Flow;

/// <summary>
/// For every row its nearest columns under prices as they were when it was asked, in rising order of reduced cost, and the line: no other column was nearer than that. Prices
/// only fall, and reduced costs only rise with it, so the line holds for ever: what stays under it is exact although few columns are seen.
/// </summary>
internal sealed class CandidateLists
{
    private const int MostCandidates = 1024;

    // a row is asked this often before it gets more candidates
    private const int SameTimes = 3;

    private readonly NearColumn[][] _lists;

    /// <summary>Empty lists of rows, and what idle rows from <paramref name="rows"/> on share: every column, at no cost, prices beginning at 0.</summary>
    public CandidateLists(int rows, int columns)
    {
        (_lists, Line, Asked) = (new NearColumn[columns][], new double[columns], new int[columns]);
        _lists.AsSpan(0, rows).Fill([]);
        Line.AsSpan(0, rows).Fill(double.NegativeInfinity);
        if (rows == columns) return;
        _lists.AsSpan(rows).Fill([.. Enumerable.Range(0, columns).Select(j => new NearColumn(0, 0, j))]);
        Line.AsSpan(rows).Fill(double.PositiveInfinity);
    }

    /// <summary>Reduced cost under which a row's list is complete; +∞ for a row that lists all columns.</summary>
    public double[] Line { get; }

    /// <summary>How often a row was asked.</summary>
    public int[] Asked { get; }

    public int Count(int row) => _lists[row].Length;

    /// <summary>The row's nearest columns when it was asked, in rising order of reduced cost.</summary>
    public NearColumn[] Of(int row) => _lists[row];

    /// <summary>The smallest reduced cost of the columns listed, as it is now; the row's smallest of all, unless the line is under it.</summary>
    public double Nearest(int row, double[] prices)
    {
        var nearest = double.PositiveInfinity;
        foreach (var c in _lists[row])
        {
            if (c.Reduced >= nearest) break;
            nearest = Math.Min(nearest, c.Cost - prices[c.Column]);
        }

        return nearest;
    }

    /// <summary>Puts back what a checkpoint kept.</summary>
    public void Restore(int row, int asked, NearColumn[] list, double line) => (Asked[row], _lists[row], Line[row]) = (asked, list, line);

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
            var ceiling = Array.ConvertAll(members, i => Ceiling(i, k, prices));
            source.Nearest(members, prices, k, ceiling, columns, reduced, progress is null ? null : new Part(progress, from, share), cancel);
            for (var r = 0; r < members.Length; r++)
            {
                var n = k;
                while (n > 0 && columns[(r * k) + n - 1] < 0) n--;
                Set(members[r], columns.AsSpan(r * k, n), reduced.AsSpan(r * k, n), prices, source.Columns);
            }

            done += members.Length;
        }
    }

    // asked under new prices, as many candidates mostly do; a row that comes again and again gets twice as many every time, and beyond what a search gives, all
    private int NextCount(int row, int first, int all)
    {
        var next = (long)first << Math.Clamp(Asked[row] + 1 - SameTimes, 0, 30);
        return next >= all || next > MostCandidates ? all : (int)next;
    }

    // k columns are no farther now than the k-th of those listed
    private double Ceiling(int row, int k, double[] prices)
    {
        var list = _lists[row];
        if (list.Length < k) return double.PositiveInfinity;
        var now = Array.ConvertAll(list, c => c.Cost - prices[c.Column]);
        Array.Sort(now);
        return now[k - 1];
    }

    private void Set(int row, ReadOnlySpan<int> columns, ReadOnlySpan<double> reduced, double[] prices, int all)
    {
        if (columns.Length == 0) throw FlowErrors.NoCosts(row);
        var list = new NearColumn[columns.Length];
        for (var e = 0; e < list.Length; e++) list[e] = new NearColumn(reduced[e], reduced[e] + prices[columns[e]], columns[e]);
        _lists[row] = list;
        Line[row] = list.Length == all ? double.PositiveInfinity : reduced[^1];
        Asked[row]++;
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
