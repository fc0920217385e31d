using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>Matrix products at d = 2304 against the machine's measured multiply-add peak, and against OpenBLAS and libtorch.</summary>
internal sealed class GemmBenchmark : Benchmark
{
    private const int D = 2304;

    public override string Name => "gemm";

    public override string Measures => "matrix products at d = 2304: share of the measured FMA peak, OpenBLAS, libtorch, bf16 and f16 against f32";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var blas = OpenBlas.TryLoad();
        using Tensor a = Made.Matrix(1, D, D), b = Made.Matrix(2, D, D), c = Tensor.Allocate(DType.F32, D, D);
        using Tensor a16 = Made.As(DType.BF16, a), b16 = Made.As(DType.BF16, b), aHalf = Made.As(DType.F16, a), bHalf = Made.As(DType.F16, b);
        foreach (var threads in new[] { 1, Environment.ProcessorCount }.Distinct())
        {
            using var engine = new CpuEngine(threads);
            var on = $"{D}x{D}x{D}, {threads} {(threads == 1 ? "thread" : "threads")}";
            var peak = FmaPeak.Measure(threads);
            yield return new Row($"FMA peak, {threads} {(threads == 1 ? "thread" : "threads")} ({engine.Info.Instructions})", peak, "GFLOP/s");
            var peer = blas is null ? () => { } : (Action)(() => blas.MatMul(a, b, c, threads));
            var times = Timing.Median(
                options.Runs,
                () => engine.MatMul(a, b, c),
                () => engine.MatMul(a, b.Transpose(), c),
                () => engine.MatMul(a16, b16.Transpose(), c),
                () => engine.MatMul(aHalf, bHalf.Transpose(), c),
                peer);
            var (f32, transposed, bf16, f16) = (Speed(times[0]), Speed(times[1]), Speed(times[2]), Speed(times[3]));
            yield return new Row($"f32 a·b, {on}", f32, "GFLOP/s", "FMA peak", f32 / peak, 0.85);
            yield return new Row($"f32 a·bᵀ, {on}", transposed, "GFLOP/s", "FMA peak", transposed / peak, 0.85);
            yield return new Row($"bf16 a·bᵀ, {on}", bf16, "GFLOP/s", "f32", bf16 / transposed, 1 - Made.Noise);
            yield return new Row($"f16 a·bᵀ, {on}", f16, "GFLOP/s", "f32", f16 / transposed);
            if (blas is null) yield return Row.Absent($"OpenBLAS, {on}", "OpenBLAS");
            else yield return new Row($"f32 against OpenBLAS, {on}", f32, "GFLOP/s", $"OpenBLAS {Speed(times[4]):0.0}", times[4] / times[0], 1);
            if (Python.Torch(threads, options.Runs, D, D, D) is { } torch) yield return new Row($"f32 against libtorch, {on}", f32, "GFLOP/s", $"libtorch {Speed(torch):0.0}", torch / times[0], 1);
            else yield return Row.Absent($"libtorch, {on}", "libtorch");
        }

        // what SAEs ask: tokens by d times a wide encoder, and the decoder back
        using var all = new CpuEngine();
        const int Features = 16384;
        using Tensor encoder = Made.Matrix(3, D, Features), wide = Tensor.Allocate(DType.F32, 512, Features);
        foreach (var tokens in new[] { 1, 16, 512 })
        {
            using var x = Made.Matrix(4, tokens, D);
            var seconds = Timing.Median(options.Runs, () => all.MatMul(x, encoder, wide.Rows(0, tokens)));
            yield return new Row(
                $"f32 [{tokens},{D}]·[{D},{Features}], all threads",
                2.0 * tokens * D * Features / seconds / 1e9,
                "GFLOP/s",
                tokens == 1 ? $"{4.0 * D * Features / seconds / 1e9:0.0} GB/s" : null);
        }

        static double Speed(double seconds) => 2.0 * D * D * D / seconds / 1e9;
    }
}
