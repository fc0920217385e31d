using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>A cmdlet that makes steering plans of flow graphs: a plan for every graph, layer and coefficient.</summary>
public abstract class SteeringCmdlet : EngineCmdlet
{
    private protected const string ByGraph = "Graph";

    /// <summary>Graphs.</summary>
    [Parameter(ParameterSetName = ByGraph, Mandatory = true, ValueFromPipeline = true, HelpMessage = "Flow graphs, from New-FlowGraph")]
    [ValidateNotNull]
    public FlowGraph[] InputObject { get; set; } = [];

    /// <summary>Graphs steered the other way.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Flow graphs whose features are steered the other way")]
    [ValidateNotNull]
    public FlowGraph[] Antagonist { get; set; } = [];

    /// <summary>Sites of the nodes that are taken.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Sites of the nodes that are taken: res, mlp, att, ...; res by default")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    public string[] Site { get; set; } = ["res"];

    /// <summary>Method.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Add brings features in, Rescale removes them (or makes them stronger)")]
    public EditMethod Method { get; set; } = EditMethod.Add;

    /// <summary>s or r.</summary>
    [Parameter(ParameterSetName = ByGraph, Mandatory = true, HelpMessage = "s of Add; r of Rescale, 0 removes. A plan for each of several")]
    public double[] Coefficient { get; set; } = [];

    /// <summary>Which layers.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Layers: Single, Cumulative (all up to it), Span, or Budget (all up to it with the perturbation of one)")]
    public SteeringMode Mode { get; set; } = SteeringMode.Cumulative;

    /// <summary>The layer.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "The layer; the end of the span by default, for Single the seed's. A plan for each of several")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Schedule.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "How s changes over layers: Constant, Exponential, Linear")]
    public SteeringSchedule Schedule { get; set; } = SteeringSchedule.Constant;

    /// <summary>α.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Of the exponential schedule, s·e^(αl)")]
    public double Alpha { get; set; } = new SteeringRecipe().Alpha;

    /// <summary>s*.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Of the linear schedule: s at the end of the span")]
    public double EndCoefficient { get; set; } = new SteeringRecipe().End;

    /// <summary>Folded embeddings.</summary>
    [Parameter(ParameterSetName = ByGraph, HelpMessage = "Scale what is added by the features' thresholds")]
    public SwitchParameter Folded { get; set; }

    /// <summary>The plans of graphs, joined: one for every layer and coefficient.</summary>
    internal IReadOnlyList<SteeringPlan> Plans(IReadOnlyList<FlowGraph> graphs, string? name = null)
    {
        var pack = OpenPack(graphs[0].Pack);
        var features = SteeringFeatures.Of(graphs, Antagonist, [.. Site.Select(Sites.Parse)]);
        int?[] layers = Layer is null ? [null] : [.. Layer.SelectMany(r => r.IsOne ? [r.First] : pack.Pack.Layers.Where(l => l >= r.First && l <= r.Last)).Select(l => (int?)l)];
        var recipes = from layer in layers
                      from coefficient in Coefficient
                      select new SteeringRecipe { Method = Method, Coefficient = coefficient, Mode = Mode, Layer = layer, Schedule = Schedule, Alpha = Alpha, End = EndCoefficient, Folded = Folded };
        return Run(_ => recipes.Select(r => SteeringPlanner.Make(pack, features, r, name)).ToList());
    }
}
