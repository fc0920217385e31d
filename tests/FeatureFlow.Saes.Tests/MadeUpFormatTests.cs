using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>Layouts without a fixture: made up here from the projects' definitions, and computed by plain sums in double.</summary>
public sealed class MadeUpFormatTests : MadeUpSae
{
    [Theory]
    [InlineData("resid_post", Site.Res, false)]
    [InlineData("attn_out_all", Site.Att, false)]
    [InlineData("mlp_out", Site.Mlp, false)]
    [InlineData("transcoder_all", Site.Tc, true)]
    public void Gemma_scope_2(string group, Site site, bool affine)
    {
        var folder = _folder.File(group, "layer_17_width_16k_l0_small");
        var arrays = new List<(string, Tensor)> { ("w_enc", T(_wEnc_DF, D, F)), ("w_dec", T(_wDec_FD, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("threshold", T(Fill(0.3f), F)) };
        if (affine) arrays.Add(("affine_skip_connection", T(_skip_DD, D, D)));
        Write(folder, "params.safetensors", arrays);
        File.WriteAllText(Path.Combine(folder, "config.json"), """{"architecture":"jump_relu","model_name":"google/gemma-3-1b-pt","hf_hook_point_in":"model.layers.17.output","hf_hook_point_out":"model.layers.17.output"}""");
        using var sae = Sae.Open(folder);
        Assert.Equal(("gemma-scope-2", site, 17, "google/gemma-3-1b-pt"), (sae.Info.Format, sae.Info.Site, sae.Info.Layer, sae.Info.ModelName));
        Same(sae, z: p => p > (double)0.3f ? p : 0, skip: affine ? (i, o) => _skip_DD[(i * D) + o] : null);
    }

    [Fact]
    public void Gemma_scope_2_cross_layer_is_refused_by_name()
    {
        var folder = _folder.File("clt", "layer_0_width_16k_l0_small");
        Write(folder, "params.safetensors", [("w_enc", T(_wEnc_DF, D, F)), ("w_dec", T(_wDec_FD, F, 2, D / 2)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("threshold", T(Fill(0.3f), F))]);
        File.WriteAllText(Path.Combine(folder, "config.json"), """{"architecture":"jump_relu"}""");
        Assert.Contains("cross-layer", Assert.Throws<FeatureFlowException>(() => Sae.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Llamascopium(bool includeNorm, bool oldNames)
    {
        const double NormIn = 3, NormOut = 4;
        var folder = _folder.File("l");
        var arrays = oldNames
            ? new List<(string, Tensor)> { ("encoder.weight", T(Transposed(_wEnc_DF, D, F), F, D)), ("decoder.weight", T(Transposed(_wDec_FD, F, D), D, F)), ("encoder.bias", T(_bEnc_F, F)), ("decoder.bias", T(_bDec_D, D)) }
            : [("W_E", T(_wEnc_DF, D, F)), ("W_D", T(_wDec_FD, F, D)), ("b_E", T(_bEnc_F, F)), ("b_D", T(_bDec_D, D))];
        arrays.AddRange([("log_jumprelu_threshold", T(Fill((float)Math.Log(0.2)), F)), ("dataset_average_activation_norm.blocks.3.hook_resid_post", T([(float)NormIn], 1)), ("dataset_average_activation_norm.blocks.3.hook_out", T([(float)NormOut], 1))]);
        Write(folder, "sae_weights.safetensors", arrays);
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""{"sae_type":"sae","d_model":{{D}},"act_fn":"jumprelu","norm_activation":"dataset-wise","sparsity_include_decoder_norm":{{(includeNorm ? "true" : "false")}},"hook_point_in":"blocks.3.hook_resid_post","hook_point_out":"blocks.3.hook_out"}""");
        using var sae = Sae.Open(folder);
        Assert.Equal("llamascopium", sae.Info.Format);
        double sIn = Math.Sqrt(D) / NormIn, sOut = Math.Sqrt(D) / NormOut, theta = Math.Exp((float)Math.Log(0.2));
        Same(sae, z: null, encoderBias: i => _bEnc_F[i] / sIn, decoder: (i, o) => _wDec_FD[(i * D) + o] * sIn / sOut, decoderBias: o => _bDec_D[o] / sOut, gate: (p, i) => p * (includeNorm ? Norm(i) * sIn / sOut : 1) > theta ? p : 0);
    }

    [Fact]
    public void Circuit_tracer()
    {
        var folder = _folder.File("ct");
        Write(folder, "layer_4.safetensors", [("W_enc", T(Transposed(_wEnc_DF, D, F), F, D)), ("W_dec", T(_wDec_FD, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("activation_function.threshold", T(Fill(0.1f), F)), ("W_skip", T(_skip_DD, D, D))]);
        File.WriteAllText(Path.Combine(folder, "config.yaml"), "model_name: \"google/gemma-2-2b\"\nmodel_kind: transcoder_set\nfeature_input_hook: \"ln2.hook_normalized\"\n");
        foreach (var path in new[] { folder, Path.Combine(folder, "layer_4.safetensors") })
        {
            using var sae = Sae.Open(path);
            Assert.Equal(("circuit-tracer", Site.Tc, 4, "google/gemma-2-2b"), (sae.Info.Format, sae.Info.Site, sae.Info.Layer, sae.Info.ModelName));
            Same(sae, z: p => p > (double)0.1f ? p : 0, skip: (i, o) => _skip_DD[(o * D) + i]);
        }

        File.Copy(Path.Combine(folder, "layer_4.safetensors"), Path.Combine(folder, "layer_5.safetensors"));
        Assert.Equal("FF3006", Assert.Throws<FeatureFlowException>(() => Sae.Open(folder)).Code);
        File.Copy(Path.Combine(folder, "layer_4.safetensors"), Path.Combine(folder, "W_enc_0.safetensors"));
        Assert.Contains("cross_layer", Assert.Throws<FeatureFlowException>(() => Sae.Open(Path.Combine(folder, "W_enc_0.safetensors"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dictionary_learning_auto_encoder()
    {
        var folder = DictionaryLearning("AutoEncoder", [("encoder.weight", T(Transposed(_wEnc_DF, D, F), F, D)), ("decoder.weight", T(Transposed(_wDec_FD, F, D), D, F)), ("encoder.bias", T(_bEnc_F, F)), ("bias", T(_bDec_D, D))]);
        using var sae = Sae.Open(folder);
        Assert.Equal(("dictionary-learning", Site.Mlp, 3), (sae.Info.Format, sae.Info.Site, sae.Info.Layer));
        Same(sae, z: p => Math.Max(0, p), subtract: true);
    }

    [Fact]
    public void Dictionary_learning_jump_relu_and_batch_top_k()
    {
        var jump = DictionaryLearning("JumpReluAutoEncoder", [("W_enc", T(_wEnc_DF, D, F)), ("W_dec", T(_wDec_FD, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("threshold", T(Fill(0.25f), F))]);
        using (var sae = Sae.Open(jump)) Same(sae, z: null, gate: (p, i) => p > 0.25 ? p * Norm(i) : 0, decoder: (i, o) => _wDec_FD[(i * D) + o] / Norm(i));
        var batch = DictionaryLearning("BatchTopKSAE", [("encoder.weight", T(Transposed(_wEnc_DF, D, F), F, D)), ("decoder.weight", T(Transposed(_wDec_FD, F, D), D, F)), ("encoder.bias", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("threshold", T([0.25f], 1)), ("k", T([4], 1))]);
        using (var sae = Sae.Open(batch)) Same(sae, z: p => p > 0.25 ? p : 0, subtract: true);
    }

    [Fact]
    public void Dictionary_learning_top_k_keeps_the_k_largest()
    {
        var folder = DictionaryLearning("AutoEncoderTopK", [("encoder.weight", T(Transposed(_wEnc_DF, D, F), F, D)), ("decoder.weight", T(Transposed(_wDec_FD, F, D), D, F)), ("encoder.bias", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("k", T([3], 1))]);
        using var sae = Sae.Open(folder);
        Assert.Equal(3, sae.Info.K);
        var (z, _) = Parity.Run(sae, T(_h_ND, N, D));
        Assert.All(z.Chunk(F), row => Assert.InRange(row.Count(v => v != 0), 1, 3));
    }

    [Fact]
    public void An_unknown_dictionary_class_is_told()
    {
        var folder = DictionaryLearning("CrossCoder", [("encoder.weight", T(_wEnc_DF, F, D)), ("decoder.weight", T(_wDec_FD, D, F))]);
        Assert.Contains("CrossCoder", Assert.Throws<FeatureFlowException>(() => Sae.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"architecture":"standard","activation_fn_str":"tanh-relu"}""", "tanh-relu")]
    [InlineData("""{"architecture":"standard","normalize_activations":"constant_scalar_rescale"}""", "constant_scalar_rescale")]
    [InlineData("""{"architecture":"topk","metadata":{}}""", "'k'")]
    [InlineData("""{"architecture":"standard","d_in":7}""", "d_in")]
    [InlineData("""{"architecture":"jumprelu","metadata":{}}""", "threshold")]
    public void Saelens_configurations_that_cannot_be_honoured_are_told(string cfg, string says)
    {
        var folder = _folder.File("sl");
        Write(folder, "sae_weights.safetensors", [("W_enc", T(_wEnc_DF, D, F)), ("W_dec", T(_wDec_FD, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D))]);
        File.WriteAllText(Path.Combine(folder, "cfg.json"), cfg);
        Assert.Contains(says, Assert.Throws<FeatureFlowException>(() => Sae.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Saelens_log_threshold_of_training_checkpoints()
    {
        var folder = _folder.File("sl");
        Write(folder, "sae_weights.safetensors", [("W_enc", T(_wEnc_DF, D, F)), ("W_dec", T(_wDec_FD, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("log_threshold", T(Fill(-1), F))]);
        File.WriteAllText(Path.Combine(folder, "cfg.json"), """{"architecture":"jumprelu","apply_b_dec_to_input":false,"metadata":{"hook_name":"blocks.7.hook_attn_out"}}""");
        using var sae = Sae.Open(folder);
        Assert.Equal((Site.Att, 7), (sae.Info.Site, sae.Info.Layer));
        Same(sae, z: p => p > Math.Exp(-1) ? p : 0);
    }

    [Fact]
    public void The_self_check_tells_thresholds_norms_and_wide_ranges()
    {
        var folder = _folder.File("sl");
        var decoder = Fill(0, F * D);
        for (var i = 1; i < F; i++) decoder[i * D] = i == 9 ? 5000 : i;
        var thresholds = Fill(0.5f);
        (thresholds[0], thresholds[1]) = (0, -1);
        Write(folder, "sae_weights.safetensors", [("W_enc", T(_wEnc_DF, D, F)), ("W_dec", T(decoder, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D)), ("threshold", T(thresholds, F))]);
        File.WriteAllText(Path.Combine(folder, "cfg.json"), """{"architecture":"jumprelu","metadata":{}}""");
        using var sae = Sae.Open(folder);
        var report = sae.Check(CpuEngine.Shared);
        Assert.Equal(2, report.NotPositiveThresholds);
        Assert.Equal(new Spread(-1, 0.5, 0.3, 0.5), report.Thresholds! with { Mean = Math.Round(report.Thresholds!.Mean, 9) });
        Assert.Equal(1, report.ZeroNorms);
        Assert.Equal((0.0, 4.5, 5000.0), (report.DecoderNorms!.Min, report.DecoderNorms.Median, report.DecoderNorms.Max));
        Assert.Contains("from 1 to 5E+03", Assert.Single(report.Problems), StringComparison.Ordinal);
    }
}
