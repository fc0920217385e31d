using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>The fused exact top-k inner product of two dictionaries: 16,384 x 16,384 x 2,304, k = 5.</summary>
internal sealed class TopKBenchmark : Benchmark
{
    private const int Features = 16384, D = 2304, K = 5;
    private const double Operations = 2.0 * Features * Features * D;

    public override string Name => "topk";

    public override string Measures => "fused exact top-k inner product 16,384 x 16,384 x 2,304, k = 5: share of the FMA peak, extra memory, FAISS, libtorch";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var threads = options.Threads;
        using var engine = new CpuEngine(threads);
        var runs = Math.Max(1, (options.Runs + 1) / 2);
        using Tensor queries = Made.Matrix(1, Features, D), keys = Made.Matrix(2, Features, D);
        using Tensor q16 = Made.As(DType.BF16, queries), k16 = Made.As(DType.BF16, keys);
        var on = $"{Features}x{Features}x{D}, k = {K}, {Text.Threads(threads)}";

        engine.TopKInnerProduct(queries.Rows(0, 256), keys, K); // compiled before memory is looked at
        var extra = Memory.Extra(() => engine.TopKInnerProduct(queries, keys, K));
        yield return new Row($"extra memory, {on}", extra, "MiB", Goal: 64);

        using var faiss = Python.Faiss(threads, Features, Features, D, K);
        using var torch = Python.TorchSearch(threads, Features, Features, D, K);
        var times = Timing.Turns(
            runs,
            () => FmaPeak.Seconds(threads),
            Timing.Timed(() => engine.TopKInnerProduct(queries, keys, K)),
            () => FmaPeak.Seconds(threads),
            Timing.Timed(() => engine.TopKInnerProduct(q16, k16, K)),
            faiss is null ? () => 1 : faiss.Seconds,
            torch is null ? () => 1 : torch.Seconds,
            Timing.Timed(() => engine.TopKInnerProduct(queries, keys, K, new TopKOptions { Cosine = true })));
        var (f32, bf16, cosine) = (times[1], times[3], times[6]);
        var peak = new Times([.. times[0].Seconds.Zip(times[2].Seconds, (before, after) => (before + after) / 2)]);
        yield return new Row($"f32 {on}", Speed(f32), "GFLOP/s", $"FMA peak {threads * FmaPeak.Operations / peak.Median / 1e9:0}", FmaPeak.Share(f32, Operations, peak, threads), 0.80, f32.Spread);
        yield return new Row($"bf16 {on}", Speed(bf16), "GFLOP/s", "f32", bf16.FasterThan(f32), 1 - Made.Noise, bf16.Spread);
        yield return new Row($"f32 cosine, {on}", Speed(cosine), "GFLOP/s", "plain f32", cosine.FasterThan(f32), Spread: cosine.Spread);
        foreach (var (name, there, its) in new[] { ("FAISS IndexFlatIP", faiss is not null, times[4]), ("libtorch product + topk", torch is not null, times[5]) })
        {
            yield return there
                ? new Row($"  against {name}", Speed(its), "GFLOP/s", name, f32.FasterThan(its), 1, its.Spread)
                : Row.Absent($"  against {name}", name);
        }

        using var norms = Tensor.Allocate(DType.F32, Features);
        var one = Timing.Turns(options.Runs, Timing.Timed(() => engine.TopKInnerProduct(queries.Rows(0, 1), keys, K, new TopKOptions { Cosine = true })), Timing.Timed(() => engine.RowNorms(keys, norms)));
        yield return new Row($"one query, cosine, against {Features}x{D}", one[0].Median * 1e3, "ms", $"reading once {one[1].Median * 1e3:0.0} ms", one[0].FasterThan(one[1]), Spread: one[0].Spread);

        static double Speed(Times t) => Operations / t.Median / 1e9;
    }
}
