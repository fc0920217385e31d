using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>The fused exact top-k inner product of two dictionaries: 16,384 x 16,384 x 2,304, k = 5.</summary>
internal sealed class TopKBenchmark : Benchmark
{
    private const int Features = 16384, D = 2304, K = 5;

    public override string Name => "topk";

    public override string Measures => "fused exact top-k inner product 16,384 x 16,384 x 2,304, k = 5: share of the FMA peak, extra memory, FAISS, libtorch";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        using var engine = new CpuEngine();
        var threads = engine.Info.Threads;
        var runs = Math.Max(1, options.Runs / 2);
        using Tensor queries = Made.Matrix(1, Features, D), keys = Made.Matrix(2, Features, D);
        var peak = FmaPeak.Measure(threads);
        engine.TopKInnerProduct(queries.Rows(0, 256), keys, K); // compiled before memory is looked at
        var extra = Memory.Extra(() => engine.TopKInnerProduct(queries, keys, K));
        var seconds = Timing.Median(runs, () => engine.TopKInnerProduct(queries, keys, K));
        var cosine = Timing.Median(runs, () => engine.TopKInnerProduct(queries, keys, K, new TopKOptions { Cosine = true }));
        var on = $"{Features}x{Features}x{D}, k = {K}, {threads} threads";
        yield return new Row($"f32 {on}", Speed(seconds), "GFLOP/s", "FMA peak", Speed(seconds) / peak, 0.80);
        yield return new Row($"f32 cosine {on}", Speed(cosine), "GFLOP/s", "FMA peak", Speed(cosine) / peak, 0.80);
        yield return new Row($"extra memory {on}", extra, "MiB", Goal: 64);
        using (Tensor q16 = Made.As(DType.BF16, queries), k16 = Made.As(DType.BF16, keys))
        {
            var bf16 = Timing.Median(runs, () => engine.TopKInnerProduct(q16, k16, K));
            yield return new Row($"bf16 {on}", Speed(bf16), "GFLOP/s", "f32", seconds / bf16, 1 - Made.Noise);
        }

        var one = Timing.Median(options.Runs, () => engine.TopKInnerProduct(queries.Rows(0, 1), keys, K));
        yield return new Row($"one query against {Features}x{D}", one * 1e3, "ms", $"{4.0 * Features * D / one / 1e9:0.0} GB/s");
        if (Python.Faiss(threads, runs, Features, Features, D, K) is { } faiss) yield return new Row($"against FAISS IndexFlatIP, {on}", seconds, "s", $"FAISS {faiss:0.00} s", faiss / seconds, 1);
        else yield return Row.Absent($"FAISS, {on}", "FAISS");
        if (Python.TorchSearch(threads, runs, Features, Features, D, K) is { } torch) yield return new Row($"against libtorch product + topk, {on}", seconds, "s", $"libtorch {torch:0.00} s", torch / seconds, 1);
        else yield return Row.Absent($"libtorch, {on}", "libtorch");

        static double Speed(double seconds) => 2.0 * Features * Features * D / seconds / 1e9;
    }
}
