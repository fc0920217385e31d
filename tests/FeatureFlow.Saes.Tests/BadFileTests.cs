using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>fixtures/bad: what a loader must accept, and what it must refuse with one clear error. Verdicts are read from its README.</summary>
public sealed class BadFileTests
{
    // what the error must name beside the file
    private static readonly Dictionary<string, string[]> Names = new()
    {
        ["npz-object-array"] = ["threshold"],
        ["npz-wrong-shape-wdec"] = ["W_dec"],
        ["npz-wrong-shape-benc"] = ["b_enc"],
        ["npz-wrong-rank"] = ["b_dec"],
        ["npz-nan"] = ["W_enc"],
        ["npz-no-threshold"] = ["threshold", "W_enc", "b_dec"],
        ["npz-parent-path"] = ["../outside"],
        ["npz-bad-crc"] = ["W_dec"],
        ["st-config-mismatch"] = ["d_sae", "32", "24"],
        ["st-config-unknown-architecture"] = ["temporal"],
        ["pt-pickle"] = ["safetensors.torch.save_file", "pickle"],
        ["st-duplicate-key"] = ["b_dec"],
    };

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (var (folder, verdict) in Verdicts()) cases.Add(folder, verdict);
        return cases;
    }

    [Fact]
    public void Every_case_of_the_folder_is_in_the_table() =>
        Assert.Equal(Directory.EnumerateDirectories(Repository.Fixture("bad")).Select(Path.GetFileName).Order(StringComparer.Ordinal), Verdicts().Select(v => v.Folder).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Accepts_or_refuses_as_it_should(string folder, string verdict)
    {
        var path = Repository.Fixture("bad", folder);
        var before = Listing();
        FeatureFlowException? refusal = null;
        try
        {
            using var sae = Sae.Open(path);
            if (verdict == "refuse")
            {
                // weights are verified when they are used
                Parity.Run(sae, Tensor.Allocate(DType.F32, 2, sae.Info.InputWidth));
            }
            else
            {
                Parity.Check(sae, Path.Combine(path, "expected.safetensors"));
                Assert.True(sae.Check(CpuEngine.Shared).IsSound);
            }
        }
        catch (FeatureFlowException e)
        {
            refusal = e;
        }

        Assert.Equal(before, Listing());
        if (verdict == "accept") Assert.Null(refusal);
        if (verdict != "refuse") return;
        Assert.NotNull(refusal);
        Assert.Equal(FailureKind.Input, refusal.Kind);
        Assert.StartsWith(path, refusal.File, StringComparison.Ordinal);
        foreach (var name in Names.GetValueOrDefault(folder, [])) Assert.Contains(name, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("npz-nan", "W_enc")]
    [InlineData("npz-bad-crc", "W_dec")]
    public void The_self_check_reports_what_using_would_throw(string folder, string array)
    {
        using var sae = Sae.Open(Repository.Fixture("bad", folder));
        var report = sae.Check(CpuEngine.Shared);
        Assert.False(report.IsSound);
        Assert.Contains(array, Assert.Single(report.Problems), StringComparison.Ordinal);
        if (folder == "npz-nan") Assert.Equal(1, report.Arrays.Single(a => a.Name == "W_enc").NonFinite);
    }

    private static IEnumerable<(string Folder, string Verdict)> Verdicts() =>
        File.ReadLines(Repository.Fixture("bad", "README.md"))
            .Where(l => l.StartsWith("| `", StringComparison.Ordinal))
            .Select(l => l.Split('|', StringSplitOptions.TrimEntries))
            .Select(c => (c[1].Trim('`'), c[2]));

    private static string[] Listing() => [.. Directory.EnumerateFileSystemEntries(Repository.Fixture(), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
