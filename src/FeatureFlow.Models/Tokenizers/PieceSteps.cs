namespace FeatureFlow.Models.Tokenizers;

/// <summary>One step of cutting text into words: takes a piece and hands the pieces it makes of it to the next step; the model is the last.</summary>
internal abstract class PieceStep
{
    /// <summary>Takes one piece, never empty.</summary>
    /// <param name="first">True for the piece at the very start of the text.</param>
    public abstract void Take(ReadOnlySpan<char> piece, bool first, List<int> ids);
}

/// <summary>Cuts by a pattern that covers every text, each match a piece.</summary>
internal sealed class PatternStep(PatternScanner scanner, PieceStep next) : PieceStep
{
    public override void Take(ReadOnlySpan<char> piece, bool first, List<int> ids)
    {
        for (var at = 0; at < piece.Length;)
        {
            var length = scanner.Match(piece, at);
            next.Take(piece.Slice(at, length), first && at == 0, ids);
            at += length;
        }
    }
}

/// <summary>A space before every piece that does not start with one (ByteLevel's add_prefix_space).</summary>
internal sealed class PrefixSpaceStep(PieceStep next) : PieceStep
{
    public override void Take(ReadOnlySpan<char> piece, bool first, List<int> ids) =>
        next.Take(piece[0] == ' ' ? piece : $" {piece}", first, ids);
}

/// <summary>When Metaspace puts its sign before a piece.</summary>
internal enum PrependScheme
{
    Never,
    First,
    Always,
}

/// <summary>Spaces become a sign, one more stands before the text, and words are cut before it.</summary>
internal sealed class MetaspaceStep(char sign, PrependScheme prepend, bool split, PieceStep next) : PieceStep
{
    public override void Take(ReadOnlySpan<char> piece, bool first, List<int> ids)
    {
        var text = piece.ToString().Replace(' ', sign);
        if (text[0] != sign && (prepend == PrependScheme.Always || (prepend == PrependScheme.First && first))) text = sign + text;
        var start = 0;
        for (var at = 1; split && at < text.Length; at++)
        {
            if (text[at] != sign) continue;
            next.Take(text.AsSpan(start, at - start), first && start == 0, ids);
            start = at;
        }

        next.Take(text.AsSpan(start), first && start == 0, ids);
    }
}

/// <summary>What happens to the places where a Split finds its pattern.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Cuts at every occurrence of a text, or of a character of some kind.</summary>
internal sealed class SplitStep(IDelimiter delimiter, SplitBehavior behavior, bool invert, PieceStep next) : PieceStep
{
    public override void Take(ReadOnlySpan<char> piece, bool first, List<int> ids)
    {
        var cuts = Cuts(piece);
        foreach (var (start, end) in behavior switch
        {
            SplitBehavior.Removed => cuts.Where(c => !c.Match).Select(c => (c.Start, c.End)),
            SplitBehavior.Isolated => cuts.Select(c => (c.Start, c.End)),
            SplitBehavior.Contiguous => Joined(cuts, (a, b) => a.Match == b.Match),
            SplitBehavior.MergedWithPrevious => Joined(cuts, (a, b) => !a.Match && b.Match),
            _ => Joined(cuts, (a, b) => a.Match && !b.Match),
        })
        {
            next.Take(piece[start..end], first && start == 0, ids);
        }
    }

    // the whole piece: what matches, and what is between
    private List<(int Start, int End, bool Match)> Cuts(ReadOnlySpan<char> piece)
    {
        var cuts = new List<(int, int, bool)>();
        var at = 0;
        for (var from = 0; from < piece.Length && delimiter.Find(piece, from, out var length) is >= 0 and var start; from = at)
        {
            if (start > at) cuts.Add((at, start, invert));
            at = start + length;
            cuts.Add((start, at, !invert));
        }

        if (at < piece.Length) cuts.Add((at, piece.Length, invert));
        return cuts;
    }

    private static IEnumerable<(int Start, int End)> Joined(List<(int Start, int End, bool Match)> cuts, Func<(int Start, int End, bool Match), (int Start, int End, bool Match), bool> together)
    {
        for (var i = 0; i < cuts.Count;)
        {
            var last = i;
            while (last + 1 < cuts.Count && together(cuts[last], cuts[last + 1])) last++;
            yield return (cuts[i].Start, cuts[last].End);
            i = last + 1;
        }
    }
}

/// <summary>What a Split looks for.</summary>
internal interface IDelimiter
{
    /// <summary>Where the next occurrence starts, or -1, and its length.</summary>
    int Find(ReadOnlySpan<char> text, int from, out int length);
}

/// <summary>A text.</summary>
internal sealed class TextDelimiter(string what) : IDelimiter
{
    public int Find(ReadOnlySpan<char> text, int from, out int length)
    {
        length = what.Length;
        var at = text[from..].IndexOf(what);
        return at < 0 ? -1 : from + at;
    }
}

/// <summary>One character of some kind.</summary>
internal sealed class CharacterDelimiter(Func<System.Text.Rune, bool> kind) : IDelimiter
{
    public int Find(ReadOnlySpan<char> text, int from, out int length)
    {
        while (from < text.Length)
        {
            System.Text.Rune.DecodeFromUtf16(text[from..], out var rune, out length);
            if (kind(rune)) return from;
            from += length;
        }

        length = 0;
        return -1;
    }
}
