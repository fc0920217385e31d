using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow doctor</c>: what is there, what is wrong, what to do.</summary>
internal sealed class DoctorCommand() : ToolCommand(
    "doctor",
    "Check this installation: runtime, processor, engine, cache, folders. Exits with 4 when a check fails.",
    ("doctor", "One line per check, with a remedy where something is amiss."))
{
    private static readonly TableColumns<Finding> Columns = new(("check", f => f.Check), ("result", f => f.Result), ("finding", f => f.Text), ("remedy", f => f.Remedy));

    protected override int Run(ParseResult options, ToolContext context)
    {
        List<Finding> findings = [Runtime(), Processor(), Memory(), Engine(context.Cancel), Torch(), Cache(), Temporary(), Demo()];
        context.Show(Columns, findings);
        var failed = findings.Count(f => f.Result == "failed");
        return failed == 0 ? 0 : throw ToolErrors.ChecksFailed(failed);
    }

    private static Finding Runtime() => new("runtime", "ok", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription.Trim()} ({RuntimeInformation.ProcessArchitecture})");

    private static Finding Processor()
    {
        var text = $"{Environment.ProcessorCount} logical cores, {FlowEngine.Shared.Tensors.Info.Instructions}";
        return Vector256.IsHardwareAccelerated
            ? new("processor", "ok", text)
            : new("processor", "warning", text, "vectors of 128 bits only: matching will be slow here");
    }

    private static Finding Memory()
    {
        var gigabytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9;
        var text = string.Create(CultureInfo.InvariantCulture, $"{gigabytes:0.0} GB for this process");
        return gigabytes >= 4 ? new("memory", "ok", text) : new("memory", "warning", text, "decoders of 65,536 features want 4 GB or more");
    }

    // the fused search against the plain sum, on a problem with a known answer
    private static Finding Engine(CancellationToken cancel)
    {
        const int Count = 64, Width = 96;
        var random = new Random(1);
        var numbers = Enumerable.Range(0, Count * Width).Select(_ => (float)((random.NextDouble() * 2) - 1)).ToArray();
        using var x_QD = Tensor.From(numbers, Count, Width);
        var best = FlowEngine.Shared.Tensors.TopKInnerProduct(x_QD, x_QD, 1, new TopKOptions { Cosine = true }, cancel);
        var right = Enumerable.Range(0, Count).All(i => best.Indices_QK[i] == i && Math.Abs(best.Scores_QK[i] - 1) < 1e-6);
        return right ? new("engine", "ok", "finds what it should") : new("engine", "failed", "a search gives wrong results", "report this with the output of 'featureflow engine list'");
    }

    private static Finding Torch()
    {
        var folders = EngineCatalog.Find();
        if (folders.Count == 0) return new("torch", "ok", "not installed; needed for cards only");
        return EngineCatalog.TryLoad(folders) is { } loaded
            ? new("torch", "ok", $"TorchSharp {loaded.TorchSharp?.ToString(3)} in {loaded.Path}")
            : new("torch", "warning", $"{folders[0].Path}: {folders[0].Problem}", "'featureflow engine list' shows every folder; docs/torch.md says how to build one");
    }

    private static Finding Cache()
    {
        var folder = HubCache.Default.Folder;
        if (!Directory.Exists(folder)) return new("hub cache", "ok", $"{folder} does not exist", "set HF_HOME or HF_HUB_CACHE if it lies elsewhere; needed for presets only");
        var count = Directory.EnumerateDirectories(folder, "models--*").Count();
        return new("hub cache", "ok", $"{folder}: {count} repositories");
    }

    private static Finding Temporary()
    {
        try
        {
            var path = Path.Combine(Path.GetTempPath(), $"featureflow-{Guid.NewGuid():N}");
            AtomicFile.WriteText(path, "x");
            File.Delete(path);
            return new("temporary files", "ok", Path.GetTempPath());
        }
        catch (Exception e) when (e is FeatureFlowException or IOException or UnauthorizedAccessException)
        {
            return new("temporary files", "failed", e.Message, "make the folder writable, or name another in TMPDIR (TEMP on Windows)");
        }
    }

    private static Finding Demo()
    {
        try
        {
            return new("demo pack", "ok", $"{PackFile.Load(DemoCommand.Folder).Saes.Count} SAEs");
        }
        catch (FeatureFlowException e)
        {
            return new("demo pack", "failed", e.Message, "reinstall the tool");
        }
    }

    private sealed record Finding(string Check, string Result, string Text, string? Remedy = null);
}
