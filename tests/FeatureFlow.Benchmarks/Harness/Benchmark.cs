namespace FeatureFlow.Benchmarks;

/// <summary>A benchmark: a name, what it measures, and the rows it yields.</summary>
internal abstract class Benchmark
{
    public static IReadOnlyList<Benchmark> All { get; } =
        [new PeakBenchmark(), new GemmBenchmark(), new TopKBenchmark(), new OpenBenchmark(), new TokenizerBenchmark(), new GraphBenchmark(), new StartupBenchmark(), new SaeTrainBenchmark(), new ModelBenchmark(), new SteerBenchmark(), new MatchBenchmark(), new CausalBenchmark(), new TorchBenchmark(), new LeaksBenchmark()];

    public abstract string Name { get; }

    public abstract string Measures { get; }

    public abstract IEnumerable<Row> Run(BenchmarkOptions options);
}

/// <summary>One measured number, and what it is held against in the same run.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Value">The number, a median of several runs.</param>
/// <param name="Unit">Its unit.</param>
/// <param name="Against">The limit or peer, or null.</param>
/// <param name="Ratio">How it compares: more is better, 1 is level; null where there is nothing to compare with.</param>
/// <param name="Goal">The least ratio (or, for plain numbers, the largest value) that is hoped for, or null.</param>
/// <param name="Spread">Interquartile range over median, or null where it was measured once.</param>
/// <param name="Must">Whether the run fails where the goal is not met.</param>
/// <param name="Ended">True for what stands for a benchmark that broke off: the run fails.</param>
internal sealed record Row(string Name, double? Value, string Unit, string? Against = null, double? Ratio = null, double? Goal = null, double? Spread = null, bool Must = false, bool Ended = false)
{
    /// <summary>Yes, no, or nothing where no goal is set or nothing was measured.</summary>
    public string Verdict => (Goal, Ratio, Value) switch
    {
        (null, _, _) => "",
        ({ } goal, { } ratio, _) => ratio >= goal ? "yes" : "no",
        ({ } goal, null, { } value) when Against is null => value <= goal ? "yes" : "no",
        _ => "not run",
    };

    /// <summary>A peer that is not installed: told, never counted.</summary>
    public static Row Absent(string name, string peer) => new(name, null, "", $"{peer}: not installed");
}
