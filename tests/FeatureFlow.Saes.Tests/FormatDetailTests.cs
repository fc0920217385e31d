using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Tests;

/// <summary>The corners of each layout: other frames, other shapes, neighbours that are no SAEs, declarations that cannot be.</summary>
public sealed class FormatDetailTests : MadeUpSae
{
    private List<(string, Tensor)> SaeLens => [("W_enc", T(_wEnc_DF, D, F)), ("W_dec", T(_wDec_FD, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D))];

    private List<(string, Tensor)> Linear => [("encoder.weight", T(Transposed(_wEnc_DF, D, F), F, D)), ("decoder.weight", T(Transposed(_wDec_FD, F, D), D, F)), ("encoder.bias", T(_bEnc_F, F))];

    [Fact]
    public void Dictionary_learning_gated_reports_activations_times_the_norm()
    {
        var rate = Numbers(F);
        var magnitude = Numbers(F);
        var folder = DictionaryLearning("GatedAutoEncoder", [.. Linear.Take(2), ("r_mag", T(rate, F)), ("gate_bias", T(_bEnc_F, F)), ("mag_bias", T(magnitude, F)), ("decoder_bias", T(_bDec_D, D))]);
        using var sae = Sae.Open(folder);
        Same(sae, z: null, subtract: true, gate: (gate, i) => gate > 0 ? Math.Max(0, ((gate - _bEnc_F[i]) * Math.Exp(rate[i])) + magnitude[i]) * Norm(i) : 0, decoder: (i, o) => _wDec_FD[(i * D) + o] / Norm(i));
    }

