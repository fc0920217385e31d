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
            var read = Timing.Median(options.Runs, () => File.OpenHandle(path).Using(h => Drain(h)));
            var extra = Memory.Extra(() => Sae.Open(path).Dispose());
            var open = Timing.Median(options.Runs, () => Sae.Open(path).Dispose());
            var first = Timing.Median(options.Runs, () =>
            {
                using var sae = Sae.Open(path);
                _ = sae.DecoderWeights_FD;
            });
            yield return new Row($"open {bytes / 1e6:0} MB npz", open * 1e3, "ms", $"reading it: {read * 1e3:0.0} ms", read / open, 20);
            yield return new Row("extra memory of opening", extra, "MiB", Goal: 8);
            yield return new Row("open and first use of W_dec (CRC-32 and NaN checked)", first * 1e3, "ms", $"{4.0 * Features * D / first / 1e9:0.0} GB/s");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Drain(Microsoft.Win32.SafeHandles.SafeFileHandle handle)
    {
        var buffer = new byte[1 << 20];
        for (long at = 0; RandomAccess.Read(handle, buffer, at) is > 0 and var n; at += n)
        {
        }
    }
}

/// <summary>A handle closed after use, as an expression.</summary>
internal static class HandleExtensions
{
    public static void Using(this Microsoft.Win32.SafeHandles.SafeFileHandle handle, Action<Microsoft.Win32.SafeHandles.SafeFileHandle> work)
    {
        using (handle) work(handle);
    }
}
