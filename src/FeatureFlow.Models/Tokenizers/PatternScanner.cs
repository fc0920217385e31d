using static FeatureFlow.Models.Tokenizers.CharacterClass;
using static FeatureFlow.Models.Tokenizers.CharacterClasses;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>
/// The published patterns that cut text into words, scanned by hand: they cover every text, so one match follows the other. .NET's own
/// regular expressions read UTF-16 and would take letters beyond the basic plane for punctuation.
/// </summary>
internal abstract class PatternScanner
{
    /// <summary>GPT-2 and GPT-NeoX: contractions, letters, numbers and the rest with one space before them, white space.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3: contractions in any case, letters with any one sign before them, up to three digits, line ends apart.</summary>
    public const string Llama3Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Qwen 2: as Llama 3 with single digits.</summary>
    public const string Qwen2Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The scanner of a known pattern, or null.</summary>
    public static PatternScanner? For(string pattern) => pattern switch
    {
        Gpt2Pattern => new Gpt2Scanner(),
        Llama3Pattern => new Llama3Scanner(3),
        Qwen2Pattern => new Llama3Scanner(1),
        _ => null,
    };

    /// <summary>Length of the match that starts at a place, at least one code point.</summary>
    public abstract int Match(ReadOnlySpan<char> text, int at);

    /// <summary>'s 't 're 've 'm 'll 'd after an apostrophe: the length, or 0.</summary>
    protected static int Contraction(ReadOnlySpan<char> text, int at, bool anyCase)
    {
        if (text[at] != '\'' || at + 1 >= text.Length) return 0;
        var first = Fold(text[at + 1], anyCase);
        if (first is 's' or 't' or 'm' or 'd') return 2;
        if (at + 2 >= text.Length) return 0;
        return (first, Fold(text[at + 2], anyCase)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    // \s+(?!\S)|\s+ : all of the white space at the end of the text, all but the last sign of it before a word
    protected static int Spaces(ReadOnlySpan<char> text, int at)
    {
        var end = SpaceEnd(text, at);
        return end == text.Length || end - at == 1 ? end - at : end - at - 1;
    }

    // the long s folds to s
    private static char Fold(char c, bool anyCase) => !anyCase ? c : c == 'ſ' ? 's' : c is >= 'A' and <= 'Z' ? (char)(c | 0x20) : c;

    private sealed class Gpt2Scanner : PatternScanner
    {
        public override int Match(ReadOnlySpan<char> text, int at)
        {
            var contraction = Contraction(text, at, anyCase: false);
            if (contraction > 0) return contraction;
            var start = text[at] == ' ' && at + 1 < text.Length ? at + 1 : at;
            var kind = At(text, start, out _);
            return IsSpace(kind) ? Spaces(text, at) : RunEnd(text, start, kind) - at;
        }
    }

    private sealed class Llama3Scanner(int digits) : PatternScanner
    {
        public override int Match(ReadOnlySpan<char> text, int at)
        {
            var contraction = Contraction(text, at, anyCase: true);
            if (contraction > 0) return contraction;
            var kind = At(text, at, out var length);
            if (kind == Number) return Digits(text, at);
            if (kind == Letter) return RunEnd(text, at, Letter) - at;
            var next = at + length;
            if (kind != LineEnd && next < text.Length && At(text, next, out _) == Letter) return RunEnd(text, next, Letter) - at;
            var signs = text[at] == ' ' && next < text.Length ? next : at;
            var end = RunEnd(text, signs, Other);
            if (end > signs) return RunEnd(text, end, LineEnd) - at;

            // \s*[\r\n]+ ends with the last line end of the white space
            var lineEnd = text[at..SpaceEnd(text, at)].LastIndexOfAny('\r', '\n');
            return lineEnd >= 0 ? lineEnd + 1 : Spaces(text, at);
        }

        private int Digits(ReadOnlySpan<char> text, int at)
        {
            var end = at;
            for (var n = 0; n < digits && end < text.Length && At(text, end, out var length) == Number; n++) end += length;
            return end - at;
        }
    }
}
