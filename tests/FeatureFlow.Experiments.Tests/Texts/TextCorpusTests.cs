using System.IO.Compression;
using System.Text;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Models.Texts;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Texts;

/// <summary>Reading texts of every form, by path and by name.</summary>
public sealed class TextCorpusTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_text_file_is_one_document_or_divided()
    {
        var path = Write("a.txt", " one\n<|endoftext|>\n\ntwo \n<|endoftext|>\n<|endoftext|>three");
        Assert.Equal(File.ReadAllText(path), Assert.Single(new TextCorpus("a", path).Read()).Text);
        Assert.Equal([("one", "a.txt#0"), ("two", "a.txt#1"), ("three", "a.txt#2")], new TextCorpus("a", path, Separator: "<|endoftext|>").Read().Select(d => (d.Text, d.Source)));
        Assert.Equal(["three"], new TextCorpus("a", path, Separator: "<|endoftext|>", MinCharacters: 4).Read().Select(d => d.Text));
    }

    // documents longer and shorter than the buffer of 65,536, separators across its ends
    [Fact]
    public void Division_does_not_depend_on_buffers()
    {
        var random = new Random(8);
        var documents = Enumerable.Range(0, 60).Select(i => $"{i}:" + new string((char)('a' + i % 26), random.Next(i % 10 == 0 ? 200_000 : 9000))).ToList();
        var path = Write("big.txt", string.Join("\n<|end|>\n", documents));
        Assert.Equal(documents, new TextCorpus("b", path, Separator: "<|end|>").Read().Select(d => d.Text));
        foreach (var cut in new[] { 65530, 65533, 65535, 65536, 65537 })
        {
            path = Write("edge.txt", new string('x', cut) + "<|end|>y");
            Assert.Equal([cut, 1], new TextCorpus("b", path, Separator: "<|end|>").Read().Select(d => d.Text.Length));
        }
    }

    [Theory]
    [InlineData("""{"text":"a","content":"b"}""", null, "a")]
    [InlineData("""{"content":"b","id":1}""", null, "b")]
    [InlineData("""{"task_id":"x","prompt":"def f():\n","canonical_solution":"    return 1\n"}""", null, "def f():\n    return 1")]
    [InlineData("""{"question":"q","answer":"a"}""", null, "q")]
    [InlineData("""{"question":"q","answer":"a"}""", "question,answer", "q\na")]
    [InlineData("""{"meta":{"title":"t"},"text":"a"}""", "meta.title", "t")]
    [InlineData("""{"meta.title":"flat"}""", "meta.title", "flat")]
    [InlineData("\"bare\"", null, "bare")]
    public void Rows_of_json(string row, string? field, string text)
    {
        Assert.Equal([text, text], new TextCorpus("j", Write("a.jsonl", row + "\n\n" + row + "\n"), field).Read().Select(d => d.Text));
        Assert.Equal([text], new TextCorpus("j", Write("a.json", $"[{row}]"), field).Read().Select(d => d.Text));
        using (var packed = new GZipStream(File.Create(_folder.File("a.jsonl.gz")), CompressionMode.Compress)) packed.Write(Encoding.UTF8.GetBytes(row));
        var document = Assert.Single(new TextCorpus("j", _folder.File("a.jsonl.gz"), field).Read());
        Assert.Equal((text, "a.jsonl.gz:1"), (document.Text, document.Source));
    }

    [Fact]
    public void Rows_of_csv()
    {
        var path = Write("a.csv", "id,text\n1,\"one, with\nlines\"\n2,\n3,three\n");
        Assert.Equal([("one, with\nlines", "a.csv:2"), ("three", "a.csv:5")], new TextCorpus("c", path).Read().Select(d => (d.Text, d.Source)));
        Assert.Equal(["1", "2", "3"], new TextCorpus("c", path, Field: "id").Read().Select(d => d.Text));
        Assert.Equal(["b"], new TextCorpus("c", Write("a.tsv", "x\ttext\na\tb\n")).Read().Select(d => d.Text));
    }

    [Fact]
    public void Folders_and_patterns_in_order()
    {
        foreach (var name in new[] { "src/b.cs", "src/a/x.cs", "src/a/y.py", "src/bin/z.cs", "src/.hidden/h.cs", "src/picture.png" }) Write(name, name);
        File.WriteAllBytes(_folder.File("src", "c.cs"), [0xFF, 0x00, 0xE9]);
        var notes = new List<string>();
        Assert.Equal(["a/x.cs", "a/y.py", "b.cs"], new TextCorpus("f", _folder.File("src")).Read(notes.Add).Select(d => d.Source));
        Assert.Equal(["c.cs is not UTF-8 text and is left out."], notes);
        Assert.Equal(["a/x.cs", "b.cs", "bin/z.cs"], new TextCorpus("f", _folder.File("src") + "/**/*.cs").Read().Select(d => d.Source));
        Assert.Equal(["b.cs"], new TextCorpus("f", _folder.File("src") + "/?.cs").Read().Select(d => d.Source));
        Assert.Equal("FF5101", Code(() => new TextCorpus("f", _folder.File("src") + "/*.java").Read().Last()));
    }

    [Fact]
    public void Documents_are_streamed()
    {
        var path = Write("a.jsonl", "{\"text\":\"a\"}\nnot json\n");
        Assert.Equal("a", new TextCorpus("s", path).Read().First().Text);
        var error = Assert.Throws<FeatureFlowException>(() => new TextCorpus("s", path).Read().Skip(1).First());
        Assert.Equal(("FF5103", 2), (error.Code, error.Line));
    }

    [Theory]
    [InlineData("a.jsonl", "{\"id\":1}\n", null, "FF5104")]
    [InlineData("a.jsonl", "{\"text\":\"a\"}\n{\"id\":1}\n", null, "FF5104")]
    [InlineData("a.jsonl", "{\"text\":\"a\"}\n", "body", "FF5104")]
    [InlineData("a.jsonl", "[1]\n", null, "FF5103")]
    [InlineData("a.jsonl", "{\"text\":null}\n", null, "FF5105")]
    [InlineData("a.json", "{\"text\":\"a\"}", null, "FF5103")]
    [InlineData("a.csv", "id\n1\n", null, "FF5104")]
    [InlineData("a.parquet", "PAR1", null, "FF5106")]
    [InlineData("a.txt.zst", "x", null, "FF5106")]
    public void Mistakes_are_named(string name, string content, string? field, string code) => Assert.Equal(code, Code(() => new TextCorpus("m", Write(name, content), field).Read().Last()));

    [Fact]
    public void Names_are_found_in_a_file()
    {
        var file = Write("corpora.yaml", "version: 1\ncorpora:\n  stories: {path: data/s.txt, separator: \"\\n---\\n\"}\n  python: {path: 'data/*.py', min_characters: 3}\n");
        Write("data/s.txt", "one\n---\ntwo");
        Write("data/a.py", "pass");
        Write("data/b.py", "x");
        Assert.Equal(["one", "two"], Corpora.Find("stories", file).Read().Select(d => d.Text));
        Assert.Equal(["pass"], Corpora.Find("python", file).Read().Select(d => d.Text));
        Assert.Equal("s.txt", Corpora.Find(_folder.File("data", "s.txt"), file).Name);
        var error = Assert.Throws<FeatureFlowException>(() => Corpora.Find("storys", file));
        Assert.Equal("FF5107", error.Code);
        Assert.EndsWith("(stories, python). Did you mean 'stories'?", error.Message, StringComparison.Ordinal);
        Assert.Equal("FF5002", Code(() => Corpora.Load(Write("bad.yaml", "version: 1\ncorpora:\n  a: {path: x, feld: y}\n"))));
    }

    [Fact]
    public void Samples_are_seeded()
    {
        var path = Write("a.jsonl", string.Concat(Enumerable.Range(0, 300).Select(i => $"{{\"text\":\"{i}\"}}\n")));
        var corpus = new TextCorpus("s", path);
        Assert.Equal(corpus.Sample(10, 1), corpus.Sample(10, 1));
        Assert.NotEqual(corpus.Sample(10, 1), corpus.Sample(10, 2));
    }

    [DataFact]
    public void Published_files()
    {
        Assert.Equal(1319, Count("gsm8k", "test.jsonl"));
        Assert.Equal(164, Count("human-eval", "HumanEval.jsonl.gz"));
        var first = new TextCorpus("h", Path.Combine(Repository.Data!, "human-eval", "HumanEval.jsonl.gz")).Read().First();
        Assert.StartsWith("from typing import List", first.Text, StringComparison.Ordinal);
        Assert.Contains("return False", first.Text, StringComparison.Ordinal);
        Assert.True(new TextCorpus("w", Path.Combine(Repository.Data!, "wikitext-2", "test.txt"), Separator: "\n = ", MinCharacters: 200).Read().Count() > 100);

        static int Count(params string[] parts) => new TextCorpus("p", Path.Combine([Repository.Data!, .. parts])).Read().Count();
    }

    private string Write(string name, string content)
    {
        var path = _folder.File(name.Split('/'));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return path;
    }

    private static string Code(Func<object?> act) => Assert.Throws<FeatureFlowException>(act).Code;
}
