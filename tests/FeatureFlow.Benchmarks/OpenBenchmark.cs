using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>Opening a params.npz of 300 MB: headers only, no copy.</summary>
internal sealed class OpenBenchmark : Benchmark
{
    private const int Features = 16384, D = 2304;

    public override string Name => "open";

    public override string Measures => "opening a Gemma Scope npz of 300 MB (d = 2304, 16,384 features) without a copy, against reading it";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var folder = Directory.CreateDirectory(Path.Combine(options.Folder, $"featureflow-bench-{Environment.ProcessId}")).FullName;
        try
        {
            var path = Path.Combine(folder, "params.npz");
            MadeNpz.Write(path, D, Features);
            GC.Collect();
            var bytes = new FileInfo(path).Length;
            var extra = Memory.Extra(() => Sae.Open(path).Dispose());
            var row = new float[D];
            var times = Timing.Turns(
                options.Runs,
                Timing.Timed(() => Drain(path)),
                Timing.Timed(() => Sae.Open(path).Dispose()),
                Timing.Timed(() =>
                {
                    using var sae = Sae.Open(path);
                    sae.DecoderWeights_FD.Rows(0, 1).AsSpan<float>().CopyTo(row);
                }));
            var (read, open, first) = (times[0], times[1], times[2]);
            yield return new Row($"open {bytes / 1e6:0} MB npz", open.Median * 1e3, "ms", $"reading it all: {read.Median * 1e3:0} ms", open.FasterThan(read), 20, open.Spread);
            yield return new Row("  extra memory", extra, "MiB", Goal: 8);
            yield return new Row("  and its first row of W_dec (all of it checked: CRC-32, NaN)", first.Median * 1e3, "ms", $"{4.0 * Features * D / first.Median / 1e9:0.0} GB/s", Spread: first.Spread);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Drain(string path)
    {
        using var handle = File.OpenHandle(path);
        var buffer = new byte[1 << 20];
        for (long at = 0; RandomAccess.Read(handle, buffer, at) is > 0 and var n; at += n)
        {
        }
    }
}
