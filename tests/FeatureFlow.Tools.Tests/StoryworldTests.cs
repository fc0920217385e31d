using System.Text.Json;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

public sealed class StoryworldTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Training_that_was_killed_goes_on_to_the_same_bits()
    {
        string[] Build(string name) => ["storyworld", "build", "--quick", "--steps", "60", "--out", _folder.File(name), "--quiet"];
        ToolRun.Of(Build("whole")).Ok();
        var checkpoint = _folder.File("killed", "training", "checkpoint.safetensors");
        using (var process = ToolRun.Start(_folder.Path, Build("killed")))
        {
            while (!process.HasExited && !File.Exists(checkpoint)) Thread.Yield();
            Assert.False(process.HasExited, "it ended before it could be killed");
            process.Kill();
            process.WaitForExit();
        }

        Assert.False(File.Exists(_folder.File("killed", "model", "model.safetensors")));
        ToolRun.Of(Build("killed")).Ok();
        foreach (var file in (string[])["model/model.safetensors", "model/metrics.json", "training/training.csv", "training/checkpoint.safetensors"])
            Assert.True(File.ReadAllBytes(_folder.File("whole", file)).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.File("killed", file))), file);
    }

    [Fact]
    public void Stories_told_are_judged_coherent()
    {
        var told = ToolRun.Of("storyworld", "tell", "--seed", "7", "--count", "2", "--json").Ok().Out;
        using var stories = JsonDocument.Parse(told);
        var text = stories.RootElement[1].GetProperty("text").GetString()!;
        Assert.Equal(text, ToolRun.Of("storyworld", "tell", "--seed", "7", "--first", "1").Ok().Out.Trim());
        File.WriteAllText(_folder.File("story.txt"), text);
        using var score = JsonDocument.Parse(ToolRun.Of("storyworld", "judge", "--file", _folder.File("story.txt"), "--json").Ok().Out);
        Assert.Equal(1, score.RootElement.GetProperty("coherence").GetDouble());
        Assert.Equal(1, score.RootElement.GetProperty("themes").EnumerateObject().Sum(t => t.Value.GetDouble()), 9);
    }

    [Fact]
    public void A_judgement_reads_well() =>
        Golden.Check("FeatureFlow.Tools/storyworld-judge.txt", ToolRun.Of("storyworld", "judge", "--text", "Anna stirred the soup. The anchor held. Soup anchor the. I think the priest pray").Ok().Out);

    [Fact]
    public void Without_a_text_there_is_nothing_to_judge()
    {
        Assert.Equal(2, ToolRun.Of("storyworld", "judge").Code);
        Assert.Equal(3, ToolRun.Of("storyworld", "judge", "--file", _folder.File("none.txt")).Code);
    }
}
