namespace FeatureFlow.Models.Texts;

/// <summary>Seeded choices: which documents, and which of their positions. The same on every machine, and for a position whatever the order of work.</summary>
public static class Sampling
{
    private const ulong DocumentKey = 0xD0C;
    private const ulong PositionKey = 0x9051;

    /// <summary>A uniform sample of a stream, in its order: read once, no more than the sample in memory. All of it when it is shorter.</summary>
    public static IReadOnlyList<T> Choose<T>(IEnumerable<T> items, int count, ulong seed)
    {
        var random = new Prng(seed, DocumentKey);
        var chosen = new List<(long Order, T Item)>();
        var seen = 0L;
        foreach (var item in items)
        {
            if (chosen.Count < count)
            {
                chosen.Add((seen, item));
            }
            else if (count > 0)
            {
                var place = seen < int.MaxValue ? random.Next((int)seen + 1) : (long)(random.NextDouble() * (seen + 1));
                if (place < count) chosen[(int)place] = (seen, item);
            }

            seen++;
        }

        return [.. chosen.OrderBy(c => c.Order).Select(c => c.Item)];
    }

    /// <summary>Distinct positions of a document, ascending, never BOS; all that count when there are no more.</summary>
    /// <param name="index">Number of the document in its corpus: it has its own draw, whatever was drawn before.</param>
    public static int[] Positions(TokenDocument document, int count, ulong seed, int index)
    {
        var (first, all) = (document.FirstPosition, document.Positions);
        if (all <= count) return [.. Enumerable.Range(first, Math.Max(0, all))];
        var random = new Prng(seed, PositionKey, (ulong)index);
        var chosen = new SortedSet<int>();
        for (var last = all - count; last < all; last++) // Floyd: each set of positions is as likely as any other
        {
            var place = random.Next(last + 1);
            if (!chosen.Add(first + place)) chosen.Add(first + last);
        }

        return [.. chosen];
    }
}
