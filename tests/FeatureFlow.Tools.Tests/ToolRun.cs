using System.Diagnostics;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>What a run of the tool printed, and its exit code.</summary>
internal sealed record ToolRun(int Code, string Out, string Error)
{
    /// <summary>Runs the tool in this process.</summary>
    public static ToolRun Of(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var code = ToolApp.Run(args, new ToolStreams(output, error));
        return new ToolRun(code, output.ToString(), error.ToString());
    }

    /// <summary>Starts the tool in a process of its own.</summary>
    public static Process Start(string folder, params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(ToolApp).Assembly.Location, .. args]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        return Process.Start(start)!;
    }

    /// <summary>Runs a program to its end.</summary>
    public static ToolRun Program(string folder, string program, params string[] args)
    {
        var start = new ProcessStartInfo(program, args) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new ToolRun(process.ExitCode, output, error.Result);
    }

    /// <summary>The run, which must have succeeded.</summary>
    public ToolRun Ok()
    {
        Assert.True(Code == 0, $"exit code {Code}\n{Error}");
        return this;
    }

    /// <summary>The example pack.</summary>
    public static string Pack { get; } = Repository.Example("stories260k");
}
