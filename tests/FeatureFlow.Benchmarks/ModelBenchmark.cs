using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// Prefill of 512 tokens and batched decoding of models of real shape with made-up bfloat16 weights: against the FMA peak and reading the weights once, and
/// against the same maths in eager libtorch (float32). GPT-2 small always, Gemma 2 2B (5.2 GB of disk, and libtorch's 10.4 GB of memory) with --full.
/// </summary>
internal sealed class ModelBenchmark : Benchmark
{
    internal const int Prompt = 512, Cached = 128;

    public override string Name => "models";

    public override string Measures => "prefill of 512 tokens and batched decoding of GPT-2 small and (--full) Gemma 2 2B: FMA peak, reading the weights once, libtorch";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        foreach (var row in Model(options, "GPT-2 small", MadeCheckpoint.Gpt2, (t, b, n, c, m) => Python.TorchOfGpt2(t, b, n, c, m))) yield return row;
        if (!options.Full) yield break;
        foreach (var row in Model(options, "Gemma 2 2B", MadeCheckpoint.Gemma2, (t, b, n, c, m) => Python.TorchOfGemma2(t, b, n, c, m))) yield return row;
    }

    private static IEnumerable<Row> Model(BenchmarkOptions options, string name, Func<string, string> make, Func<int, int, int, int, ModelConfig, Python?> peer)
    {
        var folder = Path.Combine(options.Folder, $"featureflow-bench-{Environment.ProcessId}");
        try
        {
            make(folder);
            using var engine = new CpuEngine(options.Threads);
            LanguageModel model = null!;
            var opening = Timing.Once(() => model = LanguageModel.Open(folder, engine));
            using (model)
            {
                yield return new Row($"{name}: opening", opening * 1e3, "ms");
                foreach (var row in Prefill(options, name, model, peer)) yield return row;
                foreach (var rows in new[] { 1, 4, 16, 64 })
                {
                    foreach (var row in Decode(options, name, model, rows, peer)) yield return row;
                }
            }

            yield return new Row($"{name}: resident set, mapped weights included", Memory.Now, "MiB");
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<Row> Prefill(BenchmarkOptions options, string name, LanguageModel model, Func<int, int, int, int, ModelConfig, Python?> peer)
    {
        var batch = new TokenBatch([[.. Enumerable.Range(1, Prompt)]]);
        using var torch = peer(options.Threads, 1, Prompt, 0, model.Config);
        var times = Timing.Turns(
            options.Runs,
            Timing.Timed(() => model.Forward(batch, new ForwardOptions { Logits = LogitsWanted.Last }).Dispose()),
            () => FmaPeak.Seconds(options.Threads),
            torch is null ? () => 1 : torch.Seconds);
        var operations = Operations(model, Prompt, Prompt / 2.0);
        var on = $"{name}: prefill of {Prompt} tokens, {Text.Threads(options.Threads)}";
        yield return new Row(on, Prompt / times[0].Median, "tokens/s", $"FMA peak {options.Threads * FmaPeak.Operations / times[1].Median / 1e9:0} GFLOP/s", FmaPeak.Share(times[0], operations, times[1], options.Threads), 0.7, times[0].Spread);
        yield return torch is null ? Row.Absent("  against libtorch", "libtorch") : new Row("  against libtorch", Prompt / times[2].Median, "tokens/s", "libtorch", times[0].FasterThan(times[2]), 1, times[2].Spread);
    }

    // one new token in every row, 128 earlier ones in the cache
    private static IEnumerable<Row> Decode(BenchmarkOptions options, string name, LanguageModel model, int rows, Func<int, int, int, int, ModelConfig, Python?> peer)
    {
        using var cache = model.NewCache(rows, Cached + 1);
        model.Forward(TokenBatch.Continue(cache, [[.. Enumerable.Range(1, Cached)]]), new ForwardOptions { Cache = cache, Logits = LogitsWanted.None }).Dispose();
        cache.CopyRow(0, [.. Enumerable.Range(1, rows - 1)]);
        int[][] next = [.. Enumerable.Range(0, rows).Select(r => new[] { r + 1 })];
        using var reading = new Reading(Path.Combine(model.Folder, "model.safetensors"));
        using var torch = peer(options.Threads, rows, 1, Cached, model.Config);
        var times = Timing.Turns(
            options.Runs,
            Timing.Timed(() =>
            {
                model.Forward(TokenBatch.Continue(cache, next), new ForwardOptions { Cache = cache, Logits = LogitsWanted.Last }).Dispose();
                for (var r = 0; r < rows; r++) cache.Truncate(r, Cached);
            }),
            () => reading.Seconds(options.Threads),
            () => FmaPeak.Seconds(options.Threads),
            torch is null ? () => 1 : torch.Seconds);
        var multiplying = Operations(model, rows, Cached) / (options.Threads * FmaPeak.Operations / times[2].Median);
        // arithmetic runs while weights arrive; attention reads its cache by itself
        double weights = times[1].Median, cached = weights * CacheBytes(model, rows) / new FileInfo(Path.Combine(model.Folder, "model.safetensors")).Length;
        var limit = Math.Max(weights, multiplying) + cached;
        var on = $"{name}: decoding, {rows} at once, {Text.Threads(options.Threads)}";
        yield return new Row(on, rows / times[0].Median, "tokens/s", $"weights {weights * 1e3:0.0} ms, cache {cached * 1e3:0.0} ms, FMA peak {multiplying * 1e3:0.0} ms", limit / times[0].Median, weights > multiplying ? 0.8 : 0.7, times[0].Spread);
        yield return torch is null ? Row.Absent("  against libtorch", "libtorch") : new Row("  against libtorch", rows / times[3].Median, "tokens/s", "libtorch", times[0].FasterThan(times[3]), 1, times[3].Spread);
    }

    internal static double CacheBytes(LanguageModel model, int rows) => 2.0 * sizeof(float) * rows * Cached * model.Config.Layers * model.Config.KeyValueHeads * model.Config.HeadWidth;

    // multiply-adds of the products, two operations each; logits of one token a row
    internal static double Operations(LanguageModel model, int tokens, double seen)
    {
        var c = model.Config;
        double heads = c.Heads * c.HeadWidth, gates = c.Family == "gpt2" ? 2 : 3;
        var layer = c.Width * (heads + 2.0 * c.KeyValueHeads * c.HeadWidth) + heads * c.Width + gates * c.Width * c.MlpWidth + 2 * heads * seen;
        var logits = (tokens == Prompt ? 1.0 : tokens) * c.Width * c.Vocabulary;
        return 2 * (tokens * layer * c.Layers + logits);
    }
}
