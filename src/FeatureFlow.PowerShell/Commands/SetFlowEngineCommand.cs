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
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Auto, Cpu or Torch.")]
    public EngineChoice Engine { get; set; }

    /// <summary>cpu, cuda, cuda:1.</summary>
    [Parameter(HelpMessage = "For torch: cpu, cuda, or cuda:1 for the second card.")]
    public string? Device { get; set; }

    /// <summary>Type of products.</summary>
    [Parameter(HelpMessage = "For torch: the type in which products are computed.")]
    public ComputeType Compute { get; set; }

    /// <summary>Lets float32 products round their operands to TF32.</summary>
    [Parameter(HelpMessage = "For torch: float32 products round their operands to TF32.")]
    public SwitchParameter Tf32 { get; set; }

    /// <summary>Bytes of weights kept on the device.</summary>
    [Parameter(HelpMessage = "For torch: bytes of weights kept on the device.")]
    [ValidateRange(0L, long.MaxValue)]
    public long WeightBudget { get; set; }

    /// <summary>The folder of the torch engine.</summary>
    [Parameter(HelpMessage = "The only folder in which the torch engine is searched.")]
    public string? Path { get; set; }

    /// <summary>Writes the engine's status.</summary>
    [Parameter(HelpMessage = "Writes the status of the engine.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process()
    {
        var options = new EngineOptions { Device = Device, Compute = Compute, Tf32 = Tf32, WeightBudget = WeightBudget };
        var request = new EngineRequest(Engine, options == new EngineOptions() ? null : options, Path is null ? null : FilePath(Path));
        if (!ShouldProcess(Engine.ToString(), "Compute with")) return;
        string? remark = null;
        FlowEngine.Use(request, text => remark = text);
        var engine = Run(_ => FlowEngine.Shared);
        if (remark is not null) WriteWarning(remark);
        if (PassThru) WriteObject(engine.Status);
    }
}
