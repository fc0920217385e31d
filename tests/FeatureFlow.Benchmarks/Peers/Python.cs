using System.Diagnostics;
using System.Globalization;
using FeatureFlow.Models;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// libtorch or FAISS in a Python that has them (Debian: python3-torch, python3-faiss): a process that does its work once for every line
/// it is sent and answers with the seconds, so that it takes turns with what it is compared to.
/// </summary>
internal sealed partial class Python : IDisposable
{
    private const string Loop = """

        sync = globals().get('sync', lambda: None)
        work(), sync()
        print('ready', flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            work(), sync()
            print(time.perf_counter() - start, flush=True)
        """;

    private const string TorchCopy = """
        import sys, time, torch
        threads, n = map(int, sys.argv[1:3])
        torch.set_num_threads(threads)
        a, b = torch.rand(n), torch.rand(n)
        def work(): b.copy_(a)
        """;

    private const string TorchCalls = """
        import sys, time, torch
        threads, n = map(int, sys.argv[1:3])
        torch.set_num_threads(threads)
        a, b, c = torch.rand(1, 64), torch.rand(1, 64), torch.rand(1, 64)
        def work():
            for _ in range(n): torch.add(a, b, out=c)
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

    // GPT-2 and Gemma 2 as one writes them in eager PyTorch, float32: `tokens` new tokens in each of `batch` rows, of which `cached` earlier ones are in the cache
    private const string TorchGpt2 = """
        import sys, time, torch
        threads, batch, tokens, cached, layers, d, heads, vocabulary = map(int, sys.argv[1:9])
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        r = lambda *s: torch.randn(*s) * 0.02
        head, F = d // heads, torch.nn.functional
        wte, wpe = r(vocabulary, d), r(1024, d)
        ones, zeros = torch.ones(d), torch.zeros(d)
        L = [(r(d, 3 * d), r(3 * d), r(d, d), r(d), r(d, 4 * d), r(4 * d), r(4 * d, d), r(d), r(batch, heads, cached, head), r(batch, heads, cached, head)) for _ in range(layers)]
        ids = torch.randint(0, vocabulary, (batch, tokens))
        mask = torch.full((tokens, tokens), float('-inf')).triu(1)
        split = lambda x: x.view(batch, tokens, heads, head).transpose(1, 2)
        def work():
            with torch.no_grad():
                x = wte[ids] + wpe[cached:cached + tokens]
                for qkv, qkvb, o, ob, up, upb, down, downb, pk, pv in L:
                    q, k, v = map(split, torch.addmm(qkvb, F.layer_norm(x, (d,), ones, zeros).view(-1, d), qkv).view(batch, tokens, 3 * d).split(d, 2))
                    k, v = torch.cat([pk, k], 2), torch.cat([pv, v], 2)
                    s = q @ k.transpose(2, 3) / head ** 0.5
                    s[..., cached:] += mask
                    z = (s.softmax(-1) @ v).transpose(1, 2).reshape(-1, d)
                    x = x + torch.addmm(ob, z, o).view(batch, tokens, d)
                    h = torch.addmm(upb, F.layer_norm(x, (d,), ones, zeros).view(-1, d), up)
                    h = 0.5 * h * (1 + torch.tanh(0.7978845608 * (h + 0.044715 * h ** 3)))
                    x = x + torch.addmm(downb, h, down).view(batch, tokens, d)
                return F.layer_norm(x[:, -1], (d,), ones, zeros) @ wte.T
        """;

    private const string TorchGemma2 = """
        import sys, time, torch
        threads, batch, tokens, cached, layers, d, heads, vocabulary = map(int, sys.argv[1:9])
        kv, head, inner = map(int, sys.argv[9:12])
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        F = torch.nn.functional
        r = lambda *s: torch.empty(*s).uniform_(-0.02, 0.02)
        wte, one = r(vocabulary, d), torch.zeros(d)
        L = [(r(heads * head, d), r(kv * head, d), r(kv * head, d), r(d, heads * head), r(inner, d), r(inner, d), r(d, inner), r(batch, kv, cached, head), r(batch, kv, cached, head)) for _ in range(layers)]
        ids = torch.randint(0, vocabulary, (batch, tokens))
        mask = torch.full((tokens, tokens), float('-inf')).triu(1)
        angle = torch.outer(torch.arange(cached, cached + tokens).float(), 1 / 10000 ** (torch.arange(0, head, 2).float() / head))
        cos, sin = (torch.cat([x] * 2, 1).to(wte.dtype) for x in (angle.cos(), angle.sin()))
        norm = lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + one)
        turn = lambda x: x * cos + torch.cat([-x[..., head // 2:], x[..., :head // 2]], -1) * sin
        split = lambda x, n: x.view(batch, tokens, n, head).transpose(1, 2)
        def work():
            with torch.no_grad():
                x = wte[ids] * d ** 0.5
                for q, k, v, o, gate, up, down, pk, pv in L:
                    n = norm(x)
                    qs, ks, vs = turn(split(F.linear(n, q), heads)), turn(split(F.linear(n, k), kv)), split(F.linear(n, v), kv)
                    ks, vs = (torch.cat(p, 2).repeat_interleave(heads // kv, 1) for p in ((pk, ks), (pv, vs)))
                    s = 50 * torch.tanh(qs @ ks.transpose(2, 3) / head ** 0.5 / 50)
                    s[..., cached:] += mask
                    x = x + norm(F.linear((s.softmax(-1) @ vs).transpose(1, 2).reshape(batch, tokens, heads * head), o))
                    n = norm(x)
                    x = x + norm(F.linear(F.gelu(F.linear(n, gate), approximate='tanh') * F.linear(n, up), down))
                return 30 * torch.tanh(F.linear(norm(x[:, -1]), wte) / 30)
        """;

    // costs by one float32 product, then scipy's solver; says its total and its memory in a file beside the points
    private const string ScipyAssignment = """
        import sys, time, numpy, resource
        from scipy.optimize import linear_sum_assignment
        a, b = numpy.load(folder + '/a.npy'), numpy.load(folder + '/b.npy')
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        warm = False
        def solve(a, b):
            c = a @ b.T
            c *= -2
            c += (a * a).sum(1)[:, None]
            c += (b * b).sum(1)[None]
            return linear_sum_assignment(c)
        def work():
            global warm
            if not warm:
                solve(a[:512], b[:512]) # the first time only wakes libraries: hard problems take minutes
                warm = True
                return
            i, j = solve(a, b)
            total = ((a[i].astype(float) - b[j]) ** 2).sum()
            open(folder + '/scipy.txt', 'w').write(f'{total!r} {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}')
        """;

    private readonly Process _process;

    private Python(Process process) => _process = process;

    /// <summary>One product [m,k]·[k,n] in libtorch, or null when it is not there.</summary>
    public static Python? Torch(int threads, int m, int k, int n, TorchSetting? setting = null) => Start(TorchGemm, setting, threads, m, k, n);

    /// <summary>So many numbers from one place of the device to another, or null.</summary>
    public static Python? TorchOfCopy(int threads, int n, TorchSetting setting) => Start(TorchCopy, setting, threads, n);

    /// <summary>So many calls with next to nothing to do, or null.</summary>
    public static Python? TorchOfCalls(int threads, int n, TorchSetting setting) => Start(TorchCalls, setting, threads, n);

    /// <summary>Product and top-k in blocks of 1,024 queries in libtorch, or null.</summary>
    public static Python? TorchSearch(int threads, int queries, int keys, int d, int k, TorchSetting? setting = null) => Start(TorchTopK, setting, threads, queries, keys, d, k);

    /// <summary>A flat inner-product search in FAISS, or null.</summary>
    public static Python? Faiss(int threads, int queries, int keys, int d, int k) => Start(FaissTopK, null, threads, queries, keys, d, k);

    /// <summary>One update of a JumpReLU SAE in eager libtorch, or null.</summary>
    public static Python? TorchSaeTraining(int threads, int batch, int d, int features, int l0) => Start(TorchSae, null, threads, batch, d, features, l0);

    /// <summary>A pass of GPT-2 in eager libtorch, or null.</summary>
    public static Python? TorchOfGpt2(int threads, int batch, int tokens, int cached, ModelConfig c, TorchSetting? setting = null) =>
        Start(TorchGpt2, setting, threads, batch, tokens, cached, c.Layers, c.Width, c.Heads, c.Vocabulary);

    /// <summary>A pass of Gemma 2 in eager libtorch, or null.</summary>
    public static Python? TorchOfGemma2(int threads, int batch, int tokens, int cached, ModelConfig c, TorchSetting? setting = null) =>
        Start(TorchGemma2, setting, threads, batch, tokens, cached, c.Layers, c.Width, c.Heads, c.Vocabulary, c.KeyValueHeads, c.HeadWidth, c.MlpWidth);

    /// <summary>The assignment of the points a.npy and b.npy of a folder by scipy, costs included, or null; scipy.txt there has total cost and MiB.</summary>
    public static Python? Scipy(int threads, string folder) => Start($"folder = {System.Text.Json.JsonSerializer.Serialize(folder)}\n{ScipyAssignment}", null, threads);

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

    private static Python? Start(string script, TorchSetting? setting, params int[] numbers)
    {
        script = setting?.Preamble + script + Loop;
        foreach (var program in new[] { "python3", "/usr/bin/python3", "python" })
        {
            var start = new ProcessStartInfo(program, ["-c", script, .. numbers.Select(n => n.ToString(CultureInfo.InvariantCulture))])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            start.Environment["OMP_WAIT_POLICY"] = "PASSIVE"; // spinning helpers of OpenMP would keep the ones of OpenBLAS from their cores
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
