using System.Globalization;
using System.Text;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>What the patterns of tokenizers tell apart: \p{L}, \p{N}, \s with and without line ends, and the rest.</summary>
internal enum CharacterClass : byte
{
    Other,
    Letter,
    Number,
    Space,
    LineEnd,
}

/// <summary>Classes of characters, a table for the basic plane; text is read by code point, so that no surrogate is ever seen alone.</summary>
internal static class CharacterClasses
{
    private static readonly CharacterClass[] Basic = [.. Enumerable.Range(0, 0x10000).Select(c => Of(CharUnicodeInfo.GetUnicodeCategory((char)c), (char)c))];

    /// <summary>The class of the code point at a place, and how many UTF-16 units it takes.</summary>
    public static CharacterClass At(ReadOnlySpan<char> text, int at, out int length)
    {
        var c = text[at];
        length = 1;
        if (!char.IsHighSurrogate(c) || at + 1 >= text.Length || !char.IsLowSurrogate(text[at + 1])) return Basic[c];
        length = 2;
        return Of(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(c, text[at + 1])), '\0');
    }

    /// <summary>True for \s: Unicode White_Space, line ends too.</summary>
    public static bool IsSpace(CharacterClass c) => c >= CharacterClass.Space;

    /// <summary>The end of the longest run of one class that starts at a place.</summary>
    public static int RunEnd(ReadOnlySpan<char> text, int at, CharacterClass wanted)
    {
        while (at < text.Length && At(text, at, out var length) == wanted) at += length;
        return at;
    }

    /// <summary>The end of the longest run of white space that starts at a place.</summary>
    public static int SpaceEnd(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && IsSpace(Basic[text[at]])) at++;
        return at;
    }

    /// <summary>True for \w: letters, marks, decimal digits, letter numbers, connectors, joiners, and the symbols that count as alphabetic.</summary>
    public static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
        _ => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
    };

    // char.IsWhiteSpace is the White_Space property exactly, which is in the basic plane
    private static CharacterClass Of(UnicodeCategory category, char c) => c switch
    {
        '\r' or '\n' => CharacterClass.LineEnd,
        not '\0' when char.IsWhiteSpace(c) => CharacterClass.Space,
        _ => category switch
        {
            <= UnicodeCategory.OtherLetter => CharacterClass.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
            _ => CharacterClass.Other,
        },
    };
}
