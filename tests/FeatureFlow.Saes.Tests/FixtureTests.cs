using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;
using Xunit.Abstractions;

namespace FeatureFlow.Saes.Tests;

/// <summary>Every folder of fixtures/saes: one SAE as each project writes it, with what that project computes.</summary>
public sealed class FixtureTests(ITestOutputHelper output)
{
    private static readonly string s_root = Repository.Fixture("saes");

    public static TheoryData<string> Folders => [.. Directory.GetDirectories(s_root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void Are_all_here() => Assert.Equal(25, Folders.Count);

    [Theory]
    [MemberData(nameof(Folders))]
    public void Encodes_and_decodes_as_the_project_does(string folder)
    {
        using var sae = Sae.Open(Path.Combine(s_root, folder));
        var (z, recon) = Parity.Check(sae, Path.Combine(s_root, folder, "expected.safetensors"));
        output.WriteLine($"{folder}: {sae.Info.Format} {sae.Info.Architecture} z {z:e1} recon {recon:e1}");
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void The_self_check_finds_nothing(string folder)
    {
        using var sae = Sae.Open(Path.Combine(s_root, folder));
        var report = sae.Check(TestEngine.Shared);
        Assert.Empty(report.Problems);
        Assert.True(report.IsSound);
        Assert.Equal(0, report.ZeroNorms);
        Assert.NotNull(report.DecoderNorms);
        Assert.Equal(sae.Threshold_F is null, report.Thresholds is null);
        Assert.All(report.Arrays, a => Assert.Equal(0, a.NonFinite));
        Assert.True(report.Arrays.Count >= 4);
        Assert.DoesNotContain(sae.Info.Notes, n => n.Contains("not used", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("gemmascope-npz-compressed", "gemma-scope", SaeArchitecture.JumpRelu, null, 2, null)]
    [InlineData("saelens-standard", "saelens", SaeArchitecture.Relu, Site.Res, 2, null)]
    [InlineData("saelens-standard-hookz", "saelens", SaeArchitecture.Relu, Site.AttZ, 2, null)]
    [InlineData("saelens-batchtopk", "saelens", SaeArchitecture.JumpRelu, Site.Res, 2, null)]
    [InlineData("saelens-gated", "saelens", SaeArchitecture.Gated, Site.Res, 2, null)]
    [InlineData("saelens-old-topk", "saelens", SaeArchitecture.TopK, Site.Res, 2, 8)]
    [InlineData("saelens-old-standard", "saelens", SaeArchitecture.Relu, Site.Res, 2, null)]
    [InlineData("saelens-skip-transcoder", "saelens", SaeArchitecture.Relu, Site.Tc, 2, null)]
    [InlineData("llamascope-bf16", "llama-scope", SaeArchitecture.JumpRelu, Site.Res, 2, null)]
    [InlineData("llamascope-topk-config", "llama-scope", SaeArchitecture.JumpRelu, Site.Res, 2, null)]
    [InlineData("sparsify-groupmax", "sparsify", SaeArchitecture.GroupMax, Site.Res, 2, 8)]
    [InlineData("sparsify-transcoder-skip", "sparsify", SaeArchitecture.TopK, Site.Tc, 2, 8)]
    public void Says_what_it_is(string folder, string format, SaeArchitecture architecture, Site? site, int? layer, int? k)
    {
        using var sae = Sae.Open(Path.Combine(s_root, folder));
        Assert.Equal((format, architecture, site, layer, k), (sae.Info.Format, sae.Info.Architecture, sae.Info.Site, sae.Info.Layer, sae.Info.K));
        Assert.Equal((site == Site.Tc, 64), (sae.Info.IsTranscoder, sae.Info.InputWidth));
    }

    [Theory]
    [InlineData("saelens-standard", "saelens-standard-bdec")]
    [InlineData("saelens-jumprelu", "saelens-jumprelu-bdec")]
    [InlineData("saelens-topk", "sparsify-topk")]
    [InlineData("saelens-jumprelu", "gemmascope-npz")]
    public void Same_function_gives_same_activations(string one, string other)
    {
        using var a = Sae.Open(Path.Combine(s_root, one));
        using var b = Sae.Open(Path.Combine(s_root, other));
        using var expected = SafetensorsFile.Open(Path.Combine(s_root, one, "expected.safetensors"));
        var (zA, reconA) = Parity.Run(a, expected.Get("h"));
        var (zB, reconB) = Parity.Run(b, expected.Get("h"));
        Assert.InRange(Parity.Difference(zA, zB), 0, Parity.Tolerance);
        Assert.InRange(Parity.Difference(reconA, reconB), 0, Parity.Tolerance);
    }

    [Fact]
    public void Scaling_inputs_from_outside_is_the_fold_that_the_note_asks_for()
    {
        var folder = Path.Combine(s_root, "saelens-norm-average");
        using var sae = Sae.Open(folder);
        Assert.Contains(sae.Info.Notes, n => n.Contains("multiply the inputs by the factor", StringComparison.Ordinal));
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        var factor = expected.Get("factor").AsSpan<float>()[0];
        var h = expected.Get("h");
        using var scaled = Tensor.From([.. h.AsSpan<float>().ToArray().Select(v => v * factor)], h.Shape);
        var (z, recon) = Parity.Run(sae, scaled);
        Assert.InRange(Parity.Difference(expected.Get("z_folded").AsSpan<float>().ToArray(), z), 0, Parity.Tolerance);
        Assert.InRange(Parity.Difference(expected.Get("recon_folded").AsSpan<float>().ToArray(), [.. recon.Select(v => v / factor)]), 0, Parity.Tolerance);
    }

    [Theory]
    [InlineData("llamascope-bf16/hyperparams.json")]
    [InlineData("llamascope-bf16/checkpoints/final.safetensors")]
    [InlineData("llamascope-bf16/checkpoints")]
    [InlineData("saelens-topk/cfg.json")]
    [InlineData("saelens-topk/sae_weights.safetensors")]
    [InlineData("sparsify-topk/layers.2/sae.safetensors")]
    [InlineData("gemmascope-npz/params.npz")]
    public void Opens_from_its_own_file_too(string path)
    {
        using var sae = Sae.Open(Path.Combine([s_root, .. path.Split('/')]));
        Parity.Check(sae, Path.Combine(s_root, path.Split('/')[0], "expected.safetensors"));
    }

    [Fact]
    public void Weights_stay_in_their_stored_type()
    {
        using var sae = Sae.Open(Path.Combine(s_root, "llamascope-bf16"));
        Assert.Equal((DType.BF16, DType.BF16, DType.BF16), (sae.DecoderWeights_FD.DType, sae.EncoderWeights_DF.DType, sae.Info.WeightType));
    }

    [Fact]
    public void A_folder_of_several_names_them_unless_site_and_layer_pick_one()
    {
        var error = Assert.Throws<FeatureFlowException>(() => Sae.Open(s_root));
        Assert.Equal("FF3006", error.Code);
        Assert.Contains("llamascope-bf16", error.Message, StringComparison.Ordinal);
        using var one = Sae.Open(s_root, Site.AttZ, 2);
        Assert.EndsWith("saelens-standard-hookz", one.Info.Path, StringComparison.Ordinal);
    }
}
