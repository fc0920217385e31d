namespace FeatureFlow.Flow;

/// <summary>
/// Matches one row after another along shortest augmenting paths (Jonker and Volgenant 1987), seeing candidates only. Beyond a row's line other columns may be nearer: a search
/// passes it on trust, by a few times the width of the row's list, so that contested columns become as dear as they must be at once; who trusted too much is asked again.
/// A search that would go still farther stops: prices are changed as far as it got, and it goes on when the row that stopped it has been asked again.
/// </summary>
internal sealed class PathSearch(AssignmentState state, CandidateLists lists)
{
    // of a row's list: the distance between its nearest and its farthest candidate
    private const double TrustedWidths = 4;

    private readonly double[] _distance = new double[state.Columns];
    private readonly int[] _from = new int[state.Columns];
    private readonly int[] _seen = new int[state.Columns];
    private readonly int[] _settled = new int[state.Columns];
    private readonly List<int> _order = [];
    private readonly PriorityHeap _heap = new();
    private int _stamp;
    private int _idle;
    private (double Distance, int Row) _limit;
    private double _free;

    /// <summary>Rows whose lists stopped a search.</summary>
    public HashSet<int> Stale { get; } = [];

    public long Paths { get; private set; }

    public long Scanned { get; private set; }

    /// <summary>
    /// Rows bid for their nearest column by as much as the second nearest is farther, and displace its owner (augmenting row reduction): cheap, and leaves few rows
    /// to the searches. A row knows its second nearest up to its line only, and never bids beyond.
    /// </summary>
    public void Bid(List<int> rows, CancellationToken cancel)
    {
        var (value, price) = (state.Value, state.Price);
        var budget = 8L * state.Rows;
        for (var sweep = 0; sweep < 2; sweep++)
        {
            var displaced = new List<int>();
            foreach (var first in rows)
            {
                cancel.ThrowIfCancellationRequested();
                for (var i = first; i >= 0;)
                {
                    var (near, second, j, other) = Two(i);
                    var line = lists.Line[i];
                    if (near > line || budget-- < 0)
                    {
                        if (near > line) Stale.Add(i);
                        else displaced.Add(i);
                        break;
                    }

                    if (second > line) (second, other) = (line, -1);
                    if (double.IsPositiveInfinity(second)) second = near; // the only column there is
                    value[i] = second;
                    var owner = state.RowOf[j];
                    if (second > near) state.Fall(j, second - near);
                    else if (owner >= 0 && other >= 0) (j, owner) = (other, state.RowOf[other]);
                    state.Match(i, j);
                    if (owner >= 0)
                    {
                        state.ColumnOf[owner] = -1;
                        if (second > near)
                        {
                            i = owner;
                            continue;
                        }

                        displaced.Add(owner);
                    }

                    break;
                }
            }

            rows = displaced;
        }
    }

    /// <summary>Matches a free row, or gets as far as candidates go and adds to <see cref="Stale"/>.</summary>
    public bool Match(int row)
    {
        var (near, _, _, _) = Two(row);
        if (near > lists.Line[row])
        {
            Stale.Add(row);
            return false;
        }

        Paths++;
        _stamp++;
        _heap.Clear();
        _order.Clear();
        (_limit, _free) = ((double.PositiveInfinity, row), double.PositiveInfinity);
        state.Value[row] = near;
        Scan(row, 0);
        while (_heap.TryPop(out var distance, out var j))
        {
            if (_settled[j] == _stamp || distance > _distance[j]) continue;
            if (distance > _limit.Distance) break;
            if (state.RowOf[j] < 0)
            {
                Lower(row, distance);
                Augment(row, j);
                return true;
            }

            _settled[j] = _stamp;
            _order.Add(j);
            Scan(state.RowOf[j], distance);
        }

        if (double.IsPositiveInfinity(_limit.Distance)) throw FlowErrors.NoCosts(row);
        Lower(row, _limit.Distance);
        Stale.Add(_limit.Row);
        return false;
    }

    private void Scan(int row, double distance)
    {
        if (row >= state.Rows)
        {
            // idle rows are alike, and the first one passed is the nearest
            if (_idle == _stamp) return;
            _idle = _stamp;
        }

        Scanned++;
        var start = distance - state.Value[row];
        int[] columns = lists.Columns(row);
        double[] costs = lists.Costs(row), reduced = lists.Reduced(row), price = state.Price;
        var end = start + lists.Line[row] + (TrustedWidths * (lists.Line[row] - reduced[0]));
        if (end < _limit.Distance) _limit = (end, row);
        var bound = Math.Min(_limit.Distance, _free);
        for (var e = 0; e < columns.Length; e++)
        {
            // what follows is no nearer than it was when asked
            if (start + reduced[e] > bound) break;
            var j = columns[e];
            var there = start + costs[e] - price[j];
            if (there > bound || _settled[j] == _stamp || (_seen[j] == _stamp && there >= _distance[j])) continue;
            (_seen[j], _distance[j], _from[j]) = (_stamp, there, row);
            if (state.RowOf[j] < 0) bound = _free = Math.Min(_free, there);
            _heap.Push(there, j);
        }
    }

    // duals move by what every settled column is nearer than the end
    private void Lower(int row, double end)
    {
        foreach (var j in _order)
        {
            var step = end - _distance[j];
            if (step <= 0) continue;
            state.Fall(j, step);
            state.Value[state.RowOf[j]] += step;
        }

        state.Value[row] += end;
    }

    private void Augment(int row, int column)
    {
        while (true)
        {
            var i = _from[column];
            var before = state.ColumnOf[i];
            state.Match(i, column);
            if (i == row) return;
            column = before;
        }
    }

    // the nearest and the second nearest candidate now
    private (double Near, double Second, int Column, int Other) Two(int row)
    {
        int[] columns = lists.Columns(row);
        double[] costs = lists.Costs(row), reduced = lists.Reduced(row), price = state.Price;
        var (near, second, column, other) = (double.PositiveInfinity, double.PositiveInfinity, -1, -1);
        for (var e = 0; e < columns.Length && reduced[e] < second; e++)
        {
            var r = costs[e] - price[columns[e]];
            if (r < near) (second, other, near, column) = (near, column, r, columns[e]);
            else if (r < second) (second, other) = (r, columns[e]);
        }

        return (near, second, column, other);
    }
}
