using System.Diagnostics;
using System.Globalization;

namespace FeatureFlow.Benchmarks;

/// <summary>libtorch and FAISS through a Python that has them (Debian: python3-torch, python3-faiss): the same shapes, medians of as many runs.</summary>
internal static class Python
{
    private const string TorchGemm = """
        import sys, time, torch
        threads, runs, m, k, n = map(int, sys.argv[1:6])
        torch.set_num_threads(threads)
        a, b = torch.rand(m, k) - 0.5, torch.rand(k, n) - 0.5
        c = torch.empty(m, n)
        torch.mm(a, b, out=c)
        times = []
        for _ in range(runs):
            start = time.perf_counter(); torch.mm(a, b, out=c); times.append(time.perf_counter() - start)
        print(sorted(times)[runs // 2])
        """;

    private const string TorchTopK = """
        import sys, time, torch
        threads, runs, queries, keys, d, k = map(int, sys.argv[1:7])
        torch.set_num_threads(threads)
        q, x = torch.rand(queries, d) - 0.5, torch.rand(keys, d) - 0.5
        def work():
            return [torch.topk(block @ x.T, k) for block in q.split(1024)]
        work()
        times = []
        for _ in range(runs):
            start = time.perf_counter(); work(); times.append(time.perf_counter() - start)
        print(sorted(times)[runs // 2])
        """;

    private const string FaissTopK = """
        import sys, time, numpy, faiss
        threads, runs, queries, keys, d, k = map(int, sys.argv[1:7])
        faiss.omp_set_num_threads(threads)
        r = numpy.random.default_rng(1)
        q, x = r.random((queries, d), dtype=numpy.float32) - 0.5, r.random((keys, d), dtype=numpy.float32) - 0.5
        index = faiss.IndexFlatIP(d); index.add(x)
        index.search(q, k)
        times = []
        for _ in range(runs):
            start = time.perf_counter(); index.search(q, k); times.append(time.perf_counter() - start)
        print(sorted(times)[runs // 2])
        """;

    /// <summary>Seconds of one product in libtorch, or null when it is not there.</summary>
    public static double? Torch(int threads, int runs, int m, int k, int n) => Seconds(TorchGemm, threads, runs, m, k, n);

    /// <summary>Seconds of product and top-k in blocks in libtorch, or null.</summary>
    public static double? TorchSearch(int threads, int runs, int queries, int keys, int d, int k) => Seconds(TorchTopK, threads, runs, queries, keys, d, k);

    /// <summary>Seconds of a flat inner-product search in FAISS, or null.</summary>
    public static double? Faiss(int threads, int runs, int queries, int keys, int d, int k) => Seconds(FaissTopK, threads, runs, queries, keys, d, k);

    private static double? Seconds(string script, params int[] numbers)
    {
        foreach (var program in new[] { "python3", "/usr/bin/python3", "python" })
        {
            try
            {
                var start = new ProcessStartInfo(program, ["-", .. numbers.Select(n => n.ToString(CultureInfo.InvariantCulture))]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
                start.Environment["OMP_NUM_THREADS"] = start.Environment["OPENBLAS_NUM_THREADS"] = numbers[0].ToString(CultureInfo.InvariantCulture);
                using var process = Process.Start(start)!;
                process.StandardInput.Write(script);
                process.StandardInput.Close();
                _ = process.StandardError.ReadToEndAsync();
                var output = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                if (process.ExitCode == 0 && double.TryParse(output.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)) return seconds;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // no such program
            }
        }

        return null;
    }
}
