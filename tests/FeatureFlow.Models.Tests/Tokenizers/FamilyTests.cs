using System.Text;
using System.Text.Json.Nodes;
using FeatureFlow.Models.Tokenizers;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>Every family on a vocabulary small enough to merge by hand.</summary>
public sealed class FamilyTests
{
    [Fact]
    public void Gpt2()
    {
        var tokenizer = MadeUp.Load(MadeUp.Gpt2());
        Assert.Equal(["the", " the", " a", "'s", "123", "4"], Pieces(tokenizer, "the the a's1234", special: false));
        Assert.Equal(["é", "<|endoftext|>", "x"], Pieces(tokenizer, "é<|endoftext|>x"));
        Assert.Equal(["<0xE6>", "<0x97>", "<0xA5>"], Pieces(tokenizer, "日"));
        Assert.Equal("<|endoftext|>", tokenizer.Piece(tokenizer.BosId!.Value));
        Assert.Equal(tokenizer.BosId, tokenizer.EosId);
        Assert.False(tokenizer.AddsBos);
        Assert.Empty(tokenizer.Encode(""));
        Assert.Equal("ax", tokenizer.Decode([.. tokenizer.Encode("a<|endoftext|>x"), 99999], skipSpecial: true));
    }

    [Fact]
    public void Neox_normalizes_and_finds_runs_of_spaces_afterwards()
    {
        var tokenizer = MadeUp.Load(MadeUp.Neox());
        Assert.Equal((0, 0), (tokenizer.BosId, tokenizer.EosId)); // id 0 is a token
        Assert.Equal(tokenizer.Encode("é"), tokenizer.Encode("e\u0301"));
        Assert.Equal(["a", "   ", "x"], Pieces(tokenizer, "a   x"));
        Assert.Equal(["      ", "  "], Pieces(tokenizer, "        ")); // 8 = 6 + 2, longest first
        Assert.Equal("a  ", tokenizer.Decode(tokenizer.Encode("a  "), skipSpecial: true)); // added, but not special
    }

    [Fact]
    public void Llama3_takes_words_whole_and_begins_with_bos()
    {
        var tokenizer = MadeUp.Load(MadeUp.Llama3());
        Assert.Equal(["<|begin_of_text|>", "a", " whole", "!"], Pieces(tokenizer, "a whole!"));
        Assert.True(tokenizer.AddsBos);
        Assert.Equal([tokenizer.BosId!.Value], tokenizer.Encode(""));
        Assert.Empty(tokenizer.Encode("", special: false));
        Assert.Equal(tokenizer.Encode("a"), tokenizer.Encode("<|begin_of_text|>a")); // never two
        Assert.Equal("a", tokenizer.Decode(tokenizer.Encode("a"), skipSpecial: true));
        Assert.Equal(["<|begin_of_text|>", "123", "4", "<|eot_id|>", "the"], Pieces(tokenizer, "1234<|eot_id|>the"));
    }

    [Fact]
    public void Llama2_puts_a_sign_before_the_text_and_falls_back_to_bytes()
    {
        var tokenizer = MadeUp.Load(MadeUp.Llama2());
        Assert.Equal(["<s>", " the", " a", "ll"], Pieces(tokenizer, "the all"));
        Assert.Equal(["<s>", " ", " a", "  "], Pieces(tokenizer, " a  "));
        Assert.Equal(["<s>", " ", "\n", "<0xF0>", "<0x9F>", "<0xA6>", "<0x99>"], Pieces(tokenizer, "\n🦙"));
        Assert.Equal("the  all\n🦙", tokenizer.Decode(tokenizer.Encode("the  all\n🦙"), skipSpecial: true));
        Assert.Equal("<s> the", tokenizer.Decode(tokenizer.Encode("the")));
        Assert.Equal("a</s> a", tokenizer.Decode(tokenizer.Encode("a</s>a"), skipSpecial: false)[4..]); // as in the reference: each stretch gets its sign
        Assert.Equal((1, 2), (tokenizer.BosId, tokenizer.EosId));
    }

    [Fact]
    public void Strip_counts_over_the_whole_text()
    {
        var root = MadeUp.Llama2();
        root["decoder"]!["decoders"]![3]!["start"] = 3;
        var tokenizer = MadeUp.Load(root);
        int space = tokenizer.IdOf("▁")!.Value, two = tokenizer.IdOf("▁▁")!.Value, a = tokenizer.IdOf("▁a")!.Value;
        Assert.Equal("a a", tokenizer.Decode([space, space, a, a]));
        Assert.Equal(" a", tokenizer.Decode([two, two, IdOf("a")]));
        Assert.Equal("a  ", tokenizer.Decode([IdOf("a"), two]));

        int IdOf(string piece) => tokenizer.IdOf(piece)!.Value;
    }

    [Fact]
    public void Llama2_unknown_symbols_fuse()
    {
        var root = MadeUp.Llama2();
        root["model"]!["byte_fallback"] = false;
        Assert.Equal([" ", "<unk>", "a", "<unk>"], Pieces(MadeUp.Load(root), "日本a日", special: false));
        root["model"]!["fuse_unk"] = false;
        Assert.Equal([" ", "<unk>", "<unk>", "a", "<unk>"], Pieces(MadeUp.Load(root), "日本a日", special: false));
        root["model"]!["unk_token"] = null;
        Assert.Equal([" a"], Pieces(MadeUp.Load(root), "日本a日", special: false)); // dropped without a word, as in the reference
    }

