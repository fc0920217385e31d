using System.Globalization;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Tests.Training;

/// <summary>A run of a few seconds, in this process or in one that is killed.</summary>
internal static class TrainingRun
{
    public const int Steps = 240;

    public static IReadOnlyList<SaeRecipe> Recipes { get; } =
    [
        Recipe(MadeUpActivations.First, SaeTrainingKind.JumpRelu),
        Recipe(MadeUpActivations.Second, SaeTrainingKind.JumpRelu) with { ReviveEvery = 20 },
        Recipe(MadeUpActivations.Second, SaeTrainingKind.TopK),
        Recipe(MadeUpActivations.First, SaeTrainingKind.BatchTopK),
    ];

    public static SaeRecipe Recipe(Models.SiteAddress address, SaeTrainingKind kind) =>
        new() { Address = address, FeatureCount = 64, Kind = kind, TargetL0 = 3, WarmUpSteps = 20, PenaltyWarmUpSteps = 50 };

    public static SaeTrainingOptions Options(string? checkpoint, int steps = Steps) =>
        new() { Steps = steps, BatchSize = 128, BufferTokens = 1000, Seed = 11, DeadAfterTokens = 2000, CheckpointPath = checkpoint, CheckpointEvery = 16 };

    public static SaeTrainer Trainer(string? checkpoint, int threads = 1, int steps = Steps) =>
        new(new CpuEngine(threads), MadeUpActivations.Source(threads: threads), Recipes, Options(checkpoint, steps));

    /// <summary>Every number that a run ends in.</summary>
    public static float[][] Numbers(SaeTrainer trainer) =>
        [.. trainer.Results().SelectMany(r => (Tensor?[])[r.WEnc_DF.Transpose(), r.WDec_FD, r.BEnc_F, r.BDec_D, r.Threshold_F]).OfType<Tensor>().Select(t => t.AsSpan<float>().ToArray())];

    /// <summary>The process that is killed: trains, saying each step.</summary>
    public static int Main(string[] args)
    {
        using var trainer = Trainer(args[0]);
        trainer.Run(new Spoken());
        return 0;
    }

    private sealed class Spoken : IProgress<SaeTrainingProgress>
    {
        public void Report(SaeTrainingProgress value)
        {
            Console.WriteLine(value.Step.ToString(CultureInfo.InvariantCulture));
            Console.Out.Flush();
        }
    }
}
