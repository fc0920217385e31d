using System.Text;
using System.Text.RegularExpressions;
using FeatureFlow.Models.Tokenizers;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>The hand-written scanners against the regular expressions they stand for.</summary>
public sealed class PatternScannerTests
{
    public static TheoryData<string> Patterns => [PatternScanner.Gpt2Pattern, PatternScanner.Llama3Pattern, PatternScanner.Qwen2Pattern];

    // in the basic plane .NET's own expressions are right, but for the long s, which its folding does not know
    [Theory]
    [MemberData(nameof(Patterns))]
    public void As_the_regular_expression_in_the_basic_plane(string pattern)
    {
        var regex = new Regex(pattern, RegexOptions.CultureInvariant);
        var random = new Random(1);
        for (var n = 0; n < 4000; n++)
        {
            var text = string.Concat(RandomText.Next(random).EnumerateRunes().Where(r => r.IsBmp && r.Value != 'ſ'));
            Assert.Equal(regex.Matches(text).Select(m => m.Value), Cut(pattern, text));
        }
    }

    // a letter is a letter in every plane: the same cuts, counted in code points
    [Theory]
    [MemberData(nameof(Patterns))]
    public void Other_planes_are_cut_alike(string pattern)
    {
        var twins = new Dictionary<int, int> { ['q'] = 0x1D4E6, ['7'] = 0x1D7D7, ['#'] = 0x1F999 };
        var random = new Random(2);
        for (var n = 0; n < 2000; n++)
        {
            var plain = string.Concat(Enumerable.Range(0, random.Next(30)).Select(_ => "q7# \n't\t"[random.Next(8)]));
            var far = string.Concat(plain.Select(c => twins.TryGetValue(c, out var twin) ? char.ConvertFromUtf32(twin) : c.ToString()));
            Assert.Equal(Cut(pattern, plain).Select(p => p.Length), Cut(pattern, far).Select(p => p.EnumerateRunes().Count()));
        }
    }

    [Theory]
    [InlineData("I'll  go\n\n  now  ", "I|'ll| | go|\n\n | now|  ")]
    [InlineData("12345 ½x 'LL 'll", "12345| ½|x| '|LL| '|ll")]
    [InlineData("a\u00A0b \u3000c", "a|\u00A0|b| |\u3000|c")]
    public void Gpt2_by_hand(string text, string cuts) => Assert.Equal(cuts.Split('|'), Cut(PatternScanner.Gpt2Pattern, text));

    [Theory]
    [InlineData("I'LL  go\n\n  now  ", "I|'LL| | go|\n\n| | now|  ")]
    [InlineData("12345 ½x\tx-y!\r\nz", "123|45| |½|x|\tx|-y|!\r\n|z")]
    [InlineData("it'ſx 've'VE", "it|'ſ|x| '|ve|'VE")]
    [InlineData("a \n b", "a| \n| b")]
    public void Llama3_by_hand(string text, string cuts) => Assert.Equal(cuts.Split('|'), Cut(PatternScanner.Llama3Pattern, text));

    [Fact]
    public void Only_known_patterns_have_a_scanner() => Assert.Null(PatternScanner.For(@"\w+"));

    [Fact]
    public void Byte_map_is_one_to_one()
    {
        Assert.Equal("ĠĊa¡ÿ", ByteMap.Write([0x20, 0x0A, 0x61, 0xA1, 0xFF]));
        Assert.Equal(256, Enumerable.Range(0, 256).Select(b => ByteMap.Character((byte)b)).Distinct().Count());
        Assert.All(Enumerable.Range(0, 256), b => Assert.Equal(b, ByteMap.Byte(ByteMap.Character((byte)b))));
        Assert.Equal(Encoding.UTF8.GetBytes("a b"), ByteMap.Read("a b")); // a real space is not in the map
    }

    private static List<string> Cut(string pattern, string text)
    {
        var scanner = PatternScanner.For(pattern)!;
        var pieces = new List<string>();
        for (var at = 0; at < text.Length; at += pieces[^1].Length) pieces.Add(text.Substring(at, scanner.Match(text, at)));
        return pieces;
    }
}
