using System.Globalization;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// Exact assignment with its certificate against scipy's linear_sum_assignment on the same points, costs included: a permuted noisy copy, independent random dictionaries, and (--full) a
/// trained pair, plain and folded. Both must find the same total. --figure draws how the time grows with the number of features.
/// </summary>
internal sealed class MatchBenchmark : Benchmark
{
    private const int D = 256;

    // beyond, its costs alone take more than 8 GB
    private const int LargestOfScipy = 16384;

    public override string Name => "match";

    public override string Measures => "exact assignment with certificate, 1,024 to 8,192 features (to 65,536 and trained pairs with --full; --only random|noisy|trained|large): scipy, memory";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var growth = new Growth();
        foreach (var n in options.Full ? [1024, 2048, 4096, 8192, 16384, 32768, 65536] : new[] { 1024, 4096, 8192 })
        {
            foreach (var (name, a, b) in Problems(n, options))
            {
                using (a)
                using (b)
                {
                    var folder = Path.Combine(options.Folder, $"featureflow-match-{Environment.ProcessId}");
                    Directory.CreateDirectory(folder);
                    try
                    {
                        foreach (var row in One(name, a, b, options, folder, growth)) yield return row;
                    }
                    finally
                    {
                        Directory.Delete(folder, recursive: true);
                    }
                }
            }
        }

        if (options.Figure is { } file) growth.Figure().Write(file);
        if (options.Full && Asked("large", options)) yield return Large(options);
    }

    private static bool Asked(string name, BenchmarkOptions options) => options.Only is null || options.Only.Split(',').Any(name.Contains);

    // no peer: scipy would need 34 GB for the costs alone
    private static Row Large(BenchmarkOptions options)
    {
        const int n = 65536, d = 2304;
        using var engine = new CpuEngine(options.Threads);
        using Tensor a = Made.Matrix(1, n, d), b = Made.Matrix(2, n, d);
        Assignment? found = null;
        var seconds = Timing.Timed(() => found = AssignmentSolver.Solve(new PointCosts(engine, a, b, "benchmark")))();
        return new Row($"random {n} x {n} x {d}, {Text.Threads(options.Threads)}", seconds, "s", $"gap {found!.Certificate.Gap:0.0E+0}, {found.Work.Queries} queries, {found.Work.Rounds} rounds");
    }

    private static IEnumerable<(string Name, Tensor A, Tensor B)> Problems(int n, BenchmarkOptions options)
    {
        foreach (var hard in new[] { false, true })
        {
            var name = hard ? "random" : "noisy copy";
            if (!Asked(name, options)) continue;
            Tensor a = Made.Matrix(1, n, D), b = Made.Matrix(2, n, D);
            Unit(a, null);
            Unit(b, hard ? null : a);
            yield return (name, a, b);
        }

        if (!options.Full || n is not (8192 or 16384) || !Asked("trained", options)) yield break;
        var plain = TrainedPair.Decoders(n, options.Folder, folded: false);
        yield return ("trained pair", plain.A, plain.B);
        if (n > 8192) yield break; // scipy would take an hour
        var folded = TrainedPair.Decoders(n, options.Folder, folded: true);
        yield return ("trained pair, folded", folded.A, folded.B);
    }

    private static IEnumerable<Row> One(string name, Tensor a, Tensor b, BenchmarkOptions options, string folder, Growth growth)
    {
        using var engine = new CpuEngine(options.Threads);
        var (n, d) = (a.Shape[0], a.Shape[1]);
        NpyFile.Write(Path.Combine(folder, "a.npy"), a);
        NpyFile.Write(Path.Combine(folder, "b.npy"), b);
        Assignment Solve() => AssignmentSolver.Solve(new PointCosts(engine, a, b, "benchmark"));
        var found = Solve();
        var extra = Memory.Extra(() => Solve());
        using var scipy = n > LargestOfScipy ? null : Python.Scipy(options.Threads, folder);
        var ours = Timing.Turns(n > LargestOfScipy ? 1 : Math.Min(5, options.Runs), Timing.Timed(() => Solve()))[0];
        growth.Add(name, n, ours.Median);
        var on = $"{name} {n} x {n} x {d}, {Text.Threads(options.Threads)}";
        if (scipy is null)
        {
            yield return new Row($"{on}", ours.Median, "s", n > LargestOfScipy ? $"gap {found.Certificate.Gap:0.0E+0}, {found.Work.Queries} queries; memory beyond the points {extra:0} MiB" : "scipy: not installed");
            yield break;
        }

        var theirs = Timing.Turns(n > 4096 ? 1 : Math.Min(3, options.Runs), scipy.Seconds)[0];
        growth.Add($"{name}, scipy", n, theirs.Median);
        var said = File.ReadAllText(Path.Combine(folder, "scipy.txt")).Split(' ').Select(t => double.Parse(t, CultureInfo.InvariantCulture)).ToArray();
        yield return new Row(on, ours.Median, "s", $"scipy {theirs.Median:0.00} s", ours.FasterThan(theirs), n >= 8192 ? 10 : null, ours.Spread);
        yield return new Row("  memory beyond the points", extra, "MiB", $"scipy {said[1]:0} MiB", said[1] / extra, 4);
        yield return new Row("  total cost against scipy's, relative; gap", Math.Abs(found.Certificate.Primal - said[0]) / said[0], $"gap {found.Certificate.Gap:0.0E+0}, {found.Work.Queries} queries, {found.Work.Rounds} rounds");
    }

    // rows of unit length; with a partner a permuted noisy copy of it
    private static void Unit(Tensor points, Tensor? partner)
    {
        var x = points.AsSpan<float>();
        var n = points.Shape[0];
        for (var i = 0; i < n; i++)
        {
            var row = x.Slice(i * D, D);
            if (partner is not null)
            {
                var of = partner.AsSpan<float>().Slice((int)((i * 7919L) % n) * D, D);
                for (var d = 0; d < D; d++) row[d] = of[d] + (row[d] * 2.4f / MathF.Sqrt(D));
            }

            float norm = 0;
            foreach (var v in row) norm += v * v;
            foreach (ref var v in row) v /= MathF.Sqrt(norm);
        }
    }

    /// <summary>Seconds by number of features, a line for every kind of problem and who solved it.</summary>
    private sealed class Growth
    {
        private readonly List<(string Kind, int Features, double Seconds)> _seconds = [];

        public void Add(string kind, int features, double seconds) => _seconds.Add((kind, features, seconds));

        public Figure Figure() => new(
            "Time of an exact assignment",
            new Panel(new Axis("features of each dictionary") { Log = true }, new Axis("seconds") { Log = true }, [.. _seconds.GroupBy(s => s.Kind).Select(g => new LineSeries(g.Key, [.. g.Select(s => new Dot(s.Features, s.Seconds))]))]))
        {
            Note = "Costs included. Ours with the certificate that proves the optimum; scipy's linear_sum_assignment on the same points.",
        };
    }
}
