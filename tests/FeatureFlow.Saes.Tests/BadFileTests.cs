using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;
using Xunit.Abstractions;

namespace FeatureFlow.Saes.Tests;

/// <summary>Every folder of fixtures/bad, judged as its README says.</summary>
public sealed class BadFileTests(ITestOutputHelper output)
{
    private static readonly string s_root = Repository.Fixture("bad");

    // case -> code, file that the error names, words that it must hold (array, key, place, remedy); no code: accepted
    private static readonly Dictionary<string, (string? Code, string File, string[] Says)> s_verdicts = new(StringComparer.Ordinal)
    {
        ["npz-ok"] = (null, "", []),
        ["npz-fortran-order"] = (null, "", []),
        ["npz-big-endian"] = (null, "", []),
        ["npz-extra-member"] = (null, "", []),
        ["st-ok"] = (null, "", []),
        ["npz-truncated"] = ("FF2021", "params.npz", ["directory", "download"]),
        ["npz-empty"] = ("FF2004", "params.npz", ["0 bytes", "again"]),
        ["npz-not-zip"] = ("FF2020", "params.npz", ["zip"]),
        ["npz-object-array"] = ("FF2028", "params.npz", ["'threshold'", "pickle"]),
        ["npz-wrong-shape-wdec"] = ("FF3010", "params.npz", ["'W_dec'", "F32[8,24]", "[24,8]"]),
        ["npz-wrong-shape-benc"] = ("FF3010", "params.npz", ["'b_enc'", "F32[23]", "[24]"]),
        ["npz-wrong-rank"] = ("FF3010", "params.npz", ["'b_dec'", "F32[1,8,1]", "[8]"]),
        ["npz-nan"] = ("FF3011", "params.npz", ["'W_enc'", "NaN", "element"]),
        ["npz-no-threshold"] = ("FF3013", "params.npz", ["'threshold'", "W_enc", "W_dec", "b_enc", "b_dec"]),
        ["npz-parent-path"] = ("FF2023", "params.npz", ["../outside.npy"]),
        ["npz-bad-crc"] = ("FF2026", "params.npz", ["'W_dec'", "CRC-32"]),
        ["st-overlap"] = ("FF2010", "sae_weights.safetensors", ["'b_enc'", "'threshold'", "overlap"]),
        ["st-header-too-long"] = ("FF2010", "sae_weights.safetensors", ["1000000"]),
        ["st-header-huge"] = ("FF2010", "sae_weights.safetensors", ["9223372036854775807"]),
        ["st-header-not-utf8"] = ("FF2010", "sae_weights.safetensors", ["UTF-8", "byte"]),
        ["st-duplicate-key"] = ("FF2010", "sae_weights.safetensors", ["'b_dec'", "twice"]),
        ["st-truncated-data"] = ("FF2010", "sae_weights.safetensors", ["cut"]),
        ["st-header-not-json"] = ("FF2010", "sae_weights.safetensors", ["JSON", "byte"]),
        ["st-shape-size-mismatch"] = ("FF2010", "sae_weights.safetensors", ["'W_enc'", "bytes"]),
        ["st-config-mismatch"] = ("FF3014", "cfg.json", ["'d_sae'", "32", "24"]),
        ["st-config-broken"] = ("FF2060", "cfg.json", ["JSON"]),
        ["st-config-unknown-architecture"] = ("FF3015", "cfg.json", ["'temporal'"]),
        ["pt-pickle"] = ("FF3017", "ae.pt", ["pickle", "torch.load('ae.pt'", "ae.safetensors"]),
    };

    private static IEnumerable<string> Names => Directory.GetDirectories(s_root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);

    public static TheoryData<string> Folders => [.. Names];

    [Fact]
    public void Each_has_a_verdict() => Assert.Equal(s_verdicts.Keys.Order(StringComparer.Ordinal), Names);

    [Theory]
    [MemberData(nameof(Folders))]
    public void Is_judged_as_the_readme_says(string folder)
    {
        var (code, file, says) = s_verdicts[folder];
        var path = Path.Combine(s_root, folder);
        var before = Everything();
        if (code is null)
        {
            using var sae = Sae.Open(path);
            Parity.Check(sae, Path.Combine(path, "expected.safetensors"));
            return;
        }

        var memory = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<FeatureFlowException>(() =>
        {
            using var sae = Sae.Open(path);
            using var h = Tensor.Allocate(DType.F32, 2, sae.Info.InputWidth);
            Parity.Run(sae, h);
        });
        output.WriteLine(error.Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - memory, 0, 4 << 20);
        Assert.Equal((code, FailureKind.Input, Path.Combine(path, file)), (error.Code, error.Kind, error.File));
        Assert.All(says, word => Assert.Contains(word, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain('\n', error.Message);
        Assert.Equal(before, Everything());
    }

    [Fact]
    public void A_pickle_is_refused_under_any_name_and_as_a_file()
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("sae.safetensors.dat"), [0x80, 0x02, (byte)'}', (byte)'.']);
        foreach (var path in new[] { Path.Combine(s_root, "pt-pickle", "ae.pt"), folder.File("sae.safetensors.dat") })
        {
            Assert.Equal("FF3017", Assert.Throws<FeatureFlowException>(() => Sae.Open(path)).Code);
        }

        // a torch file that calls itself an npz
        File.Copy(Path.Combine(s_root, "pt-pickle", "ae.pt"), folder.File("params.npz"));
        Assert.Equal("FF2027", Assert.Throws<FeatureFlowException>(() => Sae.Open(folder.Path)).Code);
    }

    [Theory]
    [InlineData("npz-nan", "W_enc")]
    [InlineData("npz-bad-crc", "W_dec")]
    public void The_self_check_reports_what_using_would_throw(string folder, string array)
    {
        using var sae = Sae.Open(Path.Combine(s_root, folder));
        var report = sae.Check(TestEngine.Shared);
        Assert.False(report.IsSound);
        Assert.Contains(array, Assert.Single(report.Problems), StringComparison.Ordinal);
        if (folder == "npz-nan") Assert.Equal(1, report.Arrays.Single(a => a.Name == "W_enc").NonFinite);
    }

    private static string Everything() => string.Join('\n', Directory.EnumerateFileSystemEntries(s_root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
}
