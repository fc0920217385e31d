using FeatureFlow.Models.Generation;
using FeatureFlow.Models.Tests.Transformers;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Generation;

public class GeneratorTests
{
    public static TheoryData<string> Fixtures => ModelFixtures.All;

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void GreedyTokensAreThoseOfTheFixture(string folder)
    {
        using var model = ModelFixtures.Open(folder);
        using var file = ModelFixtures.Expected(folder);
        var prompts = ModelFixtures.Rows(file, "input_ids").Select(r => new GenerationPrompt(r)).ToArray();
        var texts = new Generator(model, decode: false).Run(prompts, new GenerationOptions { Temperature = 0, MaxTokens = 16, StopAtEos = false }).OrderBy(t => t.Prompt).ToList();
        Assert.Equal(ModelFixtures.Rows(file, "greedy_ids"), texts.Select(t => t.Ids));
        Assert.All(texts, t => Assert.Equal(GenerationEnd.Length, t.End));
    }

    [Fact]
    public void ASampleIsTheSameAloneAndAmongOthers()
    {
        using var model = Open("llama31-bf16-sharded");
        int[] a = [5, 6, 7, 8, 9], b = [100, 101], c = [.. Enumerable.Range(0, 40).Select(i => i * 7 % 448)];
        GenerationPrompt[] prompts = [new(a, 0), new(b, 0), new(a, 1), new(c, 2), new(a, 3), new(b, 1), new(a, 4), new(c, 0)];
        var options = new GenerationOptions { Seed = 42, MaxTokens = 20, Temperature = 1.27f, TopP = 0.7f };
        var generator = new Generator(model, decode: false);
        var alone = prompts.Select(p => generator.Run([p], options).Single().Ids).ToList();
        foreach (var together in new[] { 1, 2, 3, 32 })
        {
            var texts = generator.Run(prompts, options with { RowsTogether = together }).OrderBy(t => t.Prompt).ToList();
            Assert.Equal(alone, texts.Select(t => t.Ids));
            Assert.Equal(prompts.Select(p => p.Sample), texts.Select(t => t.Sample));
        }

        // samples differ from each other, seeds too, and equal seeds do not
        Assert.Equal(4, new[] { 0, 2, 4, 6 }.Select(i => string.Join(' ', alone[i])).Distinct().Count());
        Assert.NotEqual(alone[0], generator.Run([prompts[0]], options with { Seed = 43 }).Single().Ids);
    }

    [Fact]
    public void EqualPromptsAreComputedOnceUnlessTheirVariantsDiffer()
    {
        using var model = Open("gpt2");
        var counter = new Counter();
        int[] ids = [3, 4, 5, 6];
        var options = new GenerationOptions { MaxTokens = 1, RowsTogether = 2, Hook = counter, StopAtEos = false };
        var generator = new Generator(model, decode: false);
        Assert.Equal(5, generator.Run([.. Enumerable.Range(0, 5).Select(s => new GenerationPrompt(ids, s))], options).Count());
        Assert.Equal(4, counter.Tokens);
        counter.Tokens = 0;
        Assert.Equal(4, generator.Run([new(ids, 0, "x"), new(ids, 1, "y"), new(ids, 2, "x"), new(ids, 3, "y")], options).Count());
        Assert.Equal(8, counter.Tokens);
    }

    [Fact]
    public void AHookTellsRowsApartByTheirOwners()
    {
        // rows of odd prompts lose their last layer; the others are what they are without a hook
        using var model = Open("neox-sequential");
        int[] ids = [3, 4, 5, 6, 7];
        GenerationPrompt[] prompts = [.. Enumerable.Range(0, 6).Select(i => new GenerationPrompt(ids, 0, i % 2))];
        var options = new GenerationOptions { MaxTokens = 12, RowsTogether = 4, Temperature = 0, StopAtEos = false };
        var generator = new Generator(model, decode: false);
        var plain = generator.Run([prompts[0]], options).Single().Ids;
        var texts = generator.Run(prompts, options with { Hook = new Owners() }).OrderBy(t => t.Prompt).Select(t => t.Ids).ToList();
        Assert.All([0, 2, 4], i => Assert.Equal(plain, texts[i]));
        Assert.All([1, 3, 5], i => Assert.Equal(texts[1], texts[i]));
        Assert.NotEqual(plain, texts[1]);
    }

    [Fact]
    public void ARowEndsAtTheEndTokenAndWhereTheContextIsFull()
    {
        using var model = Open("gpt2-hub-layout");
        var generator = new Generator(model, decode: false);
        var full = generator.Run([new GenerationPrompt([.. Enumerable.Range(0, 40)])], new GenerationOptions { MaxTokens = 100, StopAtEos = false }).Single();
        Assert.Equal((GenerationEnd.Context, 8), (full.End, full.Ids.Length));
        Assert.Equal("FF2302", Assert.Throws<FeatureFlowException>(() => generator.Run([new GenerationPrompt(new int[48])], new GenerationOptions())).Code);

        // the end token (0 here) comes up sooner or later among many samples, and is not part of them
        var texts = generator.Run([.. Enumerable.Range(0, 200).Select(s => new GenerationPrompt([1, 2], s))], new GenerationOptions { MaxTokens = 30, Temperature = 3 }).ToList();
        Assert.Contains(texts, t => t.End == GenerationEnd.Eos && t.Ids.Length < 30);
        Assert.All(texts, t => Assert.DoesNotContain(0, t.Ids));
    }

