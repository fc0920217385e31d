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

    private readonly Reached[] _reached = new Reached[state.Columns];
    private readonly List<int> _order = [];
    private readonly PriorityHeap _heap = new();

    // columns no farther than where the search stands: trees grown before are tight, and a heap is at its worst with what comes out at once
    private readonly List<int> _level = [];
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
        _level.Clear();
        _order.Clear();
        (_limit, _free) = ((double.PositiveInfinity, row), double.PositiveInfinity);
        state.Value[row] = near;
        Scan(row, 0);
        for (double distance = 0; ;)
        {
            int j;
            if (_level.Count > 0)
            {
                j = _level[^1];
                _level.RemoveAt(_level.Count - 1);
            }
            else
            {
                if (!_heap.TryPop(out distance, out j)) break;
                if (distance > _reached[j].Distance) continue;
            }

            if (_reached[j].Settled == _stamp) continue;
            if (distance > _limit.Distance) break;
            if (state.RowOf[j] < 0)
            {
                Lower(row, distance);
                Augment(row, j);
                return true;
            }

            _reached[j].Settled = _stamp;
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
        var list = lists.Of(row);
        var price = state.Price;
        var end = start + lists.Line[row] + (TrustedWidths * (lists.Line[row] - list[0].Reduced));
        if (end < _limit.Distance) _limit = (end, row);
        var bound = Math.Min(_limit.Distance, _free);
        foreach (ref readonly var c in list.AsSpan())
        {
            // what follows is no nearer than it was when asked
            if (start + c.Reduced > bound) break;
            var there = start + c.Cost - price[c.Column];
            if (there > bound) continue;
            ref var column = ref _reached[c.Column];
            if (column.Settled == _stamp || (column.Seen == _stamp && there >= column.Distance)) continue;
            (column.Seen, column.Distance, column.From) = (_stamp, there, row);
            if (state.RowOf[c.Column] < 0) bound = _free = there;
            if (there <= distance) _level.Add(c.Column);
            else _heap.Push(there, c.Column);
        }
    }

    // duals move by what every settled column is nearer than the end
    private void Lower(int row, double end)
    {
        foreach (var j in _order)
        {
            var step = end - _reached[j].Distance;
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
            var i = _reached[column].From;
            var before = state.ColumnOf[i];
            state.Match(i, column);
            if (i == row) return;
            column = before;
        }
    }

    // the nearest and the second nearest candidate now
    private (double Near, double Second, int Column, int Other) Two(int row)
    {
        var price = state.Price;
        var (near, second, column, other) = (double.PositiveInfinity, double.PositiveInfinity, -1, -1);
        foreach (ref readonly var c in lists.Of(row).AsSpan())
        {
            if (c.Reduced >= second) break;
            var r = c.Cost - price[c.Column];
            if (r < near) (second, other, near, column) = (near, column, r, c.Column);
            else if (r < second) (second, other) = (r, c.Column);
        }

        return (near, second, column, other);
    }

    // what a search knows of a column; one cache line holds it all
    private struct Reached
    {
        public double Distance;
        public int From;
        public int Seen;
        public int Settled;
    }
}
