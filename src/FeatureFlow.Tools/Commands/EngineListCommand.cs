using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow engine list</c>: every engine, whether it can be used, and why not.</summary>
internal sealed class EngineListCommand() : ToolCommand("list", "List the tensor engines: which can be used, and what to do for the others.", ("engine list", "Every engine with its verdict."))
{
    private static readonly TableColumns<EngineRow> Columns = new(
        ("engine", e => e.Engine), ("usable", e => e.Usable), ("device", e => e.Device), ("threads", e => e.Threads), ("instructions", e => e.Instructions), ("remark", e => e.Remark));

    protected override int Run(ParseResult options, ToolContext context)
    {
        var info = FlowEngine.Shared.Tensors.Info;
        context.Show<EngineRow>(Columns,
        [
            new(info.Name, true, info.Device, info.Threads, info.Instructions, "built in; used by auto"),
            new("torch", false, null, null, null, "not in this build; build with -p:Torch=cpu, cuda-windows or cuda-linux"),
        ]);
        return 0;
    }

    private sealed record EngineRow(string Engine, bool Usable, string? Device, int? Threads, string? Instructions, string Remark);
}