    [Fact]
    public void Dictionary_learning_without_configuration_goes_by_its_arrays()
    {
        Write(_folder.Path, "found.safetensors", [.. Linear, ("bias", T(_bDec_D, D))]);
        using (var sae = Sae.Open(_folder.File("found.safetensors"))) Same(sae, z: p => Math.Max(0, p), subtract: true);
        Write(_folder.Path, "both.safetensors", [.. Linear, ("b_dec", T(_bDec_D, D)), ("k", T([3], 1)), ("threshold", T([0.1f], 1))]);
        Assert.Equal("FF3018", Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.File("both.safetensors"))).Code);
    }

    [Fact]
    public void Llamascopium_top_k_chooses_by_norm_and_reports_without()
    {
        const int K = 3;
        Write(_folder.Path, "sae_weights.safetensors", [("W_E", T(_wEnc_DF, D, F)), ("W_D", T(_wDec_FD, F, D)), ("b_E", T(_bEnc_F, F)), ("b_D", T(_bDec_D, D))]);
        File.WriteAllText(_folder.File("config.json"), $$"""{"sae_type":"sae","act_fn":"topk","top_k":{{K}},"norm_activation":"inference","hook_point_in":"blocks.3.hook_mlp_out","hook_point_out":"blocks.3.hook_mlp_out"}""");
        using var sae = Sae.Open(_folder.Path);
        Assert.Equal((Site.Mlp, K), (sae.Info.Site, sae.Info.K));
        var pres = Enumerable.Range(0, N).Select(n => Enumerable.Range(0, F).Select(i => _bEnc_F[i] + Enumerable.Range(0, D).Sum(d => (double)_h_ND[(n * D) + d] * _wEnc_DF[(d * F) + i])).ToArray()).ToList();
        var chosen = pres.SelectMany(row => row.Select((p, i) => p > 0 && row.Select((q, j) => q * Norm(j)).Count(s => s > p * Norm(i)) < K)).ToArray();
        var position = 0;
        Same(sae, z: null, gate: (p, _) => chosen[position++] ? p : 0);
    }

    [Fact]
    public void Circuit_tracer_top_k_by_file_and_by_configuration()
    {
        List<(string, Tensor)> arrays = [("W_enc", T(Transposed(_wEnc_DF, D, F), F, D)), ("W_dec", T(_wDec_FD, F, D)), ("b_enc", T(_bEnc_F, F)), ("b_dec", T(_bDec_D, D))];
        Write(_folder.Path, "layer_0.safetensors", [.. arrays, ("k", T([2], 1))]);
        Write(_folder.Path, "layer_1.safetensors", arrays);
        using (var zero = Sae.Open(_folder.Path, layer: 0)) Assert.Equal((SaeArchitecture.TopK, 2), (zero.Info.Architecture, zero.Info.K));
        using (var one = Sae.Open(_folder.File("layer_1.safetensors"))) Same(one, z: p => Math.Max(0, p));
        File.WriteAllText(_folder.File("config.yaml"), "model_name: m # the model\nmodel_kind: transcoder_set\nactivation: topk\nk: 4\nfeature_input_hook: ln2.hook_normalized\n");
        using var configured = Sae.Open(_folder.File("layer_1.safetensors"));
        Assert.Equal((4, "m", "blocks.1.ln2.hook_normalized"), (configured.Info.K, configured.Info.ModelName, configured.Info.HookName));
        File.WriteAllText(_folder.File("config.yaml"), "model_kind: cross_layer_transcoder\n");
        Assert.Equal("FF3015", Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.File("layer_1.safetensors"))).Code);
    }

    [Fact]
    public void Sparsify_finds_its_hooks_below_a_run_that_also_keeps_pickles()
    {
        const int Output = 4;
        foreach (var hook in new[] { "layers.2", "layers.5.mlp" })
        {
            Write(_folder.File("run", hook), "sae.safetensors", [("encoder.weight", T(Transposed(_wEnc_DF, D, F), F, D)), ("encoder.bias", T(_bEnc_F, F)), ("W_dec", T([.. _wDec_FD.Take(F * Output)], F, Output)), ("b_dec", T([.. _bDec_D.Take(Output)], Output))]);
            File.WriteAllText(_folder.File("run", hook, "cfg.json"), $$"""{"activation":"topk","num_latents":{{F}},"k":3,"transcode":true,"d_in":{{D}}}""");
        }

        File.WriteAllBytes(_folder.File("run", "optimizer.pt"), [0x80, 2, (byte)'.']);
        Assert.Equal("FF3006", Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.File("run"))).Code);
        using (var sae = Sae.Open(_folder.File("run"), layer: 5)) Assert.Equal((Site.Tc, 5, Output), (sae.Info.Site, sae.Info.Layer, sae.Info.OutputWidth));
        Directory.Delete(_folder.File("run", "layers.2"), recursive: true);
        using (var only = Sae.Open(_folder.File("run"))) Assert.Equal(3, only.Info.K);
        Directory.Delete(_folder.File("run", "layers.5.mlp"), recursive: true);
        var error = Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.File("run")));
        Assert.Equal(("FF3017", _folder.File("run", "optimizer.pt")), (error.Code, error.File));
    }

    [Fact]
    public void Saelens_fine_tuned_factors_multiply_what_is_decoded()
    {
        float[] factor = [.. Enumerable.Range(1, F).Select(i => i / 2f)];
        Write(_folder.Path, "sae_weights.safetensors", [.. SaeLens, ("scaling_factor", T(factor, F)), ("extra", T([1], 1))]);
        File.WriteAllText(_folder.File("cfg.json"), """{"apply_b_dec_to_input":false,"finetuning_scaling_factor":true}""");
        using (var sae = Sae.Open(_folder.Path))
        {
            Same(sae, z: p => Math.Max(0, p), decoder: (i, o) => _wDec_FD[(i * D) + o] * factor[i]);
            Assert.Contains("array 'extra' is not used", sae.Info.Notes);
        }

        File.WriteAllText(_folder.File("cfg.json"), """{"apply_b_dec_to_input":false}""");
        Assert.Equal("FF3014", Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.Path)).Code);
    }

    [Theory]
    [InlineData("""{"architecture":"topk","k":11}""", "FF3014")]
    [InlineData("""{"architecture":"topk","k":0}""", "FF3014")]
    [InlineData("""{"architecture":"topk","k":"eight"}""", "FF2062")]
    [InlineData("""{"architecture":"skip_transcoder"}""", "FF3013")]
    [InlineData("""{"architecture":"transcoder","apply_b_dec_to_input":true}""", "FF3015")]
    [InlineData("""{"architecture":"transcoder","d_out":5}""", "FF3014")]
    [InlineData("""{"architecture":"gated"}""", "FF3013")]
    [InlineData("""{"architecture":"matching_pursuit"}""", "FF3015")]
    [InlineData("""{"normalize_activations":3}""", "FF2062")]
    [InlineData("""[]""", "FF2060")]
    public void Saelens_refuses_what_cannot_be(string cfg, string code)
    {
        Write(_folder.Path, "sae_weights.safetensors", SaeLens);
        File.WriteAllText(_folder.File("cfg.json"), cfg);
        Assert.Equal(code, Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.Path)).Code);
    }

    [Theory]
    [InlineData("\"act_fn\":\"jumprelu\",\"jump_relu_threshold\":-0.5", "FF3016")]
    [InlineData("\"act_fn\":\"jumprelu\"", "FF2061")]
    [InlineData("\"act_fn\":\"topk\",\"top_k\":50", "FF3014")]
    [InlineData("\"act_fn\":\"gelu\"", "FF3015")]
    [InlineData("\"act_fn\":\"relu\",\"use_glu_encoder\":true", "FF3015")]
    [InlineData("\"act_fn\":\"relu\",\"norm_activation\":\"token-wise\"", "FF3015")]
    [InlineData("\"act_fn\":\"relu\",\"norm_activation\":\"dataset-wise\"", "FF2061")]
    [InlineData("\"act_fn\":\"relu\",\"norm_activation\":\"dataset-wise\",\"dataset_average_activation_norm\":{\"in\":0}", "FF3016")]
    [InlineData("\"act_fn\":\"relu\",\"d_sae\":11", "FF3014")]
    public void Llama_scope_refuses_what_cannot_be(string keys, string code)
    {
        Write(_folder.File("checkpoints"), "final.safetensors", [.. Linear, ("decoder.bias", T(_bDec_D, D))]);
        File.WriteAllText(_folder.File("hyperparams.json"), $"{{{keys}}}");
        Assert.Equal(code, Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.Path)).Code);
    }

    [Fact]
    public void Llama_scope_with_bias_subtracted_and_top_k_works_by_hand()
    {
        Write(_folder.File("checkpoints"), "final.safetensors", [.. Linear, ("decoder.bias", T(_bDec_D, D))]);
        File.WriteAllText(_folder.File("hyperparams.json"), """{"act_fn":"relu","apply_decoder_bias_to_pre_encoder":true,"hook_point_in":"blocks.9.ln2.hook_normalized","hook_point_out":"blocks.9.hook_mlp_out"}""");
        using var sae = Sae.Open(_folder.Path);
        Assert.Equal((Site.Tc, 9, true), (sae.Info.Site, sae.Info.Layer, sae.Info.ApplyBDecToInput));
        Same(sae, z: p => Math.Max(0, p), subtract: true);
    }

    [Fact]
    public void A_search_ends_with_the_depth_and_the_number_of_folders()
    {
        Write(_folder.File("1", "2", "3", "4", "5", "6"), "sae_weights.safetensors", SaeLens);
        File.WriteAllText(_folder.File("1", "2", "3", "4", "5", "6", "cfg.json"), "{}");
        Directory.CreateSymbolicLink(_folder.File("1", "circle"), _folder.Path);
        using (var sae = Sae.Open(_folder.Path)) Assert.Equal("saelens", sae.Info.Format);
        Assert.False(SaeFormats.Search(_folder.Path, 6, [], 5));
        Directory.Move(_folder.File("1"), _folder.File("0"));
        Directory.CreateDirectory(_folder.File("1"));
        Directory.Move(_folder.File("0"), _folder.File("1", "0"));
        Assert.Equal("FF3005", Assert.Throws<FeatureFlowException>(() => Sae.Open(_folder.Path)).Code);
    }

    [Fact]
    public void A_decoder_row_of_zeros_neither_fires_nor_divides_by_zero()
    {
        Array.Clear(_wDec_FD, 0, D);
        Write(_folder.Path, "sae_weights.safetensors", SaeLens);
        File.WriteAllText(_folder.File("cfg.json"), $$"""{"architecture":"topk","k":{{F}},"rescale_acts_by_decoder_norm":true,"metadata":{"hook_name":"blocks.0.hook_resid_post"} }""");
        using var sae = Sae.Open(_folder.Path);
        var (z, recon) = Parity.Run(sae, T(_h_ND, N, D));
        Assert.All(z.Chunk(F), row => Assert.Equal(0, row[0]));
        Assert.All(recon, v => Assert.True(float.IsFinite(v)));
        Assert.Equal((1, 0.0), (sae.Check(CpuEngine.Shared).ZeroNorms, sae.DecoderNorms(CpuEngine.Shared)[0]));
    }
}
