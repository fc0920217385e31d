using FeatureFlow.Models.Tests.Tokenizers;
using FeatureFlow.Models.Texts;
using FeatureFlow.Models.Tokenizers;

namespace FeatureFlow.Models.Tests.Texts;

/// <summary>Texts as token documents: what stands first, what is cut, which positions are drawn.</summary>
public sealed class TokenDocumentTests
{
    private static readonly Tokenizer Gpt2 = MadeUp.Load(MadeUp.Gpt2());
    private static readonly Tokenizer Llama3 = MadeUp.Load(MadeUp.Llama3());

    [Fact]
    public void Bos_by_rule()
    {
        Assert.Equal((true, 1, "<|endoftext|>a"), Only(Gpt2, BosRule.Auto, "a"));
        Assert.Equal((false, 0, "a"), Only(Gpt2, BosRule.Model, "a"));
        Assert.Equal((false, 0, "a"), Only(Gpt2, BosRule.Never, "a"));
        foreach (var rule in new[] { BosRule.Auto, BosRule.Model })
        {
            Assert.Equal((true, 1, "<|begin_of_text|>a"), Only(Llama3, rule, "a"));
            Assert.Equal((true, 1, "<|begin_of_text|>a"), Only(Llama3, rule, "<|begin_of_text|>a")); // never two
        }
    }

    [Fact]
    public void Long_documents_are_cut_or_split_each_part_with_its_bos()
    {
        var text = new TextDocument("xxxxxxx", "t");
        Assert.Equal(["xxx"], new TokenizeOptions(MaxTokens: 4).Tokenize(text, Llama3).Select(Text));
        Assert.Equal(["xxx", "xxx", "x"], new TokenizeOptions(MaxTokens: 4, Long: LongDocuments.Split).Tokenize(text, Llama3).Select(Text));
        Assert.Equal(["xxx", "xxx"], new TokenizeOptions(MaxTokens: 4, MinTokens: 2, Long: LongDocuments.Split).Tokenize(text, Llama3).Select(Text));
        Assert.Equal(["t", "t+3", "t+6"], new TokenizeOptions(MaxTokens: 4, Long: LongDocuments.Split).Tokenize(text, Llama3).Select(d => d.Source));
        Assert.All(new TokenizeOptions(MaxTokens: 4, Long: LongDocuments.Split).Tokenize(text, Llama3), d => Assert.True(d.StartsWithBos && d.Ids[0] == Llama3.BosId && d.Ids.Length <= 4));
        Assert.Equal(["xxxx", "xxx"], new TokenizeOptions(BosRule.Never, MaxTokens: 4, Long: LongDocuments.Split).Tokenize(text, Llama3).Select(Text));
        Assert.Empty(new TokenizeOptions(MaxTokens: 1).Tokenize(text, Llama3)); // no room beside BOS
        Assert.Empty(new TokenizeOptions().Tokenize(new TextDocument("", "t"), Llama3));

        string Text(TokenDocument d) => Llama3.Decode(d.Ids, skipSpecial: true);
    }

    [Fact]
    public void Positions_are_distinct_never_bos_and_the_same_for_a_seed()
    {
        var with = new TokenDocument([.. Enumerable.Range(0, 20)], true, "");
        var seen = new HashSet<int>();
        for (var index = 0; index < 400; index++)
        {
            var positions = Sampling.Positions(with, 5, 7, index);
            Assert.Equal(5, positions.Distinct().Count());
            Assert.Equal(positions.Order(), positions);
            Assert.All(positions, p => Assert.InRange(p, 1, 19));
            Assert.Equal(positions, Sampling.Positions(with, 5, 7, index));
            seen.UnionWith(positions);
        }

        Assert.Equal(19, seen.Count);
        Assert.NotEqual(Sampling.Positions(with, 5, 7, 0), Sampling.Positions(with, 5, 8, 0));
        Assert.Equal([1, 2], Sampling.Positions(new TokenDocument([0, 1, 2], true, ""), 5, 0, 0));
        Assert.Equal([0, 1, 2], Sampling.Positions(new TokenDocument([0, 1, 2], false, ""), 5, 0, 0));
        Assert.Empty(Sampling.Positions(new TokenDocument([0], true, ""), 5, 0, 0));
    }

    [Fact]
    public void Every_position_and_every_document_is_as_likely_as_another()
    {
        var document = new TokenDocument(new int[11], true, "");
        var positions = new int[11];
        var documents = new int[10];
        for (var seed = 0ul; seed < 4000; seed++)
        {
            foreach (var p in Sampling.Positions(document, 3, seed, 0)) positions[p]++;
            foreach (var d in Sampling.Choose(Enumerable.Range(0, 10), 3, seed)) documents[d]++;
        }

        Assert.Equal(0, positions[0]);
        Assert.All(positions[1..].Concat(documents), n => Assert.InRange(n, 1050, 1350)); // 1200, five deviations of 29
    }

    [Fact]
    public void A_sample_keeps_the_order_and_takes_all_of_a_short_stream()
    {
        var sample = Sampling.Choose(Enumerable.Range(0, 1000), 50, 3);
        Assert.Equal((50, 50), (sample.Count, sample.Distinct().Count()));
        Assert.Equal(sample.Order(), sample);
        Assert.Equal(sample, Sampling.Choose(Enumerable.Range(0, 1000), 50, 3));
        Assert.Equal([0, 1, 2], Sampling.Choose(Enumerable.Range(0, 3), 50, 3));
        Assert.Empty(Sampling.Choose(Enumerable.Range(0, 3), 0, 3));
    }

    private static (bool Bos, int First, string Text) Only(Tokenizer tokenizer, BosRule rule, string text)
    {
        var document = Assert.Single(new TokenizeOptions(rule).Tokenize([new TextDocument(text, "t")], tokenizer));
        return (document.StartsWithBos, document.FirstPosition, tokenizer.Decode(document.Ids));
    }
}
