using System.CommandLine;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>The options TOKENS, as the commands that take them read them.</summary>
public sealed class TokenSourceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Texts_begin_with_bos()
    {
        Assert.Equal([("text", "<|begin|>once")], Read("--text", "once"));
        Assert.Equal([("text", "once")], Read("--text", "once", "--bos", "never"));
        Assert.Equal([("text", "<|begin|>on")], Read("--text", "once", "--context", "2"));
        File.WriteAllText(_folder.File("a.txt"), "once");
        Assert.Equal([("a.txt", "<|begin|>once")], Read("--file", _folder.File("a.txt")));
    }

    [Fact]
    public void Corpora_are_read_and_drawn_from()
    {
        File.WriteAllText(_folder.File("a.txt"), "one\n---\ntwo\n---\nthree");
        File.WriteAllText(_folder.File("b.jsonl"), "{\"q\":\"x\",\"a\":\"y\"}\n");
        Assert.Equal(
            [("a.txt", "<|begin|>one"), ("a.txt", "<|begin|>two"), ("a.txt", "<|begin|>three")],
            Read("--corpus", _folder.File("a.txt"), "--separator", "\\n---\\n"));
        Assert.Equal([("b.jsonl", "<|begin|>x\ny")], Read("--corpus", _folder.File("b.jsonl"), "--field", "q,a"));
        var drawn = Read("--corpus", _folder.File("a.txt"), "--corpus", _folder.File("a.txt"), "--separator", "---", "--documents", "1", "--seed", "4");
        Assert.Equal(2, drawn.Count); // one of each corpus
        Assert.Equal(drawn, Read("--corpus", _folder.File("a.txt"), "--corpus", _folder.File("a.txt"), "--separator", "---", "--documents", "1", "--seed", "4"));
    }

    [Fact]
    public void Ids_are_taken_as_they_are()
    {
        using var ids = Tensor.Allocate(DType.I64, 2, 3);
        ((ReadOnlySpan<long>)[496, 266, 294, 496, 320, 257]).CopyTo(ids.AsSpan<long>());
        SafetensorsFile.Write(_folder.File("t.safetensors"), null, [("ids", ids)]);
        Assert.Equal([("ids", "<|begin|>once"), ("ids", "<|begin|> upon a")], Read("--ids-file", _folder.File("t.safetensors"), "--tensor", "ids"));
        Assert.All(Documents("--ids-file", _folder.File("t.safetensors"), "--tensor", "ids"), d => Assert.Equal(1, d.Document.FirstPosition));
        Assert.All(Documents("--ids-file", _folder.File("t.safetensors"), "--tensor", "ids", "--bos", "never"), d => Assert.Equal(0, d.Document.FirstPosition));
        Assert.Equal("FF6011", Assert.Throws<FeatureFlowException>(() => Read("--ids-file", _folder.File("t.safetensors"), "--tensor", "other")).Code);
        ids.AsSpan<long>()[3] = -1;
        SafetensorsFile.Write(_folder.File("bad.safetensors"), null, [("ids", ids)]);
        var error = Assert.Throws<FeatureFlowException>(() => Read("--ids-file", _folder.File("bad.safetensors"), "--tensor", "ids"));
        Assert.Equal(("FF6018", "'ids' is -1 in row 1; token ids are int64 [N,T] or [T], each 0 or more."), (error.Code, error.Message));
    }

    [Theory]
    [InlineData("Give one of --ids-file, --text, --file and --corpus.")]
    [InlineData("Give one of --ids-file, --text, --file and --corpus.", "--text", "a", "--file", "b")]
    [InlineData("--ids-file and --tensor go together.", "--ids-file", "a")]
    public void One_source(string says, params string[] args)
    {
        var command = new RootCommand();
        new TokenSource().AddTo(command);
        Assert.Contains(says, command.Parse(args).Errors.Select(e => e.Message));
    }

    private static List<(string Corpus, string Text)> Read(params string[] args)
    {
        var tokenizer = Tokenizer.Load(Repository.Fixture("tokenizers", "words"));
        return [.. Documents(args).Select(d => (d.Corpus, tokenizer.Decode(d.Document.Ids)))];
    }

    private static List<(string Corpus, TokenDocument Document)> Documents(params string[] args)
    {
        var command = new RootCommand();
        foreach (var option in GlobalOptions.All) command.Options.Add(option);
        var source = new TokenSource();
        source.AddTo(command);
        var options = command.Parse(args);
        Assert.Empty(options.Errors);
        using var context = new ToolContext(options, new ToolStreams(TextWriter.Null, TextWriter.Null), args);
        return [.. source.Read(options, () => Tokenizer.Load(Repository.Fixture("tokenizers", "words")), context)];
    }
}
