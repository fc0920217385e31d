using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>Every folder of fixtures/saes: one SAE as each project writes it, with what that project computes.</summary>
public sealed class FixtureTests
{
    public static TheoryData<string> Folders() => [.. Directory.EnumerateDirectories(Repository.Fixture("saes")).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void All_fixtures_are_there() => Assert.Equal(25, Folders().Count);

    [Theory]
    [MemberData(nameof(Folders))]
    public void Encodes_and_decodes_as_the_project_does(string folder)
    {
        using var sae = Sae.Open(Repository.Fixture("saes", folder));
        Parity.Check(sae, Repository.Fixture("saes", folder, "expected.safetensors"));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void The_self_check_finds_nothing(string folder)
    {
        using var sae = Sae.Open(Repository.Fixture("saes", folder));
        var report = sae.Check(CpuEngine.Shared);
        Assert.Empty(report.Problems);
        Assert.True(report.IsSound);
        Assert.Equal(0, report.ZeroNorms);
        Assert.NotNull(report.DecoderNorms);
        Assert.Equal(sae.Threshold_F is null, report.Thresholds is null);
        Assert.All(report.Arrays, a => Assert.Equal(0, a.NonFinite));
        Assert.True(report.Arrays.Count >= 4);
    }

    [Theory]
    [InlineData("gemmascope-npz-compressed", "gemma-scope", SaeArchitecture.JumpRelu, null, 2)]
    [InlineData("saelens-jumprelu", "saelens", SaeArchitecture.JumpRelu, Site.Res, 2)]
    [InlineData("saelens-standard-hookz", "saelens", SaeArchitecture.Relu, Site.AttZ, 2)]
    [InlineData("saelens-old-topk", "saelens", SaeArchitecture.TopK, Site.Res, 2)]
    [InlineData("saelens-gated", "saelens", SaeArchitecture.Gated, Site.Res, 2)]
    [InlineData("saelens-skip-transcoder", "saelens", SaeArchitecture.Relu, Site.Tc, 2)]
    [InlineData("llamascope-topk-config", "llama-scope", SaeArchitecture.JumpRelu, Site.Res, 2)]
    [InlineData("sparsify-groupmax", "sparsify", SaeArchitecture.GroupMax, Site.Res, 2)]
    [InlineData("sparsify-transcoder-skip", "sparsify", SaeArchitecture.TopK, Site.Tc, 2)]
    public void Says_what_it_is(string folder, string format, SaeArchitecture architecture, Site? site, int layer)
    {
        using var sae = Sae.Open(Repository.Fixture("saes", folder));
        Assert.Equal((format, architecture, site, layer), (sae.Info.Format, sae.Info.Architecture, sae.Info.Site, sae.Info.Layer));
        Assert.Equal(64, sae.Info.InputWidth);
    }

    [Fact]
    public void Weights_stay_in_their_stored_type()
    {
        using var sae = Sae.Open(Repository.Fixture("saes", "llamascope-bf16"));
        Assert.Equal((DType.BF16, DType.BF16, DType.BF16), (sae.DecoderWeights_FD.DType, sae.EncoderWeights_DF.DType, sae.Info.WeightType));
    }

    [Fact]
    public void Factors_folded_from_outside_give_the_folded_results()
    {
        // expected_average_only_in: W_enc·s, W_dec/s, b_dec/s, applied by hand around the unscaled SAE
        var folder = Repository.Fixture("saes", "saelens-norm-average");
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        using var sae = Sae.Open(folder);
        var s = expected.Get("factor").AsSpan<float>()[0];
        var h = expected.Get("h").AsSpan<float>().ToArray();
        using var scaled = Tensor.From(Array.ConvertAll(h, v => v * s), 32, 64);
        var (z, recon) = Parity.Run(sae, scaled);
        Assert.InRange(Parity.Difference(expected.Get("z_folded").AsSpan<float>().ToArray(), z), 0, Parity.Tolerance);
        Assert.InRange(Parity.Difference(expected.Get("recon_folded").AsSpan<float>().ToArray(), Array.ConvertAll(recon, v => v / s)), 0, Parity.Tolerance);
    }
}
