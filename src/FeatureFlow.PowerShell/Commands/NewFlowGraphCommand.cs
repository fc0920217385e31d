using System.Collections;
using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>New-FlowGraph: the flow graph of each feature.</summary>
[Cmdlet(VerbsCommon.New, "FlowGraph", DefaultParameterSetName = ByPlace)]
[OutputType(typeof(FlowGraph))]
public sealed class NewFlowGraphCommand : BatchCmdlet<FlowGraph>
{
    private FlowGraphOptions _options = new();

    /// <summary>Which way.</summary>
    [Parameter(HelpMessage = "Backward to predecessors, Forward to successors, or Both")]
    public FlowDirection Direction { get; set; } = FlowDirection.Backward;

    /// <summary>Matches per site and node.</summary>
    [Parameter(HelpMessage = "Matches per site and node; above 1 the graph branches")]
    [ValidateRange(1, 1024)]
    public int Top { get; set; } = 1;

    /// <summary>t(R).</summary>
    [Parameter(HelpMessage = "Residual edges are kept from this cosine on")]
    [ValidateRange(-1.0, 1.0)]
    public double ResidualThreshold { get; set; } = Thresholds.Default.Res;

    /// <summary>t(M) and t(A).</summary>
    [Parameter(HelpMessage = "MLP and attention edges are kept from this cosine on")]
    [ValidateRange(-1.0, 1.0)]
    public double ModuleThreshold { get; set; } = Thresholds.Default.Mlp;

    /// <summary>t(M).</summary>
    [Parameter(HelpMessage = "MLP edges are kept from this cosine on; as -ModuleThreshold by default")]
    [ValidateRange(-1.0, 1.0)]
    public double? MlpThreshold { get; set; }

    /// <summary>t(A).</summary>
    [Parameter(HelpMessage = "Attention edges are kept from this cosine on; as -ModuleThreshold by default")]
    [ValidateRange(-1.0, 1.0)]
    public double? AttentionThreshold { get; set; }

    /// <summary>Thresholds of single layers.</summary>
    [Parameter(HelpMessage = "Thresholds of single layers, as in @{ 12 = 0.6; '0-3' = 0.6, 0.2, 0.1 }")]
    [ValidateNotNull]
    public Hashtable? LayerThreshold { get; set; }

    /// <summary>Reading of the forward step.</summary>
    [Parameter(HelpMessage = "Forward, modules are matched with the Feature itself, or with its Successor")]
    public ForwardModules ForwardModules { get; set; } = ForwardModules.Feature;

    /// <summary>Limit.</summary>
    [Parameter(HelpMessage = "A graph of more nodes is refused")]
    [ValidateRange(1, int.MaxValue)]
    public int MaxNodes { get; set; } = new FlowGraphOptions().MaxNodes;

    private protected override (int Id, string Text) Activity => (7005, "Building flow graphs");

    internal override IEnumerable<FlowGraph> Answer(OpenedPack pack, IReadOnlyList<FeatureId> features, IProgress<FlowProgress> progress, CancellationToken cancel) =>
        FlowGraphBuilder.BuildMany(pack, features, _options, progress, cancel);

    internal override string About(FlowGraph result) => result.Seed;

    internal override void Remark(OpenedPack pack, FlowGraph result) => LeftOut(pack, result.Notes);

    private protected override void Begin()
    {
        var thresholds = new Thresholds(ResidualThreshold, MlpThreshold ?? ModuleThreshold, AttentionThreshold ?? ModuleThreshold);
        _options = new FlowGraphOptions
        {
            Direction = Direction,
            Top = Top,
            Thresholds = thresholds,
            LayerThresholds = LayerThresholds.Read(LayerThreshold, thresholds),
            ForwardModules = ForwardModules,
            MaxNodes = MaxNodes,
        };
        base.Begin();
    }
}
