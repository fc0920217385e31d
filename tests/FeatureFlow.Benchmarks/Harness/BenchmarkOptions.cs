using System.Globalization;

namespace FeatureFlow.Benchmarks;

/// <summary>What the command line asks for.</summary>
/// <param name="Names">Benchmarks to run; all when empty.</param>
/// <param name="Runs">Timed runs per number, after one that is not timed.</param>
/// <param name="Threads">Threads of the runs that use all.</param>
/// <param name="Full">Real sizes for the flow graph too: 26 layers x 3 sites x 16,384 x 2,304, some 12 GB of disk and of page cache.</param>
/// <param name="Index">Builds the flow index at those sizes too: some 190 TFLOP, twenty minutes on two cores.</param>
/// <param name="Folder">Where made-up SAEs are written.</param>
/// <param name="Engine">The engine of the benchmarks that any engine can run, in the words of --engine; null for their own choice.</param>
/// <param name="Calls">Calls of each kind where calls are counted.</param>
/// <param name="Only">Of a benchmark of many parts, those with this in their names; null for all.</param>
/// <param name="Figure">File for a picture of what was measured, where a benchmark draws one, or null.</param>
/// <param name="Json">File for the rows as JSON, or null.</param>
internal sealed record BenchmarkOptions(IReadOnlyList<string> Names, int Runs, int Threads, bool Full, bool Index, string Folder, string? Engine, int Calls, string? Only, string? Figure, string? Json)
{
    public const string Usage = "usage: dotnet run -c Release --project tests/FeatureFlow.Benchmarks -- [NAME...] [--runs N] [--quick] [--threads N] [--full [--index]] [--folder DIR] [--engine WORDS] [--calls N] [--only NAME] [--figure FILE] [--json FILE] [--list]";

    /// <summary>The same as words, for the process of one benchmark.</summary>
    public IEnumerable<string> Arguments =>
        ["--runs", Runs.ToString(CultureInfo.InvariantCulture), "--threads", Threads.ToString(CultureInfo.InvariantCulture), "--folder", Folder, "--calls", Calls.ToString(CultureInfo.InvariantCulture), .. Full ? ["--full"] : Array.Empty<string>(), .. Index ? ["--index"] : Array.Empty<string>(), .. Engine is null ? Array.Empty<string>() : ["--engine", Engine], .. Only is null ? Array.Empty<string>() : ["--only", Only], .. Figure is null ? Array.Empty<string>() : ["--figure", Figure]];

    public static BenchmarkOptions Parse(IReadOnlyList<string> args)
    {
        var names = new List<string>();
        var options = new BenchmarkOptions(names, 7, Environment.ProcessorCount, false, false, Path.GetTempPath(), null, 10_000, null, null, null);
        for (var i = 0; i < args.Count; i++)
        {
            string Next() => ++i < args.Count ? args[i] : throw new ArgumentException($"{args[i - 1]} needs a value");
            int Positive() => int.TryParse(Next(), NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 ? n : throw new ArgumentException($"{args[i - 1]} {args[i]}: a whole number from 1 is needed");
            switch (args[i])
            {
                case "--runs": options = options with { Runs = Positive() }; break;
                case "--quick": options = options with { Runs = 3 }; break;
                case "--threads": options = options with { Threads = Positive() }; break;
                case "--full": options = options with { Full = true }; break;
                case "--index": options = options with { Index = true }; break;
                case "--folder": options = options with { Folder = Next() }; break;
                case "--calls": options = options with { Calls = Positive() }; break;
                case "--only": options = options with { Only = Next() }; break;
                case "--figure": options = options with { Figure = Path.GetFullPath(Next()) }; break;
                case "--engine": options = options with { Engine = Next() }; break;
                case "--json": options = options with { Json = Next() }; break;
                case var name when name.StartsWith('-') || Benchmark.All.All(b => b.Name != name): throw new ArgumentException($"'{name}' is neither an option nor a benchmark ({string.Join(", ", Benchmark.All.Select(b => b.Name))})");
                case var name: names.Add(name); break;
            }
        }

        return options;
    }
}
