using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Tensors;

namespace FeatureFlow.PowerShell;

/// <summary>Set-FlowEngine: chooses the tensor engine of this process.</summary>
[Cmdlet(VerbsCommon.Set, "FlowEngine", SupportsShouldProcess = true)]
[OutputType(typeof(FlowEngineStatus))]
public sealed class SetFlowEngineCommand : EngineCmdlet
{
    /// <summary>Which engine.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    public EngineChoice Name { get; set; }

    /// <summary>cpu, cuda, cuda:1.</summary>
    [Parameter]
    public string? Device { get; set; }

    /// <summary>Type of products.</summary>
    [Parameter]
    public ComputeType Compute { get; set; }

    /// <summary>Lets float32 products round their operands to TF32.</summary>
    [Parameter]
    public SwitchParameter Tf32 { get; set; }

    /// <summary>Bytes of weights kept on the device.</summary>
    [Parameter]
    [ValidateRange(0L, long.MaxValue)]
    public long WeightBudget { get; set; }

    /// <summary>The folder of the torch engine.</summary>
    [Parameter]
    public string? Path { get; set; }

    /// <summary>Writes the engine's status.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process()
    {
        var options = new EngineOptions { Device = Device, Compute = Compute, Tf32 = Tf32, WeightBudget = WeightBudget };
        var request = new EngineRequest(Name, options == new EngineOptions() ? null : options, Path is null ? null : FilePath(Path));
        if (!ShouldProcess(Name.ToString(), "Compute with")) return;
        string? remark = null;
        FlowEngine.Use(request, text => remark = text);
        var engine = Run(_ => FlowEngine.Shared);
        if (remark is not null) WriteWarning(remark);
        if (PassThru) WriteObject(engine.Status);
    }
}
