namespace FeatureFlow.Flow;

/// <summary>A binary heap of (distance, column), the nearest first, equal distances by lower column: what comes out depends on nothing but what went in.</summary>
internal sealed class PriorityHeap
{
    private (double Distance, int Column)[] _items = new (double, int)[1024];
    private int _count;

    public void Clear() => _count = 0;

    public void Push(double distance, int column)
    {
        if (_count == _items.Length) Array.Resize(ref _items, 2 * _count);
        var at = _count++;
        var items = _items;
        while (at > 0)
        {
            var up = (at - 1) / 2;
            if (!Before(distance, column, items[up])) break;
            items[at] = items[up];
            at = up;
        }

        items[at] = (distance, column);
    }

    public bool TryPop(out double distance, out int column)
    {
        if (_count == 0)
        {
            (distance, column) = (double.PositiveInfinity, -1);
            return false;
        }

        var items = _items;
        (distance, column) = items[0];
        var last = items[--_count];
        var at = 0;
        while (true)
        {
            var down = (2 * at) + 1;
            if (down >= _count) break;
            if (down + 1 < _count && Before(items[down + 1].Distance, items[down + 1].Column, items[down])) down++;
            if (!Before(items[down].Distance, items[down].Column, last)) break;
            items[at] = items[down];
            at = down;
        }

        items[at] = last;
        return true;
    }

    private static bool Before(double distance, int column, in (double Distance, int Column) other) =>
        distance < other.Distance || (distance == other.Distance && column < other.Column);
}
