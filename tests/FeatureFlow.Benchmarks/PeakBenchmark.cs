using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>The limits of this machine that other rows are held against: multiply-adds, and reading memory.</summary>
internal sealed class PeakBenchmark : Benchmark
{
    private const int Rows = 65536, D = 2304;

    public override string Name => "peak";

    public override string Measures => "multiply-adds a second in registers, on one thread and on all; reading memory";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var instructions = CpuEngine.Shared.Info.Instructions;
        foreach (var threads in new[] { 1, options.Threads }.Distinct())
            yield return new Row($"FMA peak, {Text.Threads(threads)} ({instructions})", FmaPeak.Measure(threads), "GFLOP/s");

        using var engine = new CpuEngine(options.Threads);
        using Tensor big = Made.Matrix(1, Rows, D), norms = Tensor.Allocate(DType.F32, Rows);
        var read = Timing.Measure(options.Runs, () => engine.RowNorms(big, norms));
        yield return new Row($"row norms of {Rows}x{D}, {Text.Threads(options.Threads)}", 4.0 * Rows * D / read.Median / 1e9, "GB/s", Spread: read.Spread);
    }
}

/// <summary>Words that rows share.</summary>
internal static class Text
{
    public static string Threads(int count) => count == 1 ? "1 thread" : $"{count} threads";
}
