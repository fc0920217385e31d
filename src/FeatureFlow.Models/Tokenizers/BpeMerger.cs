namespace FeatureFlow.Models.Tokenizers;

/// <summary>
/// Merges symbols by rank, lowest first, leftmost first among equals: short words by looking again after every merge, long ones with a heap, in
/// n log n.
/// </summary>
internal static class BpeMerger
{
    private const int Short = 48;

    /// <summary>Merges in place; returns how many symbols are left.</summary>
    public static int Merge(Span<int> symbols, MergeTable merges) => symbols.Length <= Short ? MergeShort(symbols, merges) : MergeLong(symbols, merges);

    private static int MergeShort(Span<int> symbols, MergeTable merges)
    {
        Span<int> ranks = stackalloc int[Short]; // of the pair that starts here
        var count = symbols.Length;
        for (var i = 0; i + 1 < count; i++) ranks[i] = merges.Rank(symbols[i], symbols[i + 1]);
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best]) best = i;
            }

            if (ranks[best] == MergeTable.None) break;
            symbols[best] = merges.Made(ranks[best]);
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            if (best + 2 < count) ranks[(best + 2)..count].CopyTo(ranks[(best + 1)..]);
            count--;
            if (best > 0) ranks[best - 1] = merges.Rank(symbols[best - 1], symbols[best]);
            if (best + 1 < count) ranks[best] = merges.Rank(symbols[best], symbols[best + 1]);
        }

        return count;
    }

    private static int MergeLong(Span<int> symbols, MergeTable merges)
    {
        var count = symbols.Length;
        var next = new int[count];
        var previous = new int[count];
        var ranks = new int[count]; // of the pair that starts here; an entry of the heap that says otherwise is stale
        var heap = new PairHeap(count);
        for (var i = 0; i < count; i++)
        {
            next[i] = i + 1 < count ? i + 1 : -1;
            previous[i] = i - 1;
            ranks[i] = i + 1 < count ? merges.Rank(symbols[i], symbols[i + 1]) : MergeTable.None;
            if (ranks[i] != MergeTable.None) heap.Push(ranks[i], i);
        }

        while (heap.TryPop(out var rank, out var at))
        {
            if (ranks[at] != rank) continue;
            symbols[at] = merges.Made(rank);
            var gone = next[at];
            ranks[gone] = MergeTable.None;
            next[at] = next[gone];
            if (next[at] >= 0) previous[next[at]] = at;
            Renew(at, symbols);
            if (previous[at] >= 0) Renew(previous[at], symbols);
        }

        var left = 0;
        for (var i = 0; i >= 0; i = next[i]) symbols[left++] = symbols[i];
        return left;

        void Renew(int at, Span<int> symbols)
        {
            ranks[at] = next[at] < 0 ? MergeTable.None : merges.Rank(symbols[at], symbols[next[at]]);
            if (ranks[at] != MergeTable.None) heap.Push(ranks[at], at);
        }
    }

    /// <summary>A binary heap of (rank, position) in one number each, least first.</summary>
    private sealed class PairHeap(int capacity)
    {
        private ulong[] _items = new ulong[Math.Max(16, capacity)];
        private int _count;

        public void Push(int rank, int at)
        {
            if (_count == _items.Length) Array.Resize(ref _items, _count * 2);
            var item = ((ulong)(uint)rank << 32) | (uint)at;
            var place = _count++;
            while (place > 0 && _items[(place - 1) / 2] > item)
            {
                _items[place] = _items[(place - 1) / 2];
                place = (place - 1) / 2;
            }

            _items[place] = item;
        }

        public bool TryPop(out int rank, out int at)
        {
            rank = at = 0;
            if (_count == 0) return false;
            (rank, at) = ((int)(_items[0] >> 32), (int)(uint)_items[0]);
            var item = _items[--_count];
            var place = 0;
            while (true)
            {
                var child = place * 2 + 1;
                if (child >= _count) break;
                if (child + 1 < _count && _items[child + 1] < _items[child]) child++;
                if (_items[child] >= item) break;
                _items[place] = _items[child];
                place = child;
            }

            _items[place] = item;
            return true;
        }
    }
}
