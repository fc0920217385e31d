using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>Evidence of features against passes of one document at a time, and against logits of every architecture's own final norm.</summary>
public sealed class EvidenceTests
{
    private static readonly int[] s_features = [0, 7, 19, 40];

    [Theory]
    [InlineData("res", 0)]
    [InlineData("res", 1)]
    [InlineData("mlp", 1)]
    public void Contexts_are_where_the_feature_is_most_active(string site, int layer)
    {
        using var model = LanguageModel.Open(Repository.Fixture("models", "gemma2-window"), CpuEngine.Shared);
        using var sae = Open(site, layer);
        var prng = new Prng(3);
        TokenDocument[] documents = [.. Enumerable.Range(0, 9).Select(i => new TokenDocument([.. Enumerable.Range(0, 5 + prng.Next(20)).Select(_ => prng.Next(model.Config.Vocabulary))], i % 3 != 2, $"d{i}"))];
        var found = EvidenceSearch.Find(model, documents, [(sae, s_features)], id => $"<{id}>", new EvidenceOptions { Contexts = 4, Window = 2, Tokens = 3 });
        Assert.Equal(s_features, found.Select(f => f.Index));

        var alone = documents.Select(d => Activations(model, sae, d)).ToList();
        var tokens = documents.Sum(d => d.Positions);
        foreach (var evidence in found)
        {
            var best = documents.Select((d, i) => (Document: d, Values: alone[i], At: Enumerable.Range(d.FirstPosition, d.Positions).MaxBy(t => alone[i][t][evidence.Index])))
                .Where(b => b.Values[b.At][evidence.Index] > 0).OrderByDescending(b => b.Values[b.At][evidence.Index]).Take(4).ToList();
            Assert.Equal(best.Select(b => (b.Document.Source, b.At, b.Values[b.At][evidence.Index])), evidence.Contexts.Select(c => (c.Source, c.Position, c.Activation)));
            Assert.Equal(documents.Select((d, i) => Enumerable.Range(d.FirstPosition, d.Positions).Count(t => alone[i][t][evidence.Index] > 0)).Sum() / (double)tokens, evidence.Frequency, 1e-12);
            Assert.Equal(best.Count > 0 ? best[0].Values[best[0].At][evidence.Index] : 0, evidence.MaxActivation);
            foreach (var (b, context) in best.Zip(evidence.Contexts))
            {
                int[] window = [.. Enumerable.Range(b.At - 2, 5).Where(t => t >= b.Document.FirstPosition && t < b.Document.Ids.Length)];
                Assert.Equal(window.Select(t => new ContextToken($"<{b.Document.Ids[t]}>", b.Values[t][evidence.Index])), context.Tokens);
                Assert.Equal(b.At, window[context.Peak]);
            }
        }

        Assert.Contains(found, f => f.Contexts.Count == 4);
    }

    [Theory]
    [InlineData("gemma2-window")]
    [InlineData("gpt2")]
    [InlineData("neox-sequential")]
    public void Tokens_promoted_are_those_of_the_row_alone(string name)
    {
        using var model = LanguageModel.Open(Repository.Fixture("models", name), TestEngine.Shared);
        using var folder = new TempFolder();
        var d = model.Config.Width;
        var prng = new Prng(8);
        float[] decoder = [.. Enumerable.Range(0, 3 * d).Select(_ => (float)prng.NextGaussian())];
        var path = folder.File("res", "layer_0", "params.npz");
        NpzFile.Write(path, [("W_enc", Tensor.Allocate(DType.F32, d, 3)), ("W_dec", Tensor.From(decoder, 3, d)), ("b_enc", Tensor.Allocate(DType.F32, 3)), ("b_dec", Tensor.Allocate(DType.F32, d)), ("threshold", Tensor.From([1f, 1f, 1f], 3))]);
        using var sae = Sae.Open(path);
        var found = EvidenceSearch.Find(model, [new TokenDocument([1, 2, 3], true, "d")], [(sae, [2, 0])], id => $"{id}", new EvidenceOptions { Tokens = 5 });

        float[] with = Logits(decoder.AsSpan(2 * d, d)), without = Logits(new float[d]);
        var effects = with.Zip(without, (a, b) => a - b).ToArray();
        Assert.Equal(Enumerable.Range(0, effects.Length).OrderByDescending(v => effects[v]).Take(5), found[0].Promoted.Select(t => t.Id));
        Assert.Equal(Enumerable.Range(0, effects.Length).OrderBy(v => effects[v]).Take(5), found[0].Suppressed.Select(t => t.Id));
        Assert.All(found[0].Promoted, t => Assert.Equal(effects[t.Id], t.Effect, 1e-4));
        Assert.Empty(found[0].Contexts);
        Assert.StartsWith("not active in these texts; promotes “", found[0].Description, StringComparison.Ordinal);

        float[] Logits(ReadOnlySpan<float> row)
        {
            using Tensor x = Tensor.From(row, 1, d), logits = Tensor.Allocate(DType.F32, 1, model.Config.Vocabulary);
            model.Unembed(x, logits);
            return logits.AsSpan<float>().ToArray();
        }
    }

    [Fact]
    public void A_description_names_tokens_once()
    {
        FeatureContext At(string peak) => new("d", 3, 2, 1, [new ContextToken("the", 0), new ContextToken(peak, 2)]);
        var evidence = new FeatureEvidence(1, "res", 2, 0.1, 2, [new TokenEffect(4, " sea", 1), new TokenEffect(5, "sea", 0.5)], [], [At(" ship"), At("ship"), At(" sail")]);
        Assert.Equal("active on “ship”, “sail”; promotes “sea”", evidence.Description);
        Assert.Equal("1/res/2", evidence.Feature);
        Assert.Equal("the« ship»", evidence.Contexts[0].ToString());
    }

    [Fact]
    public void What_is_not_there_is_refused()
    {
        using var model = LanguageModel.Open(Repository.Fixture("models", "gemma2-window"), CpuEngine.Shared);
        using var other = LanguageModel.Open(Repository.Fixture("models", "gpt2"), CpuEngine.Shared);
        using var sae = Open("res", 0);
        Assert.Equal("FF3114", Assert.Throws<FeatureFlowException>(() => EvidenceSearch.Find(model, [], [(sae, [48])], _ => "")).Code);
        Assert.Equal("FF3113", Assert.Throws<FeatureFlowException>(() => EvidenceSearch.Find(other, [], [(sae, [4])], _ => "")).Code);
    }

    private static Sae Open(string site, int layer) => Sae.Open(Directory.GetFiles(Repository.Fixture("training", "pack", "saes", site, $"layer_{layer}"), "params.npz", SearchOption.AllDirectories)[0]);

    private static float[][] Activations(LanguageModel model, Sae sae, TokenDocument document)
    {
        var capture = new SiteCapture(CpuEngine.Shared, [sae.Address()]);
        model.Forward(new TokenBatch([document.Ids]), new ForwardOptions { Hook = capture }).Dispose();
        using var z = Tensor.Allocate(DType.F32, document.Ids.Length, sae.Info.FeatureCount);
        sae.Encode(CpuEngine.Shared, capture.Captured[sae.Address()], z);
        return [.. z.AsSpan<float>().ToArray().Chunk(sae.Info.FeatureCount)];
    }
}
