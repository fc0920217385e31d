using System.Diagnostics;
using FeatureFlow.Tensors;

namespace FeatureFlow.Tools.Tests;

/// <summary>A folder that looks like a torch engine of this FeatureFlow until something of it is loaded.</summary>
internal static class FakeEngine
{
    public static void Make(string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "runtimes", EngineFolder.RuntimeName, "native"));
        File.Copy(typeof(Tensor).Assembly.Location, Path.Combine(folder, "FeatureFlow.Tensors.TorchSharp.dll"), overwrite: true);
        File.Copy(typeof(FactAttribute).Assembly.Location, Path.Combine(folder, "TorchSharp.dll"), overwrite: true); // of some version that is not 0.x
        File.WriteAllText(Path.Combine(folder, "runtimes", EngineFolder.RuntimeName, "native", EngineFolder.NativeName("LibTorchSharp")), "no library");
    }

    /// <summary>Runs the tool in a process whose user has these engines.</summary>
    public static ToolRun Run(string engines, params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(ToolApp).Assembly.Location, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["FEATUREFLOW_ENGINES"] = engines;
        start.Environment.Remove("FEATUREFLOW_ENGINE");
        start.Environment.Remove("FEATUREFLOW_COMPUTE");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new ToolRun(process.ExitCode, output.ReplaceLineEndings("\n"), error.Result.ReplaceLineEndings("\n"));
    }
}
