using System.Text.Json.Nodes;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>What is not read is refused by its name, and damage is named.</summary>
public sealed class RefusalTests
{
    [Theory]
    [InlineData("model", """{"type":"WordPiece","vocab":{},"max_input_chars_per_word":100}""", "model.type is 'WordPiece'")]
    [InlineData("model", """{"type":"Unigram","vocab":[["a",0.0]]}""", "model.type is 'Unigram'")]
    [InlineData("model", """{"vocab":[["a",0.0]]}""", "model.type is 'Unigram'")]
    [InlineData("normalizer", """{"type":"Precompiled","precompiled_charsmap":""}""", "normalizer.type is 'Precompiled'")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}]}""", "normalizer.normalizers[1].pattern is the regular expression  {2,}")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Isolated"}""", @"pre_tokenizer.pattern is the regular expression \w+")]
    [InlineData("pre_tokenizer", """{"type":"BertPreTokenizer"}""", "pre_tokenizer.type is 'BertPreTokenizer'")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]}""", "pre_tokenizer.pretokenizers[1].type is 'Digits' after ByteLevel")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"ab"}""", "pre_tokenizer.replacement is 'ab'")]
    [InlineData("post_processor", """{"type":"RobertaProcessing"}""", "post_processor.type is 'RobertaProcessing'")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "decoder.type is 'WordPiece'")]
    public void Unknown_parts_are_named(string key, string value, string says)
    {
        var root = MadeUp.Gpt2();
        root[key] = JsonNode.Parse(value);
        var error = Assert.Throws<FeatureFlowException>(() => MadeUp.Load(root));
        Assert.Equal(("FF2102", FailureKind.Input), (error.Code, error.Kind));
        Assert.StartsWith(says + ", which is not supported and never approximated", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("tokenizer.json", error.File, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dropout", "0.1", "model.dropout is 0.1: random merges")]
    [InlineData("end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix is '</w>'")]
    public void Unknown_flags_are_named(string key, string value, string says)
    {
        var root = MadeUp.Gpt2();
        root["model"]![key] = JsonNode.Parse(value);
        Assert.StartsWith(says, Assert.Throws<FeatureFlowException>(() => MadeUp.Load(root)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("merges", """["a"]""", "merge 0 is \"a\", not a pair.")]
    [InlineData("merges", """["a b"]""", "merge 0 ('a' and 'b') needs 'ab', which the vocabulary does not have.")]
    [InlineData("vocab", """{"a":0,"b":0}""", "two pieces have the id 0; one is 'b'.")]
    [InlineData("vocab", """{"a":-1}""", "the id of 'a' is -1.")]
    [InlineData("vocab", """{"a":1.5}""", "the id of 'a' is 1.5.")]
    [InlineData("unk_token", "\"nothing\"", "model.unk_token 'nothing' is not in the vocabulary.")]
    public void Damage_is_named(string key, string value, string says)
    {
        var root = MadeUp.Gpt2();
        root["model"]![key] = JsonNode.Parse(value);
        var error = Assert.Throws<FeatureFlowException>(() => MadeUp.Load(root));
        Assert.Equal(("FF2103", "Not a valid tokenizer: " + says), (error.Code, error.Message));
    }

    [Fact]
    public void A_folder_without_one_says_what_to_do()
    {
        using var folder = new TempFolder();
        Assert.Equal("FF2101", Code(() => Tokenizer.Load(folder.Path)));
        File.WriteAllText(folder.File("tokenizer.model"), "x");
        Assert.Contains("tokenizer.model alone is not read", Assert.Throws<FeatureFlowException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
        Assert.Equal("FF2001", Code(() => Tokenizer.Load(folder.File("nothing"))));
        File.WriteAllText(folder.File("tokenizer.json"), "{\"model\":{\"vocab\":{\"\\ud800\":0},\"merges\":[]}}");
        Assert.Equal("FF2060", Code(() => Tokenizer.Load(folder.Path)));
        File.WriteAllText(folder.File("tokenizer.json"), "{\"model\":{\"type\":\"\\ud800\"}}");
        Assert.Equal("FF2103", Code(() => Tokenizer.Load(folder.Path)));
        File.WriteAllText(folder.File("tokenizer.json"), "{\"model\":");
        Assert.Equal("FF2060", Code(() => Tokenizer.Load(folder.Path)));
        File.WriteAllText(folder.File("tokenizer.json"), "{}");
        Assert.Equal("FF2061", Code(() => Tokenizer.Load(folder.Path)));
    }

    [Fact]
    public void Pieces_exist_or_not()
    {
        var tokenizer = MadeUp.Load(MadeUp.Gpt2());
        Assert.Equal("FF2106", Code(() => tokenizer.Piece(tokenizer.VocabularySize)));
        Assert.Equal("FF2106", Code(() => tokenizer.Piece(-1)));
        Assert.Equal(256 + 3, tokenizer.IdOf("he")); // the fourth merge
        Assert.Null(tokenizer.IdOf("nothing"));
    }

    private static string Code(Action act) => Assert.Throws<FeatureFlowException>(act).Code;
}
