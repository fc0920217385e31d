using FeatureFlow.Models;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>One update of a JumpReLU SAE with 16,384 features against the same update in eager libtorch: made-up activations of the sparsity that training has.</summary>
internal sealed class SaeTrainBenchmark : Benchmark
{
    private const int Features = 16384, Batch = 2048, L0 = 64;

    public override string Name => "saetrain";

    public override string Measures => $"updates of a JumpReLU SAE, {Features} features, L0 {L0}: tokens a second, libtorch, the encoder's product alone";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        foreach (var d in new[] { 768, 2304 })
        {
            using var engine = new CpuEngine(options.Threads);
            using var x = Made.Matrix(1, 4 * Batch, d);
            using var source = new ArrayActivationSource(engine, [(new SiteAddress(0, Site.Res), x)], seed: 1, "made up");
            var recipe = new SaeRecipe { Address = new SiteAddress(0, Site.Res), FeatureCount = Features, TargetL0 = L0, InitialL0Factor = 1, WarmUpSteps = 1_000_000, Bandwidth = 0.02, ReviveEvery = 0 };
            using var trainer = new SaeTrainer(engine, source, [recipe], new SaeTrainingOptions { Steps = int.MaxValue, BatchSize = Batch, BufferTokens = 4 * Batch });
            using Tensor weights = Made.Matrix(2, Features, d), batch = Made.Matrix(3, Batch, d), pre = Tensor.Allocate(DType.F32, Batch, Features);
            using var torch = Python.TorchSaeTraining(options.Threads, Batch, d, Features, L0);
            var times = Timing.Turns(
                options.Runs,
                Timing.Timed(() => trainer.Run(1)),
                torch is null ? () => 1 : torch.Seconds,
                Timing.Timed(() => engine.MatMul(batch, weights.Transpose(), pre)));
            var on = $"{Batch} tokens, d {d}, F {Features}, {Text.Threads(options.Threads)}";
            yield return torch is null
                ? Row.Absent($"update, {on}", "libtorch")
                : new Row($"update, {on}", Batch / times[0].Median, "tokens/s", $"libtorch {Batch / times[1].Median:0} tokens/s", times[0].FasterThan(times[1]), 1.5, times[0].Spread);
            yield return new Row($"  against the encoder's product alone", Batch / times[2].Median, "tokens/s", "the product", times[0].FasterThan(times[2]), Spread: times[2].Spread);
            yield return new Row($"  mean L0 of the timed updates", trainer.Figures()[0].L0, "features");
        }
    }
}
