namespace FeatureFlow.Benchmarks;

/// <summary>What the command line asks for.</summary>
/// <param name="Names">Benchmarks to run; all when empty.</param>
/// <param name="Runs">Timed runs per number, after one that is not timed.</param>
/// <param name="Full">Real sizes for the flow graph too: 26 layers x 3 sites x 16,384 x 2,304, some 12 GB of disk and a quarter of an hour.</param>
/// <param name="Folder">Where made-up SAEs are written.</param>
/// <param name="Json">File for the rows as JSON, or null.</param>
internal sealed record BenchmarkOptions(IReadOnlyList<string> Names, int Runs, bool Full, string Folder, string? Json)
{
    public const string Usage = "usage: dotnet run -c Release --project tests/FeatureFlow.Benchmarks -- [NAME...] [--runs N] [--full] [--folder DIR] [--json FILE] [--list]";

    public static BenchmarkOptions Parse(IReadOnlyList<string> args)
    {
        var names = new List<string>();
        var options = new BenchmarkOptions(names, 7, false, Path.GetTempPath(), null);
        for (var i = 0; i < args.Count; i++)
        {
            string Next() => ++i < args.Count ? args[i] : throw new ArgumentException($"{args[i - 1]} needs a value");
            switch (args[i])
            {
                case "--runs": options = options with { Runs = int.Parse(Next(), null) }; break;
                case "--full": options = options with { Full = true }; break;
                case "--folder": options = options with { Folder = Next() }; break;
                case "--json": options = options with { Json = Next() }; break;
                case var name when name.StartsWith('-') || Benchmark.All.All(b => b.Name != name): throw new ArgumentException($"'{name}' is neither an option nor a benchmark ({string.Join(", ", Benchmark.All.Select(b => b.Name))})");
                case var name: names.Add(name); break;
            }
        }

        return options;
    }
}
