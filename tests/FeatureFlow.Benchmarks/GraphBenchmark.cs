using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// One feature's flow graph over 26 layers x 3 sites x 2,304 wide made-up SAEs, computed and from an index. 2,048 features each, so that it
/// takes little disk; 16,384 with --full. The encoders are holes in the files: nothing reads them.
/// </summary>
internal sealed class GraphBenchmark : Benchmark
{
    private const int Layers = 26, D = 2304, Top = 10;

    public override string Name => "graph";

    public override string Measures => "one feature's graph over 26 layers x 3 sites x d 2304, without an index (against reading each decoder once) and with one";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var features = options.Full ? 16384 : 2048;
        var folder = Directory.CreateDirectory(Path.Combine(options.Folder, $"featureflow-bench-{Environment.ProcessId}")).FullName;
        try
        {
            var paths = Write(folder, features);
            var seed = new FeatureId(Layers - 1, Site.Res, 7);
            var settings = new FlowGraphOptions { Thresholds = new Thresholds(-1, -1, -1) }; // nothing is cut: all layers are gone through
            var on = $"{Layers}x3x{features}x{D}";

            FlowGraph graph = null!;
            var first = Timing.Once(() => graph = FlowGraphBuilder.Build(Session.Open(folder), seed, settings));
            
            // the limit: every decoder's bytes looked at once, by the engine's plainest reading operation, from the same mapped files
            var times = Timing.Turns(options.Runs, Timing.Timed(() => FlowGraphBuilder.Build(Session.Open(folder), seed, settings)), Timing.Timed(() => Read(paths)));
            var (second, limit) = (times[0], times[1]);
            var reading = $"reading once {limit.Median:0.00} s";
            yield return new Row($"first graph, {on} (weights checked too)", first, "s", reading, limit.Median / first);
            yield return new Row($"graph without an index, {on}", second.Median, "s", reading, second.FasterThan(limit), 0.5, second.Spread);
            yield return new Row($"nodes of that graph, {on}", graph.Nodes.Count, "");
            yield return new Row("resident set, mapped files included", Memory.Now, "MiB");

            if (options.Full && !options.Index)
            {
                yield return new Row("index: not built (--full --index builds it)", null, "");
                yield break;
            }

            var build = Timing.Once(() => FlowIndex.Build(Session.Open(folder), Top));
            var relations = (Layers * 2) + ((Layers - 1) * 4); // per layer mlp and att below, and res below, res, mlp, att above
            var work = 2.0 * relations * features * features * D;
            yield return new Row($"building the index, top {Top}, {on}", build, "s", $"{work / build / 1e9:0} GFLOP/s");
            FlowEngine.Shared.Clear();
            var cold = Timing.Once(() => FlowGraphBuilder.Build(Session.Open(folder), seed, settings));
            yield return new Row($"first graph with the index, {on}", cold * 1e3, "ms");
            var warm = Timing.Measure(options.Runs, () => FlowGraphBuilder.Build(Session.Open(folder), seed, settings));
            yield return new Row($"graph with the index, {on}", warm.Median * 1e3, "ms", Goal: 50, Spread: warm.Spread);
        }
        finally
        {
            FlowEngine.Shared.Clear();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static List<string> Write(string folder, int features)
    {
        var paths = new List<string>();
        using var decoder = Tensor.Allocate(DType.F32, features, D);
        var zeros = new byte[4 * Math.Max(features, D)];
        foreach (var layer in Enumerable.Range(0, Layers))
        {
            foreach (var site in new[] { Site.Res, Site.Mlp, Site.Att })
            {
                Made.Fill((layer * 3) + (int)site + 1, decoder.AsSpan<float>());
                var path = Path.Combine(folder, site.Name(), $"{layer}", "sae_weights.safetensors");
                SafetensorsFile.Write(path, null, [
                    new TensorSource("W_enc", DType.F32, [D, features], s => Hole(s, 4L * D * features)),
                    new TensorSource("W_dec", DType.F32, [features, D], s => s.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(decoder.AsSpan<float>()))),
                    new TensorSource("b_enc", DType.F32, [features], s => s.Write(zeros, 0, 4 * features)),
                    new TensorSource("b_dec", DType.F32, [D], s => s.Write(zeros, 0, 4 * D)),
                ]);
                File.WriteAllText(Path.Combine(Path.GetDirectoryName(path)!, "cfg.json"), $$"""{"architecture":"standard","apply_b_dec_to_input":false,"metadata":{} }""");
                paths.Add(path);
            }
        }

        File.WriteAllText(Path.Combine(folder, "pack.yaml"), "version: 1\nname: made-up\nsaes:\n" + string.Concat(new[] { "res", "mlp", "att" }.Select(s => $"  - site: {s}\n    path: {s}/{{layer}}/\n")));
        return paths;

        static void Hole(Stream stream, long length)
        {
            stream.Seek(length, SeekOrigin.Current);
        }
    }

    private static void Read(List<string> paths)
    {
        foreach (var path in paths)
        {
            using var file = SafetensorsFile.Open(path);
            var decoder = file.Get("W_dec");
            using var norms = Tensor.Allocate(DType.F32, decoder.Shape[0]);
            CpuEngine.Shared.RowNorms(decoder, norms);
        }
    }
}
