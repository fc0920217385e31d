using System.Buffers;
using System.Text;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>A token that is found in the text as it stands, before anything is cut.</summary>
/// <param name="LeftStrip">Takes the white space before it too.</param>
/// <param name="RightStrip">Takes the white space after it too.</param>
/// <param name="SingleWord">Only where no letter or digit touches it.</param>
/// <param name="Normalized">Looked for after the normalizer, else before.</param>
/// <param name="Special">Left out of decoded text on request.</param>
internal sealed record AddedToken(int Id, string Content, bool LeftStrip, bool RightStrip, bool SingleWord, bool Normalized, bool Special);

/// <summary>Finds added tokens in a text: the leftmost first, the longest among those that start there.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<(int Node, char Next), int> _edges = [];
    private readonly List<AddedToken?> _endsHere = [null];
    private readonly SearchValues<char> _firsts;

    /// <summary>Looks for tokens by the text given with each; of two with the same text the first one counts.</summary>
    public AddedTokenFinder(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        var firsts = new HashSet<char>();
        foreach (var (text, token) in tokens)
        {
            if (text.Length == 0) continue;
            firsts.Add(text[0]);
            var node = 0;
            foreach (var c in text)
            {
                if (!_edges.TryGetValue((node, c), out var to))
                {
                    to = _edges[(node, c)] = _endsHere.Count;
                    _endsHere.Add(null);
                }

                node = to;
            }

            _endsHere[node] ??= token;
        }

        _firsts = SearchValues.Create([.. firsts]);
    }

    /// <summary>The whole text in order: an added token, or (null) a stretch of text between them.</summary>
    public List<(AddedToken? Token, int Start, int End)> Cut(string text)
    {
        var parts = new List<(AddedToken?, int, int)>();
        var done = 0;
        for (var from = 0; Find(text, from, out var start, out var end) is { } token;)
        {
            from = end;
            if (token.SingleWord && (EndsWithWord(text.AsSpan(0, start)) || StartsWithWord(text.AsSpan(end)))) continue;
            if (token.LeftStrip) start = Math.Max(done, text.AsSpan(0, start).TrimEnd().Length);
            if (token.RightStrip) end = text.Length - text.AsSpan(end).TrimStart().Length;
            if (start > done) parts.Add((null, done, start));
            parts.Add((token, start, end));
            done = end;
        }

        if (done < text.Length) parts.Add((null, done, text.Length));
        return parts;
    }

    private AddedToken? Find(string text, int from, out int start, out int end)
    {
        (start, end) = (from, from);
        while (true)
        {
            var skip = text.AsSpan(start).IndexOfAny(_firsts);
            if (skip < 0) return null;
            start += skip;
            AddedToken? found = null;
            var node = 0;
            for (var at = start; at < text.Length && _edges.TryGetValue((node, text[at]), out node); at++)
            {
                if (_endsHere[node] is not { } token) continue;
                found = token;
                end = at + 1;
            }

            if (found is not null) return found;
            start++;
        }
    }

    private static bool EndsWithWord(ReadOnlySpan<char> text) => Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);

    private static bool StartsWithWord(ReadOnlySpan<char> text) => Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && CharacterClasses.IsWord(rune);
}
