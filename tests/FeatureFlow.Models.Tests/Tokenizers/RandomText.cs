using System.Text;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>Texts that try tokenizers: every script, emoji with joiners, marks, runs of white space, apostrophes, and words.</summary>
internal static class RandomText
{
    private static readonly string[] Bits =
    [
        "the", " the", "'s", "'LL", "'re", "'", "123", "4", " ", "  ", "\n", "\r\n", "\t", "\u00A0", "\u3000", "\u2028", "é", "e\u0301", "ﬁ", "日本", "नमस्ते", "👩‍👩‍👧", "🦙", "𝒜𝓫", "𐐷", "½", "Ⅷ", "٣", "▁", "Ġ",
        "<0x41>", ".", "!!", "$", "€", "\u200B", "\uFEFF", "\u001C", "İ", "ß", "한글", "ı", "\0",
    ];

    public static string Next(Random random, int most = 40)
    {
        var text = new StringBuilder();
        for (var n = random.Next(most); n > 0; n--)
        {
            if (random.Next(4) > 0) text.Append(Bits[random.Next(Bits.Length)]);
            else text.Append(AnyRune(random).ToString());
        }

        return text.ToString();
    }

    public static Rune AnyRune(Random random)
    {
        while (true)
        {
            if (Rune.TryCreate(random.Next(random.Next(2) == 0 ? 0x3000 : 0x110000), out var rune)) return rune;
        }
    }
}
