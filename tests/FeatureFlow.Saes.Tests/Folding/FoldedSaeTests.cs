using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>Folding (SAE Match, 3.1): the output stays, the scales are where they belong, what cannot fold is counted.</summary>
public sealed class FoldedSaeTests
{
    private static readonly CpuEngine s_engine = CpuEngine.Shared;

    public static TheoryData<string> Every =>
    [
        .. Directory.GetDirectories(Repository.Fixture("saes")).Order(StringComparer.Ordinal),
        .. Directory.GetFiles(Repository.Example("stories260k"), "params.npz", SearchOption.AllDirectories).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Every))]
    public void Folding_does_not_change_the_output(string path)
    {
        using var sae = Sae.Open(path);
        var random = new Random(4);
        using var h = Tensor.From([.. Enumerable.Range(0, 64 * sae.Info.InputWidth).Select(_ => ((float)random.NextDouble() - 0.5f) * 8)], 64, sae.Info.InputWidth);
        var (z, recon) = Parity.Run(sae, h);
        var mean = Enumerable.Range(0, sae.Info.FeatureCount).Select(i => i % 7 == 0 ? 0 : 0.01 + random.NextDouble() * 5).ToArray();
        foreach (var folded in new[] { FoldedSae.Of(s_engine, sae), FoldedSae.Of(s_engine, sae, FoldRule.DecoderNorm), FoldedSae.Of(s_engine, sae, FoldRule.MeanActivation, mean), FoldedSae.Plain(s_engine, sae) })
        {
            using var folded_TF = Tensor.Allocate(DType.F32, 64, sae.Info.FeatureCount);
            using var recon_TD = Tensor.Allocate(DType.F32, 64, sae.Info.OutputWidth);
            folded.Encode(s_engine, h, folded_TF);
            folded.Decode(s_engine, folded_TF, h, recon_TD);
            Assert.InRange(Parity.Difference(recon, recon_TD.AsSpan<float>().ToArray()), 0, 1e-5);
            var zFolded = folded_TF.AsSpan<float>().ToArray();
            Assert.Equal(z.Select(v => v != 0), zFolded.Select(v => v != 0));
            Assert.InRange(Parity.Difference(z, [.. zFolded.Select((v, i) => v * folded.Scale_F[i % folded.Scale_F.Length])]), 0, 1e-6);
        }
    }

    [Fact]
    public void Folded_parameters_alone_compute_the_sae_with_thresholds_of_one()
    {
        using var sae = Sae.Open(Directory.GetFiles(Path.Combine(Repository.Example("stories260k"), "saes", "res", "layer_2"), "params.npz", SearchOption.AllDirectories).Single());
        var folded = FoldedSae.Of(s_engine, sae);
        Assert.Equal((FoldRule.Threshold, 0), (folded.Rule, folded.Unscaled));
        Assert.All(folded.Threshold_F!, t => Assert.Equal(1, t, 1e-6));
        var (d, f) = (sae.Info.InputWidth, sae.Info.FeatureCount);
        var (wEnc_DF, wDec_FD, bDec_D) = (sae.EncoderWeights_DF.AsSpan<float>().ToArray(), sae.DecoderWeights_FD.AsSpan<float>().ToArray(), sae.DecoderBias_D.AsSpan<float>().ToArray());
        using var states = SafetensorsFile.Open(Repository.Fixture("golden", "stories260k", "states.safetensors"));
        var h = states.Get("res.2").AsSpan<double>().ToArray();
        using var input = Tensor.From(Array.ConvertAll(h, v => (float)v), h.Length / d, d);
        var recon = Parity.Run(sae, input).Recon;
        for (var t = 0; t < h.Length / d; t++)
        {
            var want = Array.ConvertAll(bDec_D, b => (double)b);
            for (var i = 0; i < f; i++)
            {
                double pre = folded.EncoderBias_F[i];
                for (var k = 0; k < d; k++) pre += h[t * d + k] * wEnc_DF[k * f + i] * folded.EncoderFactor_F[i];
                if (pre > 1) // θ' = 1
                {
                    for (var k = 0; k < d; k++) want[k] += pre * folded.DecoderFactor_F[i] * wDec_FD[i * d + k];
                }
            }

            for (var k = 0; k < d; k++) Assert.Equal(want[k], recon[t * d + k], 1e-4);
        }
    }

    [Fact]
    public void What_cannot_fold_keeps_scale_one_and_is_counted()
    {
        using var folder = new TempFolder();
        var path = folder.File("params.npz");
        NpzFile.Write(path, [
            ("W_enc", Tensor.From([1, 2, 3, 4], 1, 4)), ("W_dec", Tensor.From([1, 2, 0, 4], 4, 1)), ("b_enc", Tensor.From([1, 1, 1, 1], 4)), ("b_dec", Tensor.From([0], 1)),
            ("threshold", Tensor.From([0.5f, 0, -1, 4], 4)),
        ]);
        using var sae = Sae.Open(path);
        var byThreshold = FoldedSae.Of(s_engine, sae);
        Assert.Equal([0.5f, 1, 1, 4], byThreshold.Scale_F.ToArray());
        Assert.Equal(2, byThreshold.Unscaled);
        Assert.Equal([2f, 1, 1, 0.25f], byThreshold.EncoderBias_F);
        Assert.Equal([2f, 1, 1, 0.25f], byThreshold.EncoderFactor_F);
        Assert.Equal([0.5f, 1, 1, 4], byThreshold.DecoderFactor_F);
        Assert.Equal([1f, 0, -1, 1], byThreshold.Threshold_F!); // its own threshold where there is no fold
        var byNorm = FoldedSae.Of(s_engine, sae, FoldRule.DecoderNorm);
        Assert.Equal([1f, 0.5f, 1, 0.25f], byNorm.Scale_F.ToArray());
        Assert.Equal(1, byNorm.Unscaled);
        var byActivation = FoldedSae.Of(s_engine, sae, FoldRule.MeanActivation, [2, 0, double.NaN, 3]);
        Assert.Equal((2, "mean-activation"), (byActivation.Unscaled, byActivation.Rule.Name()));
        Assert.Equal((0, FoldRule.None), (FoldedSae.Of(s_engine, sae, FoldRule.None).Unscaled, FoldedSae.Plain(s_engine, sae).Rule));
    }

    [Fact]
    public void A_rule_without_its_numbers_is_refused()
    {
        using var sae = Sae.Open(Path.Combine(Repository.Fixture("saes"), "saelens-topk"));
        Assert.Equal(FoldRule.DecoderNorm, FoldRules.For(sae));
        foreach (var act in new Action[] { () => FoldedSae.Of(s_engine, sae, FoldRule.Threshold), () => FoldedSae.Of(s_engine, sae, FoldRule.MeanActivation), () => FoldedSae.Of(s_engine, sae, FoldRule.MeanActivation, [1]) })
            Assert.Equal("FF3120", Assert.Throws<FeatureFlowException>(act).Code);
    }

    [Fact]
    public void Mean_activations_are_those_of_the_tokens_where_a_feature_is_active()
    {
        var pack = Repository.Example("storyworld");
        using var model = LanguageModel.Open(Path.Combine(pack, "model"), s_engine);
        using var sae = Sae.Open(Path.Combine(pack, "saes", "mlp", "layer_1"), Site.Mlp, 1);
        TokenDocument[] documents = [new([1, 403, 407, 261, 378], true, "a"), new([1], true, "b"), new([403, 407, 261], false, "c")];
        var mean = MeanActivations.Measure(model, documents, [sae]).Single();
        var (sum, count) = (new double[sae.Info.FeatureCount], new int[sae.Info.FeatureCount]);
        foreach (var document in documents)
        {
            var capture = new SiteCapture(s_engine, [new SiteAddress(1, Site.Mlp)]);
            model.Forward(new TokenBatch([document.Ids]), new ForwardOptions { Hook = capture, Logits = LogitsWanted.None }).Dispose();
            var z = Parity.Run(sae, capture.Captured[new SiteAddress(1, Site.Mlp)]).Z;
            for (var i = document.FirstPosition * sum.Length; i < z.Length; i++)
            {
                sum[i % sum.Length] += z[i];
                count[i % sum.Length] += z[i] > 0 ? 1 : 0;
            }
        }

        Assert.True(count.Count(c => c > 0) > 10);
        Assert.Contains(count, c => c > 1);
        for (var i = 0; i < mean.Length; i++) Assert.Equal(count[i] == 0 ? 0 : sum[i] / count[i], mean[i], 1e-5);
    }
}
