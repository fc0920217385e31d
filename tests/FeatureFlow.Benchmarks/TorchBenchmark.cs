using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// The torch engine against what its device can do, measured by the same engine in the same run (a large product, a copy of a large tensor), and against PyTorch on that device: calls with
/// nothing to do, top-k searches over a pack, prefill and decoding. On a card with each type of products. --full takes Gemma Scope's and Gemma 2's real sizes.
/// </summary>
internal sealed class TorchBenchmark : Benchmark
{
    private const int K = 5, Calls = 2000;

    public override string Name => "torch";

    public override string Measures => "the torch engine: share of its device's product and copy speed in top-k searches over a pack, prefill and decoding; beside PyTorch";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var asked = EngineRequest.Parse(options.Engine ?? "torch");
        ITensorEngine? engine = null;
        var why = "";
        try
        {
            engine = asked.Open();
        }
        catch (FeatureFlowException e)
        {
            why = e.Message;
        }

        if (engine is null)
        {
            yield return new Row($"torch: {why}", null, "");
            yield break;
        }

        var onCard = engine.Memory is { OnCard: true };
        yield return new Row($"device: {engine.Info.Device}", engine.Memory is { DeviceBytes: > 0 and var bytes } ? bytes / 1048576.0 : null, "MiB");
        engine.Dispose();
        if (options.Full && !onCard && options.Engine is null)
        {
            // hours on a processor, and nothing to be learnt from them
            yield return new Row("the sizes of --full are for a CUDA card, and the torch engine sees none here; --engine torch,cpu measures the processor with them all the same", null, "");
            yield break;
        }

