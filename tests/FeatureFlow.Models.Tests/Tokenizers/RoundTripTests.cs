using System.Text;
using System.Text.Json.Nodes;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>Text comes back as it was, token by token as well as at once, and never half a character.</summary>
public sealed class RoundTripTests
{
    // what a family loses is what its own normalizer changes: composed forms, or the sign for a space
    public static TheoryData<string> Families => ["gpt2", "neox", "llama3", "llama2", "gemma"];

    [Theory]
    [MemberData(nameof(Families))]
    public void Made_up(string family) => RoundTrip(MadeUp.Load(Family(family)), Loss(family), 1500);

    [DataFact]
    public void Published()
    {
        RoundTrip(Tokenizer.Load(Path.Combine(Repository.Data!, "tokenizers", "gpt2")), Loss("gpt2"), 3000, "<|endoftext|>");
        RoundTrip(Tokenizer.Load(Path.Combine(Repository.Data!, "tokenizers", "gpt-neox")), Loss("neox"), 3000);
        RoundTrip(Tokenizer.Load(Path.Combine(Repository.Data!, "stories3m")), Loss("llama2"), 3000);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Streamed_text_is_the_text(string family)
    {
        var tokenizer = MadeUp.Load(Family(family));
        var random = new Random(5);
        for (var n = 0; n < 800; n++)
        {
            var ids = tokenizer.Encode(RandomText.Next(random));
            Assert.Equal(tokenizer.Decode(ids), Streamed(tokenizer, ids));
        }
    }

    // any ids, as a model may put them: bytes that form no character are damaged, and only they
    [Theory]
    [MemberData(nameof(Families))]
    public void Any_ids_stream(string family)
    {
        var tokenizer = MadeUp.Load(Family(family));
        var random = new Random(6);
        for (var n = 0; n < 800; n++)
        {
            var ids = Enumerable.Range(0, random.Next(20)).Select(_ => random.Next(tokenizer.VocabularySize + 3)).ToArray();
            var streamed = Streamed(tokenizer, ids);
            if (family is not ("llama2" or "gemma")) Assert.Equal(tokenizer.Decode(ids), streamed);
            else if (!tokenizer.Decode(ids).Contains('\uFFFD', StringComparison.Ordinal)) Assert.Equal(tokenizer.Decode(ids), streamed);
        }
    }

    [Fact]
    public void Half_a_character_waits()
    {
        foreach (var family in new[] { "gpt2", "llama2" })
        {
            var tokenizer = MadeUp.Load(Family(family));
            var ids = tokenizer.Encode("🦙", special: false).AsSpan();
            ids = ids[^4..];
            var stream = new StreamingDecoder(tokenizer);
            Assert.Equal(["", "", "", "🦙"], ids.ToArray().Select(stream.Push));
            Assert.Equal("", stream.Finish());
            stream = new StreamingDecoder(tokenizer);
            Assert.Equal("", stream.Push(ids[0]));
            Assert.Equal("\uFFFD", stream.Finish());
        }
    }

    [Fact]
    public void A_continuation_keeps_its_first_space()
    {
        var tokenizer = MadeUp.Load(MadeUp.Llama2());
        var ids = tokenizer.Encode("the a", special: false);
        Assert.Equal("the a", Streamed(tokenizer, ids));
        var stream = new StreamingDecoder(tokenizer, continues: true);
        Assert.Equal(" the a", string.Concat(ids.Select(stream.Push)) + stream.Finish());
        var skipping = new StreamingDecoder(tokenizer, skipSpecial: true);
        Assert.Equal("the", string.Concat(tokenizer.Encode("the").Append(2).Select(skipping.Push)));
    }

    private static void RoundTrip(Tokenizer tokenizer, Func<string, string> loss, int count, string? without = null)
    {
        var random = new Random(4);
        for (var n = 0; n < count; n++)
        {
            var text = RandomText.Next(random);
            if (without is not null && text.Contains(without, StringComparison.Ordinal)) continue;
            var ids = tokenizer.Encode(text);
            Assert.Equal(loss(text), tokenizer.Decode(ids, skipSpecial: true));
            Assert.Equal(loss(text), tokenizer.Decode(tokenizer.WithoutTemplate(ids)));
        }
    }

    private static Func<string, string> Loss(string family) => family switch
    {
        "neox" => text => text.Normalize(NormalizationForm.FormC),
        "llama2" or "gemma" => text => text.Replace('▁', ' '),
        _ => text => text,
    };

    private static JsonObject Family(string name) => name switch
    {
        "gpt2" => MadeUp.Gpt2(),
        "neox" => MadeUp.Neox(),
        "llama3" => MadeUp.Llama3(),
        "llama2" => MadeUp.Llama2(),
        _ => MadeUp.Gemma(),
    };

    private static string Streamed(Tokenizer tokenizer, int[] ids)
    {
        var stream = new StreamingDecoder(tokenizer);
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            var part = stream.Push(id);
            Assert.True(part.Length == 0 || (!char.IsHighSurrogate(part[^1]) && !char.IsLowSurrogate(part[0])), "half a character");
            text.Append(part);
        }

        return text.Append(stream.Finish()).ToString();
    }
}
