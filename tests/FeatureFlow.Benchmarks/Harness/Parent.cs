using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FeatureFlow.Experiments;

namespace FeatureFlow.Benchmarks;

/// <summary>Starts one process per benchmark and prints what they found.</summary>
internal static class Parent
{
    private static readonly TableColumns<Row> Columns = new(
        ("name", r => r.Name), ("value", r => r.Value), ("unit", r => r.Unit), ("against", r => r.Against), ("ratio", r => r.Ratio), ("goal", r => r.Goal), ("met", r => r.Verdict), ("spread", r => r.Spread));

    public static int Run(string[] args)
    {
        if (args is ["--list"] or ["list"])
        {
            foreach (var benchmark in Benchmark.All) Console.WriteLine($"{benchmark.Name,-10}{benchmark.Measures}");
            return 0;
        }

        BenchmarkOptions options;
        try
        {
            options = BenchmarkOptions.Parse(args);
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine(e.Message);
            Console.Error.WriteLine(BenchmarkOptions.Usage);
            return 2;
        }

        var all = new List<Row>();
        Print(["what", "value", "unit", "spread", "against", "ratio", "goal", "met"]);
        foreach (var benchmark in Benchmark.All.Where(b => options.Names.Count == 0 || options.Names.Contains(b.Name)))
        {
            foreach (var row in Start(benchmark, options))
            {
                all.Add(row);
                Print([row.Name, Number(row.Value), row.Unit, row.Spread is { } spread ? string.Create(CultureInfo.InvariantCulture, $"±{spread * 50:0} %") : "", row.Against ?? "", Number(row.Ratio), Number(row.Goal), row.Verdict]);
            }
        }

        if (options.Json is { } path)
        {
            using var text = new StringWriter();
            Columns.WriteJson(text, all);
            File.WriteAllText(path, text.ToString());
        }

        return all.Exists(r => r is { Must: true, Verdict: "no" } or { Ended: true }) ? 4 : 0;
    }

    private static IEnumerable<Row> Start(Benchmark benchmark, BenchmarkOptions options)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["--child", benchmark.Name, .. options.Arguments]) { RedirectStandardOutput = true, UseShellExecute = false };
        using var process = Process.Start(start)!;
        while (process.StandardOutput.ReadLine() is { } line) yield return JsonSerializer.Deserialize<Row>(line)!;
        process.WaitForExit();
        if (process.ExitCode != 0) yield return new Row($"{benchmark.Name}: ended with exit code {process.ExitCode}", null, "", Ended: true);
    }

    private static string Number(double? value) => value is { } v ? v.ToString(Math.Abs(v) >= 1000 ? "0" : Math.Abs(v) >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture) : "";

    private static void Print(string[] cells) => Console.WriteLine($"{cells[0],-62} {cells[1],8} {cells[2],-8} {cells[3],6} {cells[4],-30} {cells[5],5} {cells[6],5} {cells[7]}".TrimEnd());
}

/// <summary>Runs one benchmark; rows go to the parent as JSON, one a line.</summary>
internal static class Child
{
    public static int Run(string name, BenchmarkOptions options)
    {
        foreach (var row in Benchmark.All.First(b => b.Name == name).Run(options)) Tell(row);
        Tell(new Row($"{name}: peak resident set", Memory.Peak, "MiB"));
        return 0;
    }

    private static void Tell(Row row)
    {
        Console.WriteLine(JsonSerializer.Serialize(row));
        Console.Out.Flush();
    }
}
