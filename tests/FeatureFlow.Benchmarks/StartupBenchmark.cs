using System.Diagnostics;
using System.Reflection;

namespace FeatureFlow.Benchmarks;

/// <summary>Starting: the tool's help against a .NET process that does nothing, the module's import against a PowerShell that does nothing.</summary>
internal sealed class StartupBenchmark : Benchmark
{
    public override string Name => "startup";

    public override string Measures => "featureflow --help against a .NET process that does nothing; Import-Module against a PowerShell that does nothing";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var root = typeof(StartupBenchmark).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!;
        var tool = Path.Combine(root, "src", "FeatureFlow.Tools", "bin", "Release", "net10.0", "featureflow.dll");
        var self = typeof(StartupBenchmark).Assembly.Location;
        if (File.Exists(tool))
        {
            var pack = Path.Combine(root, "examples", "stories260k");
            var times = Timing.Turns(
                options.Runs,
                Timing.Timed(() => Run("dotnet", self, "--nothing")),
                Timing.Timed(() => Run("dotnet", tool, "--help")),
                Timing.Timed(() => Run("dotnet", tool, "predecessors", "--pack", pack, "--feature", "4/res/40")));
            yield return new Row("a .NET process that does nothing", times[0].Median * 1e3, "ms", Spread: times[0].Spread);
            yield return new Row("featureflow --help", times[1].Median * 1e3, "ms", "doing nothing", times[1].FasterThan(times[0]), Spread: times[1].Spread);
            yield return new Row("featureflow predecessors, one feature of the example", times[2].Median * 1e3, "ms", "doing nothing", times[2].FasterThan(times[0]), Spread: times[2].Spread);
        }
        else
        {
            yield return new Row("featureflow: not built (dotnet build -c Release)", null, "");
        }

        var module = Path.Combine(root, "output", "FeatureFlow", "FeatureFlow.psd1");
        if (!File.Exists(module))
        {
            yield return new Row("module: not built (dotnet build src/FeatureFlow.PowerShell -c Release)", null, "");
        }
        else if (!TryRun("pwsh", "-NoProfile", "-Command", "exit"))
        {
            yield return Row.Absent("Import-Module FeatureFlow", "pwsh");
        }
        else
        {
            var times = Timing.Turns(
                options.Runs,
                Timing.Timed(() => Run("pwsh", "-NoProfile", "-Command", "exit")),
                Timing.Timed(() => Run("pwsh", "-NoProfile", "-Command", $"Import-Module '{module}'")));
            yield return new Row("a PowerShell that does nothing", times[0].Median * 1e3, "ms", Spread: times[0].Spread);
            yield return new Row("the same with Import-Module FeatureFlow", times[1].Median * 1e3, "ms", $"import alone {(times[1].Median - times[0].Median) * 1e3:0} ms", times[1].FasterThan(times[0]), Spread: times[1].Spread);
        }
    }

    private static bool TryRun(string program, params string[] args)
    {
        try
        {
            Run(program, args);
            return true;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static void Run(string program, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        _ = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} {string.Join(' ', args)} ended with {process.ExitCode}");
    }
}
