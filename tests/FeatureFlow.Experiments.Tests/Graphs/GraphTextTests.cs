namespace FeatureFlow.Experiments.Tests.Graphs;

public sealed class GraphTextTests
{
    [Theory]
    [InlineData("  two\n lines\t", "two lines")]
    [InlineData("\u0000\u0007", "")]
    [InlineData("a\u2028b", "a b")]
    public void One_line(string text, string expected) => Assert.Equal(expected, GraphText.OneLine(text));

    [Fact]
    public void A_lone_surrogate_becomes_the_replacement_character() => Assert.Equal("\ufffd x", GraphText.OneLine("\ud83d x")); // an attribute could not carry it

    [Fact]
    public void Cuts_never_split_what_readers_see_as_one_character()
    {
        const string family = "👩‍👩‍👧‍👦";
        for (var width = 0.0; width < 30; width += 0.5)
        {
            var cut = GraphText.Fit("ab" + family + "e\u0301f" + family, width);
            Assert.True(cut.Length == 0 || GraphText.Width(cut) <= Math.Max(width, GraphText.Width("…")), cut);
            var rest = cut.Replace(family, "", StringComparison.Ordinal);
            Assert.DoesNotContain('\ud83d', rest);
            Assert.True(!rest.Contains('e', StringComparison.Ordinal) || rest.Contains("e\u0301", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Wraps_between_words_and_cuts_the_last_line()
    {
        Assert.Equal(["terms related to", "legal documents", "and court decisi…"], GraphText.Wrap("terms related to legal documents and court decisions", 10, 3));
        Assert.Equal(["数字と日本語の", "単語、特に料…"], GraphText.Wrap("数字と日本語の単語、特に料理に関するもの", 7.5, 2));
        Assert.Empty(GraphText.Wrap(" \n ", 10, 3));
        Assert.Empty(GraphText.Wrap("text", 10, 0));
        foreach (var text in TestGraphs.Awkward)
        {
            foreach (var line in GraphText.Wrap(text, 12, 3)) Assert.True(GraphText.Width(line) <= 12.0001, line);
        }
    }

    [Fact]
    public void Xml_escapes_markup_and_drops_what_no_document_may_hold()
    {
        Assert.Equal("&lt;a b=&quot;c&#39;&amp;&gt;\uFFFD\uFFFD\uFFFD\n&#13;", GraphText.Xml("<a b=\"c'&>\u0000\ud83d\ufffe\n\r"));
        var read = System.Xml.Linq.XElement.Parse($"<x>{GraphText.Xml(string.Concat(Enumerable.Range(0, 65536).Select(i => (char)i)))}</x>");
        Assert.NotEmpty(read.Value);
    }
}
