using System.Globalization;
using System.Management.Automation;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Clear-FlowEngine: forgets packs and closes SAE files that are not in use at this moment.</summary>
[Cmdlet(VerbsCommon.Clear, "FlowEngine", SupportsShouldProcess = true)]
[OutputType(typeof(void))]
public sealed class ClearFlowEngineCommand : EngineCmdlet
{
    private protected override void Process()
    {
        var held = FlowEngine.Shared.Status;
        var what = string.Create(CultureInfo.InvariantCulture, $"{held.Packs.Count} packs, {held.OpenSaes} SAEs of {held.OpenBytes / 1048576.0:0.#} MiB");
        if (ShouldProcess(what, "Close")) FlowEngine.Shared.Clear();
    }
}
