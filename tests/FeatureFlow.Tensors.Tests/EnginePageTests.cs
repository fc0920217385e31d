using FeatureFlow.Testing;

namespace FeatureFlow.Tensors.Tests;

/// <summary>docs/engine.md has a row for every operation.</summary>
public sealed class EnginePageTests
{
    [Fact]
    public void Every_operation_is_listed()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "engine.md"));
        var operations = typeof(ITensorEngine).GetMethods().Where(m => !m.IsSpecialName).Select(m => m.Name).Distinct().ToList();
        Assert.True(operations.Count >= 15);
        Assert.All(operations, o => Assert.Contains($"| `{o}` |", page, StringComparison.Ordinal));
    }
}
