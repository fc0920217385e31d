using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>New-SteeringPlan: plans from flow graphs, or as files hold them.</summary>
[Cmdlet(VerbsCommon.New, "SteeringPlan", DefaultParameterSetName = ByGraph)]
[OutputType(typeof(SteeringPlan))]
public sealed class NewSteeringPlanCommand : SteeringCmdlet
{
    private const string ByFile = "File";
    private readonly List<FlowGraph> _joined = [];

    /// <summary>Files of plans.</summary>
    [Parameter(ParameterSetName = ByFile, Mandatory = true, Position = 0, HelpMessage = "Files of plans, .yaml or .csv; wildcards allowed")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>Name in results.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Name in results; made of the settings by default")]
    public string? Name { get; set; }

    /// <summary>One plan of all graphs.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Join all graphs to one lineage instead of making plans of each")]
    public SwitchParameter Join { get; set; }

    /// <summary>File to write.</summary>
    [Parameter(HelpMessage = "Also write the plans: .yaml for one, .csv for any number")]
    public string? OutFile { get; set; }

    private readonly List<SteeringPlan> _made = [];

    private protected override object? Target => ParameterSetName == ByFile ? Path : InputObject;

    private protected override void Process()
    {
        if (ParameterSetName == ByFile)
        {
            foreach (var file in Path.SelectMany(FilePaths)) Give(Run(_ => SteeringPlanFile.Read(file)));
            return;
        }

        foreach (var graph in InputObject)
        {
            if (Join) _joined.Add(graph);
            else Give(Plans([graph], Name));
        }
    }

    private protected override void End()
    {
        if (_joined.Count > 0) Give(Plans(_joined, Name));
        if (OutFile is null || _made.Count == 0) return;
        var file = FilePath(OutFile);
        Run(_ =>
        {
            SteeringPlanFile.Write(file, _made);
            return true;
        });
    }

    private void Give(IReadOnlyList<SteeringPlan> plans)
    {
        foreach (var plan in plans)
        {
            if (OutFile is not null) _made.Add(plan);
            WriteObject(plan);
        }
    }
}
