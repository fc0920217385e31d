using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>A test that runs in a real PowerShell; where none is installed it reports itself as not run.</summary>
public sealed class PwshTheoryAttribute : TheoryAttribute
{
    public PwshTheoryAttribute()
    {
        if (Pwsh.Path is null) Skip = "not run: no pwsh 7.6 or later on the PATH";
    }
}

/// <summary>Runs suites of Suites/ in a child pwsh, each once, and keeps what every test of it said.</summary>
internal static partial class Pwsh
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10); // for what hangs; a busy machine is slow
    private static readonly ConcurrentDictionary<string, Lazy<Dictionary<string, Result>>> s_suites = new();

    /// <summary>The pwsh of the PATH if it is new enough, or null.</summary>
    public static string? Path { get; } = Find();

    public static string Module { get; } = System.IO.Path.GetFullPath(
        typeof(Pwsh).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "ModuleFolder").Value!);

    /// <summary>Names of the tests of a suite, in order.</summary>
    public static IEnumerable<string> Tests(string suite) => Names().Matches(File.ReadAllText(Script(suite))).Select(m => m.Groups[1].Value);

    /// <summary>What a test said; runs its suite if it has not run.</summary>
    public static Result Run(string suite, string test)
    {
        var results = s_suites.GetOrAdd(suite, s => new Lazy<Dictionary<string, Result>>(() => RunSuite(s))).Value;
        return results.TryGetValue(test, out var result) ? result : new Result(test, results[""].Failure, 0, "");
    }

    public static (int ExitCode, string Output) Start(params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Path!, ["-NoProfile", "-NonInteractive", .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["POWERSHELL_TELEMETRY_OPTOUT"] = "1";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_limit))
        {
            process.Kill(entireProcessTree: true);
            return (-1, $"ended after {s_limit}");
        }

        return (process.ExitCode, output.Result + error.Result);
    }

    private static Dictionary<string, Result> RunSuite(string suite)
    {
        using var folder = new TempFolder();
        var results = folder.File("results.jsonl");
        Directory.CreateDirectory(folder.File("work"));
        var (code, said) = Start(
            "-File", Script("Run"), "-Suite", Script(suite), "-Module", Module, "-Root", Repository.Root.TrimEnd('/', '\\'), "-Temp", folder.File("work"), "-Results", results);
        var all = new Dictionary<string, Result> { [""] = new("", $"the suite did not come to this test (exit code {code}):\n{said}", 0, "") };
        foreach (var line in File.Exists(results) ? File.ReadLines(results) : [])
        {
            var result = JsonSerializer.Deserialize<Result>(line, JsonSerializerOptions.Web)!;
            all[result.Name] = result;
        }

        return all;
    }

    private static string Script(string suite) => System.IO.Path.Combine(Repository.Root, "tests", "FeatureFlow.PowerShell.Tests", "Suites", suite + ".ps1");

    private static string? Find()
    {
        var names = OperatingSystem.IsWindows() ? new[] { "pwsh.exe" } : ["pwsh"];
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator)
            .SelectMany(f => names.Select(n => System.IO.Path.Combine(f, n)))
            .FirstOrDefault(File.Exists);
        if (found is null) return null;
        using var process = Process.Start(new ProcessStartInfo(found, ["--version"]) { RedirectStandardOutput = true })!;
        var version = Number().Match(process.StandardOutput.ReadToEnd());
        process.WaitForExit();
        return version.Success && Version.Parse(version.Value) >= new Version(7, 6) ? found : null;
    }

    [GeneratedRegex(@"^Test '([^']+)'", RegexOptions.Multiline)]
    private static partial Regex Names();

    [GeneratedRegex(@"\d+\.\d+")]
    private static partial Regex Number();

    /// <summary>What one test said.</summary>
    internal sealed record Result(string Name, string? Failure, long Ms, string Says);
}
