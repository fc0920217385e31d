using System.Text.RegularExpressions;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>
/// Learns a byte-level byte-pair vocabulary from texts, as GPT-2's was: words are cut out by GPT-2's pattern, their bytes are the first symbols, and the
/// most frequent pair of neighbours becomes a new symbol until the vocabulary is full. Of equally frequent pairs the one of lower ids is taken,
/// so that the same texts give the same file everywhere.
/// </summary>
public sealed partial class BpeTrainer
{
    private readonly Dictionary<string, long> _words = new(StringComparer.Ordinal);

    /// <summary>Counts the words of a text.</summary>
    public void Add(string text)
    {
        foreach (var word in Words().EnumerateMatches(text))
        {
            var slot = text.AsSpan(word.Index, word.Length);
            var lookup = _words.GetAlternateLookup<ReadOnlySpan<char>>();
            lookup[slot] = lookup.TryGetValue(slot, out var n) ? n + 1 : 1;
        }
    }

    /// <summary>Learns the vocabulary: begin and end of text, 256 bytes, then merges.</summary>
    /// <param name="size">Ids in all; fewer when the texts hold no more pairs.</param>
    /// <exception cref="FeatureFlowException">FF2120: too small for the bytes.</exception>
    public TrainedBpe Train(int size)
    {
        var pieces = TrainedBpe.FirstPieces();
        if (size < pieces.Count) throw ModelErrors.VocabularyTooSmall(size, pieces.Count);
        var words = _words.OrderBy(w => w.Key, StringComparer.Ordinal)
            .Select(w => (Symbols: TrainedBpe.Symbols(w.Key), Count: w.Value))
            .ToList();
        var merges = new List<(int Left, int Right)>();
        while (pieces.Count < size && Commonest(words) is { } pair)
        {
            var id = pieces.Count;
            pieces.Add(pieces[pair.Left] + pieces[pair.Right]);
            merges.Add(pair);
            foreach (var (symbols, _) in words) TrainedBpe.Merge(symbols, pair, id);
        }

        return new TrainedBpe(pieces, merges);
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    internal static partial Regex Words();

    private static (int Left, int Right)? Commonest(List<(List<int> Symbols, long Count)> words)
    {
        var counts = new Dictionary<(int Left, int Right), long>();
        foreach (var (symbols, count) in words)
        {
            for (var i = 1; i < symbols.Count; i++)
            {
                var pair = (symbols[i - 1], symbols[i]);
                counts[pair] = counts.GetValueOrDefault(pair) + count;
            }
        }

        return counts.Count == 0 ? null : counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key).First().Key;
    }
}
