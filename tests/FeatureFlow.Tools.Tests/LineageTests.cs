using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>The example experiments of groups and deactivation, made smaller still.</summary>
public sealed class LineageTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_example_of_groups_runs()
    {
        ToolRun.Of("run", Repository.Example("groups.yaml"), "--out", _folder.Path, "--set", "documents=2", "--set", "layers=1-2", "--set", "pearson_tokens=400").Ok();
        var rows = File.ReadLines(_folder.File("groups.csv")).Skip(1).Select(l => l.Split(',')).ToList();
        Assert.Equal(2 * 2 * 8, rows.Count); // data sets, layers, groups
        Assert.Equal(["*.md", "stories.jsonl"], rows.Select(r => r[^1]).Distinct().Order(StringComparer.Ordinal));
        Assert.True(File.Exists(_folder.File("figures", "matchers.svg")));
    }

    [Fact]
    public void The_example_of_deactivation_runs()
    {
        ToolRun.Of("run", Repository.Example("deactivation.yaml"), "--out", _folder.Path, "--set", "documents=2", "--set", "layers=1", "--set", "pearson_tokens=400", "--set", "sweep_targets=4").Ok();
        Assert.Equal(["exhaustive", "pearson", "permutation", "random", "top1", "top5"], File.ReadLines(_folder.File("methods.csv")).Skip(1).Select(l => l.Split(',')[0]).Order(StringComparer.Ordinal));
        Assert.Contains("combined groups need all predecessors cut", File.ReadAllText(_folder.File("claims.csv")), StringComparison.Ordinal);
    }
}
