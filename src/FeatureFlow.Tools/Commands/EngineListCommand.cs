using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Tensors;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow engine list</c>: every engine, whether it can be used, and why not.</summary>
internal sealed class EngineListCommand() : ToolCommand("list", "List the tensor engines: which can be used, and what to do for the others.", ("engine list", "Every engine with its verdict."))
{
    private static readonly TableColumns<EngineRow> Columns = new(
        ("engine", e => e.Engine), ("usable", e => e.Usable), ("device", e => e.Device), ("threads", e => e.Threads), ("instructions", e => e.Instructions), ("remark", e => e.Remark), ("folder", e => e.Folder));

    protected override int Run(ParseResult options, ToolContext context)
    {
        var used = FlowEngine.Shared.Tensors.Info;
        var cpu = CpuEngine.Shared.Info;
        var folders = EngineCatalog.Find();
        context.Show<EngineRow>(Columns,
        [
            new(cpu.Name, true, cpu.Device, cpu.Threads, cpu.Instructions, used.Name == cpu.Name ? "built in; in use" : "built in", null),
            .. folders.Count == 0
                ? [new EngineRow("torch", false, null, null, null, "not installed: build it with -p:Torch=cpu, cuda-windows or cuda-linux, then 'featureflow engine add FOLDER'", null)]
                : Torch(folders, used),
        ]);
        return 0;
    }

    // loads the first that can be loaded: only then is it known whether it is whole
    private static IEnumerable<EngineRow> Torch(IReadOnlyList<EngineFolder> folders, EngineInfo used)
    {
        var named = folders[0].Origin == "explicit";
        var loaded = EngineCatalog.TryLoad(named ? [folders[0]] : folders);
        foreach (var folder in folders)
        {
            var origin = folder.Origin == "built-in" ? "beside the program" : folder.Origin == "user" ? "the user's" : "named";
            if (folder.Problem is { } problem)
            {
                yield return new("torch", false, null, null, null, $"{origin}: {problem}", folder.Path);
            }
            else if (folder.Path != loaded?.Path)
            {
                yield return new("torch", false, null, null, null, $"{origin}: not tried, {(named ? "another folder is named" : $"{loaded?.Path} comes first")}", folder.Path);
            }
            else
            {
                var (info, why) = Start();
                yield return new("torch", info is not null, info?.Device, info?.Threads, info?.Instructions, $"{origin}: {why ?? (used.Name == "torch" ? "in use" : "auto uses it where there is a card")}", folder.Path);
            }
        }
    }

    private static (EngineInfo?, string?) Start()
    {
        if (FlowEngine.Shared.Tensors.Info is { Name: "torch" } info) return (info, null);
        try
        {
            using var engine = EngineCatalog.Open(EngineChoice.Torch);
            return (engine.Info, null);
        }
        catch (FeatureFlowException e)
        {
            return (null, e.Message);
        }
    }

    private sealed record EngineRow(string Engine, bool Usable, string? Device, int? Threads, string? Instructions, string Remark, string? Folder);
}
