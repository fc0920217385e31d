using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Yaml;

/// <summary>Every YAML file under examples is read and checked: a key that is renamed must be renamed there too.</summary>
public sealed class ShippedExampleTests
{
    public static TheoryData<string> Files =>
        [.. Directory.EnumerateFiles(Repository.Example(), "*.yaml", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Repository.Example(), f).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void It_loads(string name)
    {
        var path = Repository.Example(name.Split('/'));
        var text = File.ReadAllText(path);
        if (name.EndsWith("/pack.yaml", StringComparison.Ordinal)) Assert.NotEmpty(PackFile.Load(path).Saes);
        else if (text.Contains("kind: steering-plan", StringComparison.Ordinal)) Assert.NotEmpty(SteeringPlanFile.Read(path).Single().Edits);
        else Assert.Contains($"kind: {ExperimentFile.Load(path).KindName}\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void There_is_one_of_every_kind()
    {
        var kinds = Directory.EnumerateFiles(Repository.Example(), "*.yaml", SearchOption.AllDirectories).SelectMany(File.ReadLines).Where(l => l.StartsWith("kind: ", StringComparison.Ordinal)).Select(l => l[6..].Trim());
        Assert.Empty(ExperimentKinds.All.Select(k => k.Name).Except(kinds));
    }
}
