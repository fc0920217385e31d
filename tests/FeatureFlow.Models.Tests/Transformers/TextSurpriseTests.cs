using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Tests.Transformers;

public sealed class TextSurpriseTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama31-bf16-sharded")]
    public void LossAndEntropyAreThoseOfTheFullLogits(string folder)
    {
        using var model = ModelFixtures.Open(Testing.Repository.Fixture("models", folder));
        int[] a = [5, 6, 7, 8, 9, 10], b = [100, 101, 102], c = [7];
        var measured = TextSurprise.Measure(model, [(a, 2), (b, 0), (c, 1), (b, 3)]);

        using var pass = model.Forward(new TokenBatch([a]));
        double loss = 0, entropy = 0;
        for (var t = 2; t < a.Length; t++)
        {
            var e = Testing.TestEngine.Read(pass.Logits!.Rows(t - 1, 1)).Select(x => Math.Exp(x)).ToArray();
            var p = Array.ConvertAll(e, x => x / e.Sum());
            loss -= Math.Log(p[a[t]]) / 4;
            entropy -= p.Sum(x => x > 0 ? x * Math.Log(x) : 0) / 4;
        }

        Assert.Equal(4, measured[0].Tokens);
        Assert.Equal(loss, measured[0].Loss, 1e-4);
        Assert.Equal(entropy, measured[0].Entropy, 1e-4);
        Assert.Equal(Math.Exp(loss), measured[0].Perplexity, 1e-3 * Math.Exp(loss));

        // the first token is never measured; nothing after the prompt is nothing
        Assert.Equal(2, measured[1].Tokens);
        Assert.Equal(model.TokenLosses(new TokenBatch([b]))[..2].Average(), (float)measured[1].Loss, 1e-4f);
        Assert.Equal((0, 0), (measured[2].Tokens, measured[3].Tokens));
        Assert.True(double.IsNaN(measured[2].Loss));
    }

    [Fact]
    public void ManyTextsInSeveralPassesAreTheSameAsEachAlone()
    {
        using var model = ModelFixtures.Open(Testing.Repository.Fixture("models", "gpt2"));
        var texts = Enumerable.Range(0, 90).Select(i => (Enumerable.Range(0, 10 + i % 50).Select(t => (i + 3 * t) % 300).ToArray(), i % 7)).ToList();
        var shares = new List<double>();
        var together = TextSurprise.Measure(model, texts, new Heard(shares));
        Assert.True(shares.Count > 1 && shares[^1] == 1);
        foreach (var i in new[] { 0, 41, 89 }) Assert.Equal(TextSurprise.Measure(model, [texts[i]])[0], together[i]);
    }

    private sealed class Heard(List<double> shares) : IProgress<double>
    {
        public void Report(double value) => shares.Add(value);
    }
}
