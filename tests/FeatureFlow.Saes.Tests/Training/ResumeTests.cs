using System.Diagnostics;
using System.Globalization;
using FeatureFlow.Models;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests.Training;

/// <summary>A run that is taken up ends in the bits of one that was never interrupted.</summary>
public sealed class ResumeTests : IDisposable
{
    private static readonly Lazy<float[][]> s_uninterrupted = new(() =>
    {
        using var trainer = TrainingRun.Trainer(null);
        trainer.Run();
        return TrainingRun.Numbers(trainer);
    });

    private readonly TempFolder _folder = new();

    private string Checkpoint => _folder.File("run.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void After_kill_nine()
    {
        var start = new ProcessStartInfo("dotnet", ["exec", typeof(TrainingRun).Assembly.Location, Checkpoint]) { RedirectStandardOutput = true };
        using (var process = Process.Start(start)!)
        {
            var step = 0;
            while (step < 100 && process.StandardOutput.ReadLine() is { } line) step = int.Parse(line, CultureInfo.InvariantCulture);
            process.Kill();
            process.WaitForExit();
            Assert.Equal(100, step);
            Assert.NotEqual(0, process.ExitCode);
        }

        using var trainer = TrainingRun.Trainer(Checkpoint);
        Assert.InRange(trainer.Step, 96, TrainingRun.Steps - 1);
        Assert.Equal(0, trainer.Step % 16);
        trainer.Run();
        Same(s_uninterrupted.Value, TrainingRun.Numbers(trainer));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(45)]
    [InlineData(77)]
    public void After_cancelling_anywhere(int stop)
    {
        using (var cancel = new CancellationTokenSource())
        using (var trainer = TrainingRun.Trainer(Checkpoint))
        {
            Assert.Throws<OperationCanceledException>(() => trainer.Run(new Told(p =>
            {
                if (p.Step == stop) cancel.Cancel();
            }), cancel.Token));
            Assert.Equal(stop, trainer.Step);
        }

        using var second = TrainingRun.Trainer(Checkpoint);
        Assert.Equal(stop, second.Step);
        second.Run();
        Same(s_uninterrupted.Value, TrainingRun.Numbers(second));

        // and what is finished stays finished
        using var third = TrainingRun.Trainer(Checkpoint);
        Assert.Equal(TrainingRun.Steps, third.Step);
        third.Run();
        Same(s_uninterrupted.Value, TrainingRun.Numbers(third));
    }

    [Fact]
    public void With_another_number_of_threads()
    {
        using var trainer = TrainingRun.Trainer(null, threads: 3);
        trainer.Run();
        Same(s_uninterrupted.Value, TrainingRun.Numbers(trainer));
    }

    [Fact]
    public void An_sae_does_not_depend_on_those_trained_beside_it()
    {
        using var alone = new SaeTrainer(CpuEngine.Shared, MadeUpActivations.Source(), [TrainingRun.Recipes[1]], TrainingRun.Options(null));
        alone.Run();
        var numbers = TrainingRun.Numbers(alone);
        Same(s_uninterrupted.Value[5..10], numbers);
    }

    [Fact]
    public void The_checkpoint_of_another_run_is_refused()
    {
        using (var trainer = TrainingRun.Trainer(Checkpoint, steps: 16)) trainer.Run();
        Assert.Equal("FF3107", Code(() => TrainingRun.Trainer(Checkpoint, steps: 17)));
        Assert.Equal("FF3107", Code(() => new SaeTrainer(CpuEngine.Shared, MadeUpActivations.Source(tokens: 5000), TrainingRun.Recipes, TrainingRun.Options(Checkpoint, 16))));
        Assert.Equal("FF3107", Code(() => new SaeTrainer(CpuEngine.Shared, MadeUpActivations.Source(), TrainingRun.Recipes.Take(2).ToList(), TrainingRun.Options(Checkpoint, 16))));
        File.WriteAllText(Checkpoint, "no checkpoint");
        Assert.Equal("FF2010", Code(() => TrainingRun.Trainer(Checkpoint, steps: 16)));
    }

    private static string Code(Func<SaeTrainer> make) => Assert.Throws<FeatureFlowException>(() => make().Dispose()).Code;

    private static void Same(float[][] wanted, float[][] actual)
    {
        Assert.Equal(wanted.Length, actual.Length);
        for (var i = 0; i < wanted.Length; i++) Assert.True(wanted[i].AsSpan().SequenceEqual(actual[i]), $"tensor {i} differs");
    }
}

/// <summary>Tells a function at once, on the calling thread.</summary>
internal sealed class Told(Action<SaeTrainingProgress> tell) : IProgress<SaeTrainingProgress>
{
    public void Report(SaeTrainingProgress value) => tell(value);
}