        var plain = asked.Options ?? new EngineOptions();
        EngineOptions[] settings = options.Engine is not null ? [plain] : onCard ? [plain, plain with { Tf32 = true }, plain with { Compute = ComputeType.BF16 }] : [plain];
        foreach (var setting in settings)
        {
            using var tensors = (asked with { Options = setting }).Open();
            var peer = new TorchSetting(onCard ? setting.Device ?? "cuda" : "cpu", setting.Compute, setting.Tf32);
            foreach (var row in new Measured(options, tensors, peer, onCard).Rows()) yield return row;
        }
    }

    private sealed class Measured(BenchmarkOptions options, ITensorEngine engine, TorchSetting peer, bool onCard)
    {
        private readonly string _type = engine.Info.Instructions;
        private readonly bool _full = options.Full;
        private double _operations;
        private double _bytes;

        public IEnumerable<Row> Rows() => Limits().Concat(peer.Type == ComputeType.F32 ? Search() : []).Concat(_full ? Model("Gemma 2 2B", MadeCheckpoint.Gemma2, Python.TorchOfGemma2) : Model("GPT-2 small", MadeCheckpoint.Gpt2, Python.TorchOfGpt2));

        // what the device does at best: everything below is held against it
        private IEnumerable<Row> Limits()
        {
            int n = onCard ? 8192 : 1024, numbers = onCard ? 1 << 28 : 1 << 25;
            using (Tensor a = Device(1, n, n), b = Device(2, n, n), c = engine.Allocate(DType.F32, n, n))
            using (var torch = Python.Torch(options.Threads, n, n, n, peer))
            {
                // weights come in the type of the products, so that nothing is converted
                using var weights = engine.Allocate(peer.Type switch { ComputeType.BF16 => DType.BF16, ComputeType.F16 => DType.F16, _ => DType.F32 }, n, n);
                engine.Copy(b, weights);
                var times = Turns(() => engine.MatMul(a, weights, c), c, torch);
                _operations = 2.0 * n * n * n / times[0].Median;
                foreach (var row in Beside($"{_type}: product {n}x{n}x{n}", _operations / 1e12, "TFLOP/s", null, null, times)) yield return row;
            }

            using (Tensor x = engine.Allocate(DType.F32, numbers / 1024, 1024), y = engine.Allocate(DType.F32, numbers / 1024, 1024))
            using (var torch = Python.TorchOfCopy(options.Threads, numbers, peer with { Type = ComputeType.F32 }))
            {
                var times = Turns(() => engine.Copy(x, y), y, torch);
                _bytes = 2.0 * sizeof(float) * numbers / times[0].Median;
                foreach (var row in Beside($"{_type}: copy of {numbers >> 20}Mi float32", _bytes / 1e9, "GB/s", null, null, times)) yield return row;
            }

            using (Tensor x = Device(1, 1, 64), y = Device(2, 1, 64), z = Device(3, 1, 64))
            using (var torch = Python.TorchOfCalls(options.Threads, Calls, peer with { Type = ComputeType.F32 }))
            {
                var times = Turns(
                    () =>
                    {
                        for (var i = 0; i < Calls; i++) engine.Add(x, y, z);
                    },
                    z,
                    torch);
                foreach (var row in Beside($"{_type}: a call that adds 64 numbers", times[0].Median / Calls * 1e6, "µs", null, null, times)) yield return row;
            }
        }

        // the predecessors of every res feature of a pack: below in res, and in mlp and att of its layer. In float32 or TF32: narrower products take no part in searches
        private IEnumerable<Row> Search()
        {
            var (layers, features, d) = _full ? (26, 16384, 2304) : (3, 2048, 768);
            Tensor[][] sites = [.. Enumerable.Range(0, 3).Select(s => Enumerable.Range(0, layers).Select(l => Sealed(Made.Matrix(1 + (s * layers) + l, features, d))).ToArray())];
            var pairs = (from l in Enumerable.Range(1, layers - 1) from keys in new[] { sites[0][l - 1], sites[1][l], sites[2][l] } select (Queries: sites[0][l], Keys: keys)).ToArray();
            var work = 2.0 * features * features * d * pairs.Length;
            void All()
            {
                foreach (var (queries, keys) in pairs) engine.TopKInnerProduct(queries, keys, K, new TopKOptions { Cosine = true });
            }

            engine.TopKInnerProduct(sites[0][0].Rows(0, 64), sites[1][0].Rows(0, 64), K);
            engine.Trim();
            var first = Timing.Once(All);
            var on = $"{_type}: top-{K} of {layers}x3x{features}x{d}";
            yield return new Row($"{on}, weights on their way too", work / first / 1e12, "TFLOP/s", Speed, work / first / _operations);
            using var torch = Python.TorchSearch(options.Threads, features, features, d, K, peer);
            var times = Timing.Turns(Math.Max(1, options.Runs / 2), Timing.Timed(All), torch is null ? () => 1 : () => torch.Seconds() * pairs.Length);
            foreach (var row in Beside(on, work / times[0].Median / 1e12, "TFLOP/s", Speed, work / times[0].Median / _operations, times, torch is not null)) yield return row;
            yield return new Row($"{_type}: pieces of weights kept, of {sites.Length * layers}", engine.Memory?.Weights, "");
            foreach (var tensor in sites.SelectMany(s => s)) tensor.Dispose();
        }

        private IEnumerable<Row> Model(string name, Func<string, string> make, Func<int, int, int, int, ModelConfig, TorchSetting, Python?> script)
        {
            var folder = Path.Combine(options.Folder, $"featureflow-bench-{Environment.ProcessId}");
            try
            {
                make(folder);
                using var model = LanguageModel.Open(folder, engine);
                var batch = new TokenBatch([[.. Enumerable.Range(1, ModelBenchmark.Prompt)]]);
                using (var torch = script(options.Threads, 1, ModelBenchmark.Prompt, 0, model.Config, peer))
                {
                    using var last = engine.Allocate(DType.F32, 1, model.Config.Vocabulary);
                    var times = Turns(
                        () =>
                        {
                            using var pass = model.Forward(batch, new ForwardOptions { Logits = LogitsWanted.Last });
                            engine.Copy(pass.Logits!, last);
                        },
                        last,
                        torch);
                    var share = ModelBenchmark.Operations(model, ModelBenchmark.Prompt, ModelBenchmark.Prompt / 2.0) / times[0].Median / _operations;
                    foreach (var row in Beside($"{_type}: {name}, prefill of {ModelBenchmark.Prompt}", ModelBenchmark.Prompt / times[0].Median, "tokens/s", Speed, share, times)) yield return row;
                }

                foreach (var rows in new[] { 1, 16, 64 })
                {
                    foreach (var row in Decode(name, model, rows, script)) yield return row;
                }
            }
            finally
            {
                if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            }
        }

        // one token more in every row, drawn where the logits are: ids alone come back
        private IEnumerable<Row> Decode(string name, LanguageModel model, int rows, Func<int, int, int, int, ModelConfig, TorchSetting, Python?> script)
        {
            const int Cached = ModelBenchmark.Cached;
            using var cache = model.NewCache(rows, Cached + 1);
            model.Forward(TokenBatch.Continue(cache, [[.. Enumerable.Range(1, Cached)]]), new ForwardOptions { Cache = cache, Logits = LogitsWanted.None }).Dispose();
            cache.CopyRow(0, [.. Enumerable.Range(1, rows - 1)]);
            int[][] next = [.. Enumerable.Range(0, rows).Select(r => new[] { r + 1 })];
            var how = Enumerable.Repeat(new SamplingRow(0, Temperature: 0), rows).ToArray();
            var ids = new int[rows];
            using var torch = script(options.Threads, rows, 1, Cached, model.Config, peer);
            var times = Turns(
                () =>
                {
                    using var pass = model.Forward(TokenBatch.Continue(cache, next), new ForwardOptions { Cache = cache, Logits = LogitsWanted.Last });
                    engine.SampleRows(pass.Logits!, how, ids);
                    for (var r = 0; r < rows; r++) cache.Truncate(r, Cached);
                },
                null,
                torch);

            // weights in the type they are read in: stored (bfloat16), or widened where float32 is computed
            var stored = new FileInfo(Path.Combine(model.Folder, "model.safetensors")).Length;
            double reading = (stored * (peer.Type == ComputeType.F32 ? 2 : 1) + ModelBenchmark.CacheBytes(model, rows)) / _bytes, multiplying = ModelBenchmark.Operations(model, rows, Cached) / _operations;
            var against = $"reading {reading * 1e3:0.00} ms, products {multiplying * 1e3:0.00} ms";
            foreach (var row in Beside($"{_type}: {name}, decoding, {rows} at once", rows / times[0].Median, "tokens/s", against, Math.Max(reading, multiplying) / times[0].Median, times)) yield return row;
        }

        private string Speed => $"product {_operations / 1e12:0.00} TFLOP/s";

        private Tensor Device(int seed, int rows, int columns)
        {
            using var host = Made.Matrix(seed, rows, columns);
            var there = engine.Allocate(DType.F32, rows, columns);
            engine.Copy(host, there);
            return there;
        }

        private static Tensor Sealed(Tensor tensor)
        {
            ((HostStorage)tensor.Storage).Seal();
            return tensor;
        }

        // a card goes on computing when the call is back: a number is read to see it end
        private Times[] Turns(Action work, Tensor? result, Python? torch)
        {
            using var one = Tensor.Allocate(DType.F32, 1, 1);
            return Timing.Turns(
                options.Runs,
                Timing.Timed(() =>
                {
                    work();
                    if (result is not null) engine.Copy(result.Slice(0, 0, 1).Slice(1, 0, 1), one);
                }),
                torch is null ? () => double.NaN : torch.Seconds);
        }

        private static IEnumerable<Row> Beside(string name, double value, string unit, string? against, double? share, Times[] times, bool? there = null)
        {
            yield return new Row(name, value, unit, against, share, share is null ? null : 0.8, times[0].Spread);
            var ran = there ?? !double.IsNaN(times[1].Median);
            yield return ran ? new Row("  against PyTorch", times[1].Median * 1e3, "ms", "PyTorch", times[0].FasterThan(times[1]), 1, times[1].Spread) : Row.Absent("  against PyTorch", "PyTorch");
        }
    }
}
