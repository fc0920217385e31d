using System.Text.RegularExpressions;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>The README and the pages of docs: their commands run, their links lead somewhere.</summary>
public sealed partial class ReadmeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Commands_of_the_readme_run()
    {
        var lines = File.ReadLines(Path.Combine(Repository.Root, "README.md")).Where(l => l.StartsWith("featureflow ", StringComparison.Ordinal)).ToList();
        Assert.True(lines.Count >= 4);
        foreach (var line in lines)
        {
            var words = line.Split(' ')[1..].Select(w => w.StartsWith("examples/", StringComparison.Ordinal) ? Path.Combine(Repository.Root, w) : w.Contains('.', StringComparison.Ordinal) ? _folder.File(w) : w).ToList();
            if (words[0] == "demo") words.AddRange(["--out", _folder.File("demo")]);
            ToolRun.Of([.. words]).Ok();
        }
    }

    [Fact]
    public void The_first_screen_holds_the_two_commands_a_picture_and_the_pipeline()
    {
        var screen = string.Join('\n', File.ReadLines(Path.Combine(Repository.Root, "README.md")).Take(26));
        Assert.Contains("dotnet run -c Release --project src/FeatureFlow.Tools -- demo", screen, StringComparison.Ordinal);
        Assert.Contains("dotnet test -c Release", screen, StringComparison.Ordinal);
        Assert.Contains("](docs/images/flow-graph.svg)", screen, StringComparison.Ordinal);
        Assert.Contains("Get-SaeFeature", screen, StringComparison.Ordinal);
    }

    [Fact]
    public void The_check_of_the_repository_is_the_test_command_of_the_readme() =>
        Assert.Contains("\ndotnet test -c Release\n", File.ReadAllText(Path.Combine(Repository.Root, ".ci", "run")), StringComparison.Ordinal);

    [Fact]
    public void Links_between_pages_lead_somewhere()
    {
        var pages = Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Repository.Root, "*.md"));
        var checkedLinks = 0;
        foreach (var page in pages)
        {
            foreach (Match link in Link().Matches(File.ReadAllText(page)))
            {
                var target = link.Groups[1].Value.Split('#')[0];
                if (target.Length == 0 || target.Contains("://", StringComparison.Ordinal)) continue;
                Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, target)), $"{page} leads to {target}, which does not exist.");
                checkedLinks++;
            }
        }

        Assert.True(checkedLinks > 20);
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
