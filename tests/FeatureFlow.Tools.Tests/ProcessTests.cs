using System.Diagnostics;
using System.Runtime.InteropServices;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>The tool as a process: installed, killed, interrupted, with a reader that goes away.</summary>
public sealed class ProcessTests : IDisposable
{
#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Packs_and_installs_from_a_local_folder()
    {
        var project = Path.Combine(Repository.Root, "src", "FeatureFlow.Tools");
        ToolRun.Program(project, "dotnet", "pack", "-c", Configuration, "--no-build", "-o", _folder.File("packages"), "--nologo").Ok();
        File.WriteAllText(_folder.File("nuget.config"), $"<configuration><packageSources><clear/><add key=\"local\" value=\"{_folder.File("packages")}\"/></packageSources></configuration>");
        ToolRun.Program(_folder.Path, "dotnet", "tool", "install", "FeatureFlow.Tools", "--tool-path", _folder.File("tools"), "--configfile", _folder.File("nuget.config")).Ok();

        var tool = _folder.File("tools", OperatingSystem.IsWindows() ? "featureflow.exe" : "featureflow");
        var run = ToolRun.Program(_folder.Path, tool, "demo", "--no-open").Ok();
        Assert.Contains("18 SAEs", run.Out, StringComparison.Ordinal);
        Assert.Equal(["classes.csv", "graph.json", "graph.svg", "plans.csv", "predecessors.csv", "report.html", "steering.csv", "steering.html"], Directory.EnumerateFiles(_folder.File("featureflow-demo")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [BitsFact]
    public void A_sweep_killed_three_times_goes_on_to_the_same_tables()
    {
        var experiment = Repository.Example("steering.yaml");
        ToolRun.Of("run", experiment, "--out", _folder.File("sweep"), "--quiet").Ok();
        var random = new Prng(11);
        var (units, killed) = (_folder.File("broken", "units"), 0);
        for (var round = 1; round <= 3; round++)
        {
            using var process = ToolRun.Start(_folder.Path, "run", experiment, "--out", _folder.File("broken"));
            var until = (Directory.Exists(units) ? Directory.GetFiles(units, "*.json").Length : 0) + 1 + random.Next(12);
            while (!process.HasExited && (!Directory.Exists(units) || Directory.GetFiles(units, "*.json").Length < until)) Thread.Yield();
            if (!process.HasExited) killed++;
            process.Kill();
            process.WaitForExit();
        }

        Assert.True(killed > 0, "no run was still at work when it was to be killed");
        ToolRun.Of("run", experiment, "--out", _folder.File("broken"), "--quiet").Ok();
        foreach (var name in new[] { "samples.csv", "plans.csv", "aggregate.csv", "best.csv", "comparisons.csv" })
            Assert.Equal(File.ReadAllText(_folder.File("sweep", name)), File.ReadAllText(_folder.File("broken", name)));
    }

    [Fact]
    public void Deactivations_killed_go_on_to_the_same_tables()
    {
        var experiment = Repository.Example("deactivation.yaml");
        string[] small = ["--set", "layers=2", "--set", "targets_per_token=2", "--set", "strategies=[top1,random]", "--set", "sweep_targets=6", "--quiet"];
        ToolRun.Of(["run", experiment, "--out", _folder.File("whole"), .. small]).Ok();
        var (units, killed) = (_folder.File("broken", "units"), 0);
        for (var round = 1; round <= 2; round++)
        {
            using var process = ToolRun.Start(_folder.Path, ["run", experiment, "--out", _folder.File("broken"), .. small]);
            while (!process.HasExited && (!Directory.Exists(units) || Directory.GetFiles(units, "*.json").Length < 2 * round)) Thread.Yield();
            if (!process.HasExited) killed++;
            process.Kill();
            process.WaitForExit();
        }

        Assert.True(killed > 0, "no run was still at work when it was to be killed");
        ToolRun.Of(["run", experiment, "--out", _folder.File("broken"), .. small]).Ok();
        foreach (var name in new[] { "causal.csv", "one_at_a_time.csv", "summary.csv", "rsweep.csv", "loss.csv", "claims.csv", "methods.csv" })
            Assert.Equal(File.ReadAllText(_folder.File("whole", name)), File.ReadAllText(_folder.File("broken", name)));
    }

    [Fact]
    public void A_run_killed_at_any_moment_goes_on_to_the_same_results()
    {
        var experiment = _folder.File("e.yaml");
        File.WriteAllText(experiment, $$"""
            version: 1
            kind: flow-graph
            pack: {{ToolRun.Pack.Replace('\\', '/')}}
            seeds: {layers: 4, count: 400}
            direction: both
            top: 3
            formats: [json, csv]
            """);
        ToolRun.Of("run", experiment, "--out", _folder.File("whole"), "--quiet").Ok();

        var units = _folder.File("killed", "units");
        var killed = 0;
        foreach (var after in new[] { 1, 60, 200 })
        {
            using var process = ToolRun.Start(_folder.Path, "run", experiment, "--out", _folder.File("killed"));
            while (!process.HasExited && (!Directory.Exists(units) || Directory.GetFiles(units).Length < after)) Thread.Yield();
            if (!process.HasExited) killed++;
            process.Kill();
            process.WaitForExit();
        }

        Assert.True(killed > 0, "no run was still at work when it was to be killed");
        ToolRun.Of("run", experiment, "--out", _folder.File("killed"), "--quiet").Ok();
        foreach (var name in new[] { "summary.csv", "edges.csv", "graphs.json", "resolved.yaml" })
            Assert.Equal(File.ReadAllText(_folder.File("whole", name)), File.ReadAllText(_folder.File("killed", name)));
    }

    [UnixFact]
    public void Interrupted_and_terminated_exit_with_their_codes()
    {
        foreach (var (signal, code) in new[] { ("-INT", 130), ("-TERM", 143) })
        {
            var experiment = _folder.File("e.yaml");
            File.WriteAllText(experiment, $"version: 1\nkind: flow-graph\npack: {ToolRun.Pack}\nseeds: {{layers: 0-4}}\ndirection: both\ntop: 8\nformats: [html, svg]\n");
            using var process = Interruptible(() => ToolRun.Start(_folder.Path, "run", experiment, "--out", _folder.File("out" + code)));
            while (!process.HasExited && !Directory.Exists(_folder.File("out" + code, "units"))) Thread.Yield();
            ToolRun.Program(_folder.Path, "kill", signal, $"{process.Id}").Ok();
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(code, process.ExitCode);
            Assert.Contains("cancelled", error, StringComparison.Ordinal);
            Assert.False(File.Exists(_folder.File("out" + code, "manifest.json")));
            Assert.Empty(Directory.EnumerateFiles(_folder.File("out" + code), "*.tmp", SearchOption.AllDirectories));
        }
    }

    // a background job of a script is born deaf to SIGINT, and so would be what it starts
    private static Process Interruptible(Func<Process> start)
    {
        const int Interrupt = 2;
        const nint Ignored = 1;
        var action = new nint[64]; // a struct sigaction begins with its handler, and is smaller than this everywhere
        Assert.Equal(0, SignalAction(Interrupt, 0, action));
        if (action[0] != Ignored) return start();
        Signal(Interrupt, 0);
        try
        {
            return start();
        }
        finally
        {
            Signal(Interrupt, Ignored);
        }
    }

    [DllImport("libc", EntryPoint = "sigaction")]
    private static extern int SignalAction(int signal, nint action, [Out] nint[] before);

    [DllImport("libc", EntryPoint = "signal")]
    private static extern nint Signal(int signal, nint handler);

    [UnixFact]
    public void A_reader_that_goes_away_is_no_error()
    {
        var tool = typeof(ToolApp).Assembly.Location;
        var run = ToolRun.Program(_folder.Path, "sh", "-c", $"(dotnet '{tool}' features --pack '{ToolRun.Pack}'; echo $? > code) | head -1");
        Assert.StartsWith("layer", run.Out, StringComparison.Ordinal);
        Assert.Equal("0", File.ReadAllText(_folder.File("code")).Trim());
        Assert.Empty(run.Error);
    }
}

/// <summary>A test of signals and pipes as Unix has them; elsewhere it reports itself as not run.</summary>
public sealed class UnixFactAttribute : FactAttribute
{
    public UnixFactAttribute()
    {
        if (OperatingSystem.IsWindows()) Skip = "not run: needs Unix signals";
    }
}
