using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>Matrix products at d = 2304 against the machine's measured multiply-add peak, and against OpenBLAS and libtorch.</summary>
internal sealed class GemmBenchmark : Benchmark
{
    private const int D = 2304, Features = 16384;

    public override string Name => "gemm";

    public override string Measures => "matrix products at d = 2304: share of the measured FMA peak, OpenBLAS, libtorch, bf16 and f16 against f32";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var blas = OpenBlas.TryLoad();
        foreach (var threads in new[] { 1, options.Threads }.Distinct())
        {
            foreach (var row in Product(options, blas, threads, D, D, D, 0.85)) yield return row;
            foreach (var row in Types(options, threads)) yield return row;
        }

        // what SAEs and transformers ask: encoder, decoder, an MLP of a block of tokens, a narrow output
        foreach (var (m, k, n) in new[] { (512, D, Features), (512, Features, D), (128, D, 4 * D), (Features, D, 256) })
        {
            foreach (var row in Product(options, blas, options.Threads, m, k, n, null)) yield return row;
        }

        // few tokens: bounded by reading the weights once, as SAEs ([in, out]) and transformers ([out, in]) store them
        using var engine = new CpuEngine(options.Threads);
        using Tensor encoder = Made.Matrix(3, D, Features), norms = Tensor.Allocate(DType.F32, D), half = Tensor.Allocate(DType.BF16, Features, D), halfNorms = Tensor.Allocate(DType.F32, Features);
        using var full = Made.Matrix(5, Features, D);
        engine.Copy(full, half);
        foreach (var (name, weights, read, norm) in new[] { ("f32 [in,out]", encoder, encoder, norms), ("f32 [out,in]", full.Transpose(), full, halfNorms), ("bf16 [out,in]", half.Transpose(), half, halfNorms) })
        {
            foreach (var tokens in new[] { 1, 4, 8, 16, 64 })
            {
                using Tensor x = Made.Matrix(4, tokens, D), z = Tensor.Allocate(DType.F32, tokens, Features);
                var times = Timing.Turns(options.Runs, Timing.Timed(() => engine.MatMul(x, weights, z)), Timing.Timed(() => engine.RowNorms(read, norm)), () => FmaPeak.Seconds(options.Threads));
                var (mine, bytes) = (times[0], (double)weights.DType.Size() * D * Features);
                var multiplying = 2.0 * tokens * D * Features / (options.Threads * FmaPeak.Operations / times[2].Median);
                var limit = Math.Max(times[1].Median, multiplying);
                yield return new Row($"{name} {tokens}x{D}x{Features}, {Text.Threads(options.Threads)}", bytes / mine.Median / 1e9, "GB/s", $"reading once {times[1].Median * 1e3:0.0} ms, FMA peak {multiplying * 1e3:0.0} ms", limit / mine.Median, Spread: mine.Spread);
            }
        }
    }

    private static IEnumerable<Row> Product(BenchmarkOptions options, OpenBlas? blas, int threads, int m, int k, int n, double? goal)
    {
        using var engine = new CpuEngine(threads);
        using Tensor a = Made.Matrix(1, m, k), b = Made.Matrix(2, k, n), c = Tensor.Allocate(DType.F32, m, n);
        using var torch = Python.Torch(threads, m, k, n);
        var (on, operations) = ($"{m}x{k}x{n}, {Text.Threads(threads)}", 2.0 * m * k * n);
        var times = Timing.Turns(
            options.Runs,
            () => FmaPeak.Seconds(threads),
            Timing.Timed(() => engine.MatMul(a, b, c)),
            blas is null ? () => 1 : Timing.Timed(() => blas.MatMul(a, b, c, threads)),
            torch is null ? () => 1 : torch.Seconds);
        var (peak, mine) = (times[0], times[1]);
        yield return new Row($"f32 a·b, {on}", Speed(mine), "GFLOP/s", $"FMA peak {threads * FmaPeak.Operations / peak.Median / 1e9:0}", FmaPeak.Share(mine, operations, peak, threads), goal, mine.Spread);
        foreach (var (name, there, its) in new[] { ("OpenBLAS", blas is not null, times[2]), ("libtorch", torch is not null, times[3]) })
        {
            yield return there
                ? new Row($"  against {name}, {on}", Speed(its), "GFLOP/s", $"{name}", mine.FasterThan(its), 1, its.Spread)
                : Row.Absent($"  against {name}, {on}", name);
        }

        double Speed(Times t) => operations / t.Median / 1e9;
    }

    // rows dense on both sides, as weights are stored: the same layout in each type
    private static IEnumerable<Row> Types(BenchmarkOptions options, int threads)
    {
        using var engine = new CpuEngine(threads);
        using Tensor a = Made.Matrix(1, D, D), b = Made.Matrix(2, D, D), c = Tensor.Allocate(DType.F32, D, D);
        using Tensor a16 = Made.As(DType.BF16, a), b16 = Made.As(DType.BF16, b), aHalf = Made.As(DType.F16, a), bHalf = Made.As(DType.F16, b);
        var times = Timing.Turns(
            options.Runs,
            () => FmaPeak.Seconds(threads),
            Timing.Timed(() => engine.MatMul(a, b.Transpose(), c)),
            Timing.Timed(() => engine.MatMul(a16, b16.Transpose(), c)),
            Timing.Timed(() => engine.MatMul(aHalf, bHalf.Transpose(), c)));
        const double Operations = 2.0 * D * D * D;
        var on = $"{D}x{D}x{D}, {Text.Threads(threads)}";
        yield return new Row($"f32 a·bᵀ, {on}", Operations / times[1].Median / 1e9, "GFLOP/s", "FMA peak", FmaPeak.Share(times[1], Operations, times[0], threads), 0.85, times[1].Spread);
        yield return new Row($"bf16 a·bᵀ, {on}", Operations / times[2].Median / 1e9, "GFLOP/s", "f32", times[2].FasterThan(times[1]), 1 - Made.Noise, times[2].Spread);
        yield return new Row($"f16 a·bᵀ, {on}", Operations / times[3].Median / 1e9, "GFLOP/s", "f32", times[3].FasterThan(times[1]), Spread: times[3].Spread);
    }
}
