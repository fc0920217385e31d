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

    // the same loss, straight-through estimators, unit rows with tangent gradients and Adam (beta1 = 0), written as one would in eager PyTorch: dense products,
    // no autograd graph to build; nothing kept but what the update needs
    private const string TorchSae = """
        import sys, time, torch
        threads, batch, d, features, l0 = map(int, sys.argv[1:6])
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        x = torch.rand(batch, d) - 0.5
        x *= d ** 0.5 / x.norm(dim=1).mean()
        w_dec = torch.nn.functional.normalize(torch.randn(features, d), dim=1)
        w_enc = w_dec.T.clone().contiguous()
        b_enc, b_dec = torch.zeros(features), x.mean(0)
        width, rate, beta, eps, penalty = 0.02, 1e-9, 0.999, 1e-8, 1e-3
        line = (x @ w_enc).flatten()[: 1 << 22].topk(int((1 << 22) * l0 / features)).values[-1]
        log_theta = torch.full((features,), float(line.log()))
        weights = [w_enc, w_dec, b_enc, b_dec, log_theta]
        moments = [torch.zeros_like(w) for w in weights]
        steps = 0
        def work():
            global steps
            steps += 1
            with torch.no_grad():
                theta = log_theta.exp()
                pre = torch.addmm(b_enc, x, w_enc)
                active = pre > theta
                z = pre * active
                error = torch.addmm(b_dec, z, w_dec).sub_(x)
                dz = error @ w_dec.T
                near = (pre - theta).abs_() < width / 2
                d_theta = -((dz * theta + penalty) * near).sum(0) / width
                d_pre = dz.mul_(active)
                g_dec = z.T @ error
                g_dec -= (g_dec * w_dec).sum(1, keepdim=True) * w_dec
                gradients = [x.T @ d_pre, g_dec, d_pre.sum(0), error.sum(0), d_theta * theta]
                correction = 1 - beta ** steps
                for w, g, v in zip(weights, gradients, moments):
                    v.mul_(beta).addcmul_(g, g, value=1 - beta)
                    w.addcdiv_(g, (v / correction).sqrt_().add_(eps), value=-rate)
                w_dec.div_(w_dec.norm(dim=1, keepdim=True))
                work.l0 = active.sum().item() / batch
        """;

    private readonly Process _process;

    private Python(Process process) => _process = process;

    /// <summary>One float32 product [m,k]·[k,n] in libtorch, or null when it is not there.</summary>
    public static Python? Torch(int threads, int m, int k, int n) => Start(TorchGemm, threads, m, k, n);

    /// <summary>Product and top-k in blocks of 1,024 queries in libtorch, or null.</summary>
    public static Python? TorchSearch(int threads, int queries, int keys, int d, int k) => Start(TorchTopK, threads, queries, keys, d, k);

    /// <summary>A flat inner-product search in FAISS, or null.</summary>
    public static Python? Faiss(int threads, int queries, int keys, int d, int k) => Start(FaissTopK, threads, queries, keys, d, k);

    /// <summary>One update of a JumpReLU SAE in eager libtorch, or null.</summary>
    public static Python? TorchSaeTraining(int threads, int batch, int d, int features, int l0) => Start(TorchSae, threads, batch, d, features, l0);

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