    [Theory]
    [InlineData("first", "the</s>the", " the|</s>|the")]
    [InlineData("always", "the</s>the", " the|</s>| the")]
    [InlineData("never", "the</s>the", "the|</s>|the")]
    public void Metaspace(string scheme, string text, string pieces)
    {
        foreach (var split in new[] { false, true })
        {
            var tokenizer = MadeUp.Load(MadeUp.Metaspace(scheme, split));
            Assert.Equal(pieces.Split('|'), Pieces(tokenizer, text, special: false));
            Assert.Equal(["<s>", scheme == "never" ? "a" : " a", " a"], Pieces(tokenizer, "a a"));
        }
    }

    [Fact]
    public void Gemma_finds_its_own_symbols_in_the_raw_text()
    {
        var tokenizer = MadeUp.Load(MadeUp.Gemma());
        Assert.Equal(["<bos>", " the", "\n\n", "\n", "<h1>", " a"], Pieces(tokenizer, " the\n\n\n<h1> a"));
        Assert.Equal(["<bos>", "    ", "!"], Pieces(tokenizer, "    !")); // spaces merge; the symbol of two is matched only where a person types it
        Assert.Equal(["<bos>", "  ", " ", " a"], Pieces(tokenizer, "▁▁  a"));
        Assert.Equal(" the  a\t", tokenizer.Decode(tokenizer.Encode(" the  a\t"), skipSpecial: true)); // no sign is added, none is taken
        Assert.Equal((2, 1), (tokenizer.BosId, tokenizer.EosId));
    }

    [Fact]
    public void Added_tokens_keep_their_rules()
    {
        var root = MadeUp.Gpt2();
        var token = root["added_tokens"]![0]!;
        (token["lstrip"], token["rstrip"], token["single_word"], token["content"]) = (true, true, true, "mark");
        var tokenizer = MadeUp.Load(root);
        Assert.Equal(["a", "mark", "a"], Pieces(tokenizer, "a \n mark  a"));
        Assert.Equal(5, tokenizer.Encode("marks").Length); // part of a word
        Assert.Equal(["mark", "mark"], Pieces(tokenizer, "mark mark"));
        Assert.Equal(["(", "mark", ")"], Pieces(tokenizer, "(mark)"));
    }

    [Fact]
    public void The_configuration_beside_it_names_begin_and_end()
    {
        var tokenizer = MadeUp.Load(MadeUp.Gpt2(), """{"bos_token":{"content":"!"},"eos_token":"#","add_bos_token":true,"add_eos_token":true}""");
        Assert.Equal(["!", "a", "#"], Pieces(tokenizer, "a"));
        Assert.Equal(["a"], Pieces(tokenizer, "a", special: false));
        tokenizer = MadeUp.Load(MadeUp.Llama2(), """{"bos_token":"<s>","add_bos_token":false}""");
        Assert.Equal([" a"], Pieces(tokenizer, "a"));
        Assert.Equal("FF2104", Assert.Throws<FeatureFlowException>(() => MadeUp.Load(MadeUp.Gpt2(), """{"bos_token":"<nothing>"}""")).Code);
    }

    [Fact]
    public void Merges_are_read_in_both_forms()
    {
        var root = MadeUp.Gpt2();
        var pairs = root["model"]!["merges"]!.AsArray().Select(m => (JsonNode)new JsonArray([.. m!.GetValue<string>().Split(' ').Select(p => (JsonNode)p!)]));
        var other = MadeUp.Gpt2();
        other["model"]!["merges"] = new JsonArray([.. pairs]);
        Assert.Equal(MadeUp.Load(root).Encode("the hell 123"), MadeUp.Load(other).Encode("the hell 123"));
    }

    [Fact]
    public void Digits_and_splits()
    {
        var root = MadeUp.Gpt2();
        root["pre_tokenizer"] = JsonNode.Parse("""{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false}]}""");
        Assert.Equal(["1", "2", "3"], Pieces(MadeUp.Load(root), "123"));
        root["pre_tokenizer"] = JsonNode.Parse("""{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"h"},"behavior":"MergedWithNext"},{"type":"ByteLevel","use_regex":false,"add_prefix_space":true}]}""");
        Assert.Equal([" ", "t", " ", "he"], Pieces(MadeUp.Load(root), "the"));
    }

    [Fact]
    public void Lone_surrogates_count_as_replacement_characters()
    {
        var tokenizer = MadeUp.Load(MadeUp.Gpt2());
        Assert.Equal(tokenizer.Encode("a\uFFFDb"), tokenizer.Encode("a\uD800b"));
        Assert.Equal("a\uFFFD", tokenizer.Decode(tokenizer.Encode("a\uDC00")));
    }

    [Fact]
    public void Safe_from_several_threads()
    {
        var tokenizer = MadeUp.Load(MadeUp.Llama3());
        var texts = Enumerable.Range(0, 400).Select(i => RandomText.Next(new Random(i % 50))).ToArray();
        var alone = texts.Select(t => tokenizer.Encode(t)).ToArray();
        var shared = MadeUp.Load(MadeUp.Llama3());
        var together = new int[texts.Length][];
        Parallel.For(0, texts.Length, i => together[i] = shared.Encode(texts[i]));
        Assert.Equal(alone, together);
    }

    private static IEnumerable<string> Pieces(Tokenizer tokenizer, string text, bool special = true) => tokenizer.Encode(text, special).Select(tokenizer.Piece);
}