    [Theory]
    [InlineData(0, 1f, 1f, 0, 1, "1 token")]
    [InlineData(1, -1f, 1f, 0, 1, "temperature")]
    [InlineData(1, float.NaN, 1f, 0, 1, "temperature")]
    [InlineData(1, 1f, 0f, 0, 1, "top-p")]
    [InlineData(1, 1f, 1.1f, 0, 1, "top-p")]
    [InlineData(1, 1f, 1f, -1, 1, "top-k")]
    [InlineData(1, 1f, 1f, 0, 0, "row")]
    public void NumbersOutOfRangeAreRefused(int max, float temperature, float topP, int topK, int rows, string word)
    {
        using var model = Open("gpt2");
        var options = new GenerationOptions { MaxTokens = max, Temperature = temperature, TopP = topP, TopK = topK, RowsTogether = rows };
        var error = Assert.Throws<FeatureFlowException>(() => new Generator(model, decode: false).Run([new GenerationPrompt([1])], options));
        Assert.Equal("FF2301", error.Code);
        Assert.Contains(word, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void StopTextsCutAndWhatMayBecomeOneIsKeptBack()
    {
        var scanner = new StopScanner(["END", "\n\n"]);
        Assert.Equal("one ", scanner.Push("one E"));
        Assert.Equal("E", scanner.Push("E"));
        Assert.Equal("Ex", scanner.Push("x"));
        Assert.Equal("", scanner.Push("\n"));
        Assert.False(scanner.Stopped);
        Assert.Equal("\ny ", scanner.Push("y EN"));
        Assert.Equal("", scanner.Push("D and more"));
        Assert.True(scanner.Stopped);
        Assert.Equal("", scanner.Push("z") + scanner.Finish());
        Assert.Equal("one EEx\ny ", scanner.Text);

        var open = new StopScanner(["END"]);
        Assert.Equal("a ", open.Push("a EN"));
        Assert.Equal("EN", open.Finish());
        Assert.Equal("a EN", open.Text);
    }

    [DataFact]
    public void ARealModelTellsTheStoryOfItsGoldenFile()
    {
        using var model = LanguageModel.Open(Path.Combine(Repository.Data!, "stories260k", "model"), TestEngine.Shared);
        using var golden = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(model.Folder, "greedy200.json")));
        var ids = golden.RootElement.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32()).ToArray();
        var text = golden.RootElement.GetProperty("text").GetString()!;
        var streamed = "";
        var sample = new Generator(model).Run([new GenerationPrompt([1])], new GenerationOptions { Temperature = 0, MaxTokens = ids.Length - 1 }, (_, t) => streamed += t).Single();
        Assert.Equal(ids[1..], sample.Ids);
        Assert.Equal(text.Trim(), sample.Text.Trim());
        Assert.Equal(sample.Text, streamed);

        var cut = new Generator(model).Run([new GenerationPrompt([1])], new GenerationOptions { Temperature = 0, MaxTokens = 200, Stop = ["big, red"] }).Single();
        Assert.Equal(GenerationEnd.Stop, cut.End);
        Assert.EndsWith("she saw a ", cut.Text, StringComparison.Ordinal);
    }

    [DataFact]
    public void RealModelsAgreeWithTheirGoldenFiles()
    {
        foreach (var name in new[] { "stories260k/model", "stories3m" })
        {
            using var model = LanguageModel.Open(Path.Combine(Repository.Data!, name), TestEngine.Shared);
            using var golden = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(model.Folder, "golden.json")));
            foreach (var entry in golden.RootElement.GetProperty("cases").EnumerateArray())
            {
                var ids = entry.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32()).ToArray();
                Assert.Equal(ids, model.Tokenizer.Encode(entry.GetProperty("text").GetString()!).Take(ids.Length));
                var losses = model.TokenLosses(new TokenBatch([ids]));
                Assert.Equal(entry.GetProperty("mean_nll").GetDouble(), losses[..^1].Average(), 1e-4);
                using var pass = model.Forward(new TokenBatch([ids]));
                var logits = TestEngine.Read(pass.Logits!.Rows(ids.Length - 1, 1));
                var expected = entry.GetProperty("last_logits").EnumerateArray().Select(e => e.GetSingle()).ToArray();
                Assert.All(expected.Select((e, i) => Math.Abs(e - logits[i])), d => Assert.True(d < 1e-3, $"off by {d}"));
            }
        }
    }

    private static LanguageModel Open(string name) => ModelFixtures.Open(Repository.Fixture("models", name));

    private sealed class Counter : ISiteHook
    {
        public int Tokens { get; set; }

        public bool Wants(SiteAddress at) => at == new SiteAddress(0, Site.Res);

        public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch) => Tokens += batch.Count;
    }

    private sealed class Owners : ISiteHook
    {
        public bool Wants(SiteAddress at) => at == new SiteAddress(2, Site.Res);

        public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
        {
            for (var r = 0; r < batch.Rows.Length; r++)
            {
                if (batch.Owners[r] % 2 == 0) continue;
                using var wave = Tensor.From([.. Enumerable.Range(0, batch.Rows[r].Count * x_TD.Shape[1]).Select(i => MathF.Sin(i % 96))], batch.Rows[r].Count, x_TD.Shape[1]);
                TestEngine.Shared.Copy(wave, x_TD.Rows(batch.Rows[r].Token, batch.Rows[r].Count));
            }
        }
    }
}
