namespace FeatureFlow.Flow;

/// <summary>Which way a flow graph is built from its seed.</summary>
public enum FlowDirection
{
    /// <summary>Predecessors, down to layer 0.</summary>
    Backward,

    /// <summary>Successors, up to the last layer.</summary>
    Forward,

    /// <summary>The union of both.</summary>
    Both,
}

/// <summary>How the forward step finds module nodes.</summary>
public enum ForwardModules
{
    /// <summary>The node's own best matches among the module features of the next layer (the default).</summary>
    Feature,

    /// <summary>The module predecessors of the successor that was kept.</summary>
    Successor,
}

/// <summary>Static class of a residual feature by its three scores (Feature Flow, section 3.2).</summary>
public enum FeatureClass
{
    /// <summary>Translated: high residual, low modules.</summary>
    A,

    /// <summary>Processed: high residual and a high module.</summary>
    B,

    /// <summary>Newborn: low residual, a high module.</summary>
    C,

    /// <summary>Unexplained: all low.</summary>
    D,
}

/// <summary>Thresholds of one layer: an edge is kept, and a score is high, when similarity ≥ threshold.</summary>
public readonly record struct Thresholds(double Res, double Mlp, double Att)
{
    /// <summary>Feature Flow's choice for steering: residual 0.5, modules 0.15.</summary>
    public static Thresholds Default { get; } = new(0.5, 0.15, 0.15);

    internal double Of(EdgeKind kind) => kind switch
    {
        EdgeKind.Res => Res,
        EdgeKind.Mlp => Mlp,
        _ => Att,
    };
}

/// <summary>What a flow graph is built with.</summary>
public sealed record FlowGraphOptions
{
    /// <summary>Direction.</summary>
    public FlowDirection Direction { get; init; } = FlowDirection.Backward;

    /// <summary>Matches per site and node; above 1 the graph branches.</summary>
    public int Top { get; init; } = 1;

    /// <summary>Thresholds of every layer that <see cref="LayerThresholds"/> does not name. A threshold of −1 keeps everything.</summary>
    public Thresholds Thresholds { get; init; } = Thresholds.Default;

    /// <summary>Thresholds by the layer of the target of an edge.</summary>
    public IReadOnlyDictionary<int, Thresholds> LayerThresholds { get; init; } = new Dictionary<int, Thresholds>();

    /// <summary>Reading of the forward step.</summary>
    public ForwardModules ForwardModules { get; init; } = ForwardModules.Feature;

    /// <summary>A graph that would pass this many nodes is refused (FF4007): thresholds were too low for a <see cref="Top"/> above 1.</summary>
    public int MaxNodes { get; init; } = 20_000;

    /// <summary>The thresholds that apply at a layer.</summary>
    public Thresholds At(int layer) => LayerThresholds.TryGetValue(layer, out var t) ? t : Thresholds;

    /// <summary>Refuses options that mean nothing.</summary>
    /// <exception cref="FeatureFlowException">FF4005: top; FF4008: a threshold is no cosine.</exception>
    internal void Check()
    {
        if (Top is < 1 or > FlowErrors.MaxTop) throw FlowErrors.Top(Top);
        foreach (var t in LayerThresholds.Values.Prepend(Thresholds))
        {
            foreach (var kind in Enum.GetValues<EdgeKind>())
            {
                if (!(Math.Abs(t.Of(kind)) <= 1)) throw FlowErrors.Threshold(kind, t.Of(kind));
            }
        }
    }
}

/// <summary>A node of a flow graph.</summary>
public sealed record FlowNode
{
    /// <summary><c>layer/site/index</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Layer.</summary>
    public required int Layer { get; init; }

    /// <summary>Site name.</summary>
    public required string Site { get; init; }

    /// <summary>Index.</summary>
    public required int Index { get; init; }

    /// <summary>Best cosine with the residual stream one layer below, kept or not, residual nodes only; null at the first layer.</summary>
    public double? ScoreRes { get; init; }

    /// <summary>Best cosine with mlp of the layer (tc where a pack has transcoders instead), residual nodes only.</summary>
    public double? ScoreMlp { get; init; }

    /// <summary>Best cosine with att of the layer, residual nodes only.</summary>
    public double? ScoreAtt { get; init; }

    /// <summary>Static class by the graph's thresholds, residual nodes only.</summary>
    public FeatureClass? Class { get; init; }

    /// <summary>θ, null for architectures without one.</summary>
    public double? Threshold { get; init; }

    /// <summary>L2 norm of the decoder row.</summary>
    public double Norm { get; init; }

    /// <summary>Description, or null.</summary>
    public string? Description { get; init; }

    /// <summary>Neuronpedia page, or null.</summary>
    public string? NeuronpediaUrl { get; init; }
}

/// <summary>An edge, read target → predecessor whatever the direction of the graph.</summary>
/// <param name="Target">Id of the later feature.</param>
/// <param name="Predecessor">Id of the earlier feature.</param>
/// <param name="Similarity">Cosine.</param>
/// <param name="Kind">Site of the module end, or <c>res</c> for residual to residual; also names the threshold that the edge passed.</param>
public sealed record FlowEdge(string Target, string Predecessor, double Similarity, string Kind)
{
    /// <summary>What removing the predecessor does to the target, where that was tried (<see cref="GraphVerifier"/>).</summary>
    public EdgeEvidence? Evidence { get; init; }
}

/// <summary>A flow graph (Feature Flow, section 3.3): composed of neighbouring layers' matches, never of long-range ones; acyclic.</summary>
public sealed record FlowGraph
{
    /// <summary>The pack's name.</summary>
    public required string PackName { get; init; }

    /// <summary>The pack's source path.</summary>
    public required string Pack { get; init; }

    /// <summary>Id of the feature it grew from.</summary>
    public required string Seed { get; init; }

    /// <summary>Options it was built with.</summary>
    public required FlowGraphOptions Options { get; init; }

    /// <summary>Similarity span: lowest and highest layer of a residual node; the seed's layer when there is none.</summary>
    public required int SpanStart { get; init; }

    /// <summary>End of the span, inclusive.</summary>
    public required int SpanEnd { get; init; }

    /// <summary>Nodes by layer, site and index.</summary>
    public required IReadOnlyList<FlowNode> Nodes { get; init; }

    /// <summary>Edges by target, then res, mlp, att, then falling similarity.</summary>
    public required IReadOnlyList<FlowEdge> Edges { get; init; }

    /// <summary>Least mean activation change of edges that were tried; null where none was asked for (<see cref="GraphVerifier"/>).</summary>
    public double? MinimumEffect { get; init; }

    /// <summary>True when texts have tried the edges.</summary>
    public bool Verified => Edges.Any(e => e.Evidence is not null);

    /// <summary>Remarks: sites left out and why.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
