using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Flow;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Storyworld;

public sealed class StoryworldBuildTests
{
    private static readonly string[] Files = ["config.json", "generation_config.json", "metrics.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

    [Fact]
    public void A_build_that_was_stopped_goes_on_to_the_same_files()
    {
        using var folder = new TempFolder();
        var whole = StoryworldBuild.Run(folder.File("whole"), StoryworldPlan.Quick, CpuEngine.Shared);
        using var stop = new CancellationTokenSource();
        var progress = new Stopper(5, stop);
        Assert.Throws<OperationCanceledException>(() => StoryworldBuild.Run(folder.File("parts"), StoryworldPlan.Quick, CpuEngine.Shared, progress, stop.Token));
        // as a kill would leave it: a log that knows more steps than the checkpoint
        File.AppendAllText(folder.File("parts", "training", "training.csv"), "6,1,1,1,1\n");
        Assert.Equal(whole, StoryworldBuild.Run(folder.File("parts"), StoryworldPlan.Quick, CpuEngine.Shared));
        Assert.Equal(Files, Directory.EnumerateFiles(folder.File("whole", "model")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var file in Files.Select(f => Path.Combine("model", f)).Append(Path.Combine("training", "training.csv")).Append(Path.Combine("training", "checkpoint.safetensors")))
            Assert.True(File.ReadAllBytes(folder.File("whole", file)).AsSpan().SequenceEqual(File.ReadAllBytes(folder.File("parts", file))), file);
    }

    [Fact]
    public void The_report_compares_with_the_entropy_of_the_same_stories()
    {
        using var folder = new TempFolder();
        var report = StoryworldBuild.Run(folder.Path, StoryworldPlan.Quick, CpuEngine.Shared);
        Assert.InRange(report.Stories, 4, 16); // those that fit into the context
        Assert.Equal(8, report.Steps);
        Assert.InRange(report.EntropyPerStory, 80, 180);
        Assert.InRange(report.Loss, 3, Math.Log(512) + 0.5); // hardly trained
        Assert.Equal(report.EntropyPerStory / report.Entropy, report.LossPerStory / report.Loss, 9);
        Assert.Equal("FF2401", Assert.Throws<FeatureFlowException>(() => StoryworldBuild.Run(folder.Path, StoryworldPlan.Quick with { Seed = 2 }, CpuEngine.Shared)).Code);
    }

    [Fact]
    public void A_model_can_be_written_on_the_way_and_the_way_gone_on()
    {
        using var folder = new TempFolder();
        var whole = StoryworldBuild.Run(folder.File("whole"), StoryworldPlan.Quick, CpuEngine.Shared);
        var half = StoryworldBuild.Run(folder.File("parts"), StoryworldPlan.Quick with { Until = 4 }, CpuEngine.Shared);
        Assert.Equal(4, half.Steps);
        Assert.True(File.Exists(folder.File("parts", "model", "model.safetensors")));
        Assert.Equal(whole, StoryworldBuild.Run(folder.File("parts"), StoryworldPlan.Quick, CpuEngine.Shared));
    }

    private sealed class Stopper(int after, CancellationTokenSource stop) : IProgress<FlowProgress>
    {
        private int _reports;

        public void Report(FlowProgress value)
        {
            if (++_reports == after) stop.Cancel();
        }
    }
}
