using System.Management.Automation;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Get-FlowEngine: what the one shared engine of this process holds.</summary>
[Cmdlet(VerbsCommon.Get, "FlowEngine")]
[OutputType(typeof(FlowEngineStatus))]
public sealed class GetFlowEngineCommand : EngineCmdlet
{
    private protected override void Process() => WriteObject(FlowEngine.Shared.Status);
}
