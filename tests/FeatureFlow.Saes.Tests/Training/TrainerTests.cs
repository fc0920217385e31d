using FeatureFlow.Models;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests.Training;

public sealed class TrainerTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(SaeTrainingKind.JumpRelu)]
    [InlineData(SaeTrainingKind.TopK)]
    [InlineData(SaeTrainingKind.BatchTopK)]
    public void It_finds_the_directions_that_activations_are_made_of(SaeTrainingKind kind)
    {
        var recipe = TrainingRun.Recipe(MadeUpActivations.First, kind) with { ReviveEvery = 25 };
        using var source = MadeUpActivations.Source();
        using var trainer = new SaeTrainer(CpuEngine.Shared, source, [recipe], TrainingRun.Options(null, 1500));
        trainer.Run();
        var result = trainer.Results()[0];

        // unit decoder rows; the raw frame of the activations
        var wDec = result.WDec_FD;
        for (var f = 0; f < 64; f++) Assert.Equal(1, Norm(wDec.Rows(f, 1).Reshape(MadeUpActivations.Width).AsSpan<float>()), 1e-4);
        var search = CpuEngine.Shared.TopKInnerProduct(Tensor.From([.. MadeUpActivations.DirectionsOf(MadeUpActivations.First).SelectMany(r => r)], MadeUpActivations.Directions, MadeUpActivations.Width), wDec, 1, new TopKOptions { Cosine = true });
        Assert.True(search.Scores_QK.Count(s => s > 0.95) > 30, $"found {search.Scores_QK.Count(s => s > 0.95)} of 40: {string.Join(" ", search.Scores_QK.Order().Take(8))}");

        // on a text of its own
        using var held = MadeUpActivations.Source(tokens: 2000, text: 2);
        using var sae = Written(result);
        var measures = SaeEvaluation.Measure(CpuEngine.Shared, held, [sae])[0];
        Assert.InRange(measures.ExplainedVariance, 0.85, 1);
        Assert.InRange(measures.MeanL0, 2.4, 3.7);
        Assert.Equal(2000, measures.Tokens);
    }

    [Fact]
    public void What_is_written_gives_what_was_trained()
    {
        using var trainer = TrainingRun.Trainer(null, steps: 60);
        trainer.Run();
        using var source = MadeUpActivations.Source(tokens: 50, text: 2);
        foreach (var result in trainer.Results())
        {
            using var x = Tensor.Allocate(DType.F32, 50, MadeUpActivations.Width);
            source.Read(0, 0, [.. source.Sites.Select(s => s.Address == result.Recipe.Address ? x : null)]);
            var (z, recon) = Plain(result, x);
            var lens = _folder.File($"lens-{result.Recipe.Kind}-{result.Recipe.Address.TensorName}");
            result.WriteSaeLens(lens, new SaeOrigin("made/up", 128));
            Check(lens, result, x, z, recon, SaeTrainingKind.TopK == result.Recipe.Kind ? SaeArchitecture.TopK : SaeArchitecture.JumpRelu);
            if (result.Threshold_F is null)
            {
                Assert.Equal("FF3110", Assert.Throws<FeatureFlowException>(() => result.WriteGemmaScope(_folder.Path, 3)).Code);
                continue;
            }

            var path = result.WriteGemmaScope(_folder.File(result.Recipe.Kind.ToString()), 2.6);
            Assert.EndsWith(Path.Combine(result.Recipe.Address.Site.Name(), $"layer_{result.Recipe.Address.Layer}", "width_64", "average_l0_3", "params.npz"), path);
            Check(path, result, x, z, recon, SaeArchitecture.JumpRelu);
        }

        static void Check(string path, TrainedSae result, Tensor x, float[] z, float[] recon, SaeArchitecture architecture)
        {
            using var sae = Sae.Open(path);
            Assert.Equal((result.Recipe.Address.Site, (int?)result.Recipe.Address.Layer, architecture), (sae.Info.Site!.Value, sae.Info.Layer, sae.Info.Architecture));
            Assert.Empty(sae.Check(CpuEngine.Shared).Problems);
            Assert.Empty(sae.Info.Notes);
            var (ourZ, ourRecon) = Parity.Run(sae, x);
            Assert.InRange(Parity.Difference(z, ourZ), 0, Parity.Tolerance);
            Assert.InRange(Parity.Difference(recon, ourRecon), 0, Parity.Tolerance);
        }
    }

    [Fact]
    public void Half_precision_is_written_where_asked()
    {
        using var trainer = TrainingRun.Trainer(null, steps: 3);
        trainer.Run();
        var result = trainer.Results()[0];
        using var npz = Sae.Open(result.WriteGemmaScope(_folder.Path, 3, DType.F16));
        Assert.Equal(DType.F16, npz.Info.WeightType);
        result.WriteSaeLens(_folder.File("lens"), new SaeOrigin(), DType.BF16);
        using var lens = Sae.Open(_folder.File("lens"));
        Assert.Equal(DType.BF16, lens.Info.WeightType);
        Assert.Equal("blocks.0.hook_resid_post", lens.Info.HookName);
    }

    [Fact]
    public void SaeLens_configuration_as_written()
    {
        using var trainer = TrainingRun.Trainer(null, steps: 1);
        trainer.Run();
        trainer.Results()[2].WriteSaeLens(_folder.File("lens"), new SaeOrigin("owner/model", 256));
        Assert.Equal(
            """
            {
              "architecture": "topk",
              "d_in": 24,
              "d_sae": 64,
              "dtype": "float32",
              "device": "cpu",
              "apply_b_dec_to_input": false,
              "normalize_activations": "none",
              "reshape_activations": "none",
              "k": 3,
              "rescale_acts_by_decoder_norm": false,
              "metadata": {
                "model_name": "owner/model",
                "hook_name": "blocks.1.hook_mlp_out",
                "hook_head_index": null,
                "context_size": 256,
                "prepend_bos": true
              }
            }

            """,
            File.ReadAllText(_folder.File("lens", "cfg.json")));
    }

    [Fact]
    public void Sites_start_from_the_same_tokens()
    {
        // before the first update, feature i of both sites is the activation at one token: what is active there tells so
        using var trainer = new SaeTrainer(CpuEngine.Shared, MadeUpActivations.Source(), [Bare(MadeUpActivations.First), Bare(MadeUpActivations.Second)], TrainingRun.Options(null));
        var results = trainer.Results();
        var first = Alike(results[0].WDec_FD);
        var second = Alike(results[1].WDec_FD);
        double both = 0, one = 0, two = 0;
        for (var i = 0; i < first.Length; i++) (both, one, two) = (both + (first[i] * second[i]), one + (first[i] * first[i]), two + (second[i] * second[i]));
        Assert.InRange(both / Math.Sqrt(one * two), 0.3, 1);

        static SaeRecipe Bare(SiteAddress address) => TrainingRun.Recipe(address, SaeTrainingKind.JumpRelu) with { InitialNoise = 0 };

        // cosines of features with each other, less their mean
        static double[] Alike(Tensor wDec_FD)
        {
            using var cosines = Tensor.Allocate(DType.F32, 64, 64);
            CpuEngine.Shared.MatMul(wDec_FD, wDec_FD.Transpose(), cosines);
            var values = new List<double>();
            for (var i = 0; i < 64; i++)
            {
                for (var j = 0; j < i; j++) values.Add(cosines.AsSpan<float>()[(i * 64) + j]);
            }

            var mean = values.Average();
            return [.. values.Select(v => v - mean)];
        }
    }

    [Fact]
    public void The_penalty_is_steered_to_the_wanted_l0()
    {
        foreach (var target in new[] { 1.5, 3.0 })
        {
            using var trainer = new SaeTrainer(CpuEngine.Shared, MadeUpActivations.Source(), [TrainingRun.Recipe(MadeUpActivations.First, SaeTrainingKind.JumpRelu) with { TargetL0 = target }], TrainingRun.Options(null, 1000));
            double sum = 0;
            trainer.Run(new Told(p => sum += p.Step > 800 ? p.Saes[0].L0 / 200 : 0));
            Assert.InRange(sum, target * 0.85, target * 1.15);
        }
    }

    [Theory]
    [InlineData("FF3101")]
    [InlineData("FF3102")]
    [InlineData("FF3103")]
    [InlineData("FF3104")]
    [InlineData("FF3109")]
    public void What_cannot_be_trained_is_refused(string code)
    {
        var recipe = TrainingRun.Recipe(MadeUpActivations.First, SaeTrainingKind.TopK);
        using var empty = new ArrayActivationSource(CpuEngine.Shared, [(MadeUpActivations.First, Tensor.Allocate(DType.F32, 500, 24))], 1, "nothing");
        Action act = code switch
        {
            "FF3101" => () => Trainer(MadeUpActivations.Source(), recipe with { TargetL0 = 2.5 }),
            "FF3102" => () => Trainer(MadeUpActivations.Source(), recipe, TrainingRun.Options(null) with { Steps = 0 }),
            "FF3103" => () => Trainer(MadeUpActivations.Source(), recipe with { Address = new SiteAddress(4, Site.Att) }),
            "FF3104" => () => Trainer(MadeUpActivations.Source(tokens: 100), recipe),
            _ => () => Trainer(empty, recipe),
        };
        Assert.Equal(code, Assert.Throws<FeatureFlowException>(act).Code);

        static void Trainer(IActivationSource source, SaeRecipe recipe, SaeTrainingOptions? options = null) => new SaeTrainer(CpuEngine.Shared, source, [recipe], options ?? TrainingRun.Options(null)).Dispose();
    }

    private Sae Written(TrainedSae result)
    {
        if (result.Threshold_F is not null) return Sae.Open(result.WriteGemmaScope(_folder.Path, 3));
        result.WriteSaeLens(_folder.File("lens"), new SaeOrigin());
        return Sae.Open(_folder.File("lens"));
    }

    private static double Norm(ReadOnlySpan<float> row)
    {
        double squares = 0;
        foreach (var v in row) squares += (double)v * v;
        return Math.Sqrt(squares);
    }

    // by plain sums in double
    private static (float[] Z, float[] Recon) Plain(TrainedSae sae, Tensor x_ND)
    {
        int n = x_ND.Shape[0], d = MadeUpActivations.Width, f = 64;
        float[] x = x_ND.AsSpan<float>().ToArray(), wEnc_FD = sae.WEnc_DF.Transpose().AsSpan<float>().ToArray(), wDec_FD = sae.WDec_FD.AsSpan<float>().ToArray(), bEnc = sae.BEnc_F.AsSpan<float>().ToArray(), bDec = sae.BDec_D.AsSpan<float>().ToArray();
        float[] z = new float[n * f], recon = new float[n * d];
        for (var t = 0; t < n; t++)
        {
            var pre = new double[f];
            for (var i = 0; i < f; i++)
            {
                pre[i] = bEnc[i];
                for (var j = 0; j < d; j++) pre[i] += (double)x[(t * d) + j] * wEnc_FD[(i * d) + j];
            }

            var line = sae.Threshold_F is null ? pre.OrderDescending().ElementAt((int)sae.Recipe.TargetL0!.Value - 1) : 0;
            for (var i = 0; i < f; i++) z[(t * f) + i] = pre[i] > 0 && (sae.Threshold_F is { } theta ? pre[i] > theta.AsSpan<float>()[i] : pre[i] >= line) ? (float)pre[i] : 0;
            for (var j = 0; j < d; j++)
            {
                double sum = bDec[j];
                for (var i = 0; i < f; i++) sum += (double)z[(t * f) + i] * wDec_FD[(i * d) + j];
                recon[(t * d) + j] = (float)sum;
            }
        }

        return (z, recon);
    }
}
