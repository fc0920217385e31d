using System.Diagnostics;
using System.Globalization;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// libtorch or FAISS in a Python that has them (Debian: python3-torch, python3-faiss): a process that does its work once for every line
/// it is sent and answers with the seconds, so that it takes turns with what it is compared to.
/// </summary>
internal sealed class Python : IDisposable
{
    private const string Loop = """

        work()
        print('ready', flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            work()
            print(time.perf_counter() - start, flush=True)
        """;

    private const string TorchGemm = """
        import sys, time, torch
        threads, m, k, n = map(int, sys.argv[1:5])
        torch.set_num_threads(threads)
        a, b, c = torch.rand(m, k) - 0.5, torch.rand(k, n) - 0.5, torch.empty(m, n)
        def work(): torch.mm(a, b, out=c)
        """;

    private const string TorchTopK = """
        import sys, time, torch
        threads, queries, keys, d, k = map(int, sys.argv[1:6])
        torch.set_num_threads(threads)
        q, x = torch.rand(queries, d) - 0.5, torch.rand(keys, d) - 0.5
        def work(): return [torch.topk(block @ x.T, k) for block in q.split(1024)]
        """;

    private const string FaissTopK = """
        import sys, time, numpy, faiss
        threads, queries, keys, d, k = map(int, sys.argv[1:6])
        faiss.omp_set_num_threads(threads)
        r = numpy.random.default_rng(1)
        q, x = r.random((queries, d), dtype=numpy.float32) - 0.5, r.random((keys, d), dtype=numpy.float32) - 0.5
        index = faiss.IndexFlatIP(d)
        index.add(x)
        def work(): index.search(q, k)
        """;

    private readonly Process _process;

    private Python(Process process) => _process = process;

    /// <summary>One float32 product [m,k]·[k,n] in libtorch, or null when it is not there.</summary>
    public static Python? Torch(int threads, int m, int k, int n) => Start(TorchGemm, threads, m, k, n);

    /// <summary>Product and top-k in blocks of 1,024 queries in libtorch, or null.</summary>
    public static Python? TorchSearch(int threads, int queries, int keys, int d, int k) => Start(TorchTopK, threads, queries, keys, d, k);

    /// <summary>A flat inner-product search in FAISS, or null.</summary>
    public static Python? Faiss(int threads, int queries, int keys, int d, int k) => Start(FaissTopK, threads, queries, keys, d, k);

    /// <summary>Does the work once: its seconds.</summary>
    public double Seconds()
    {
        _process.StandardInput.WriteLine();
        _process.StandardInput.Flush();
        var line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("the Python process has ended");
        return double.Parse(line, CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static Python? Start(string script, params int[] numbers)
    {
        foreach (var program in new[] { "python3", "/usr/bin/python3", "python" })
        {
            var start = new ProcessStartInfo(program, ["-c", script + Loop, .. numbers.Select(n => n.ToString(CultureInfo.InvariantCulture))])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            start.Environment["OMP_NUM_THREADS"] = start.Environment["OPENBLAS_NUM_THREADS"] = numbers[0].ToString(CultureInfo.InvariantCulture);
            try
            {
                var process = Process.Start(start)!;
                process.ErrorDataReceived += static (_, _) => { };
                process.BeginErrorReadLine();
                if (process.StandardOutput.ReadLine() == "ready") return new Python(process);
                process.Dispose(); // no such module: it has ended by itself
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // no such program
            }
        }

        return null;
    }
}
