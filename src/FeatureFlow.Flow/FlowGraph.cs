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

    /// <summary>The thresholds that apply at a layer.</summary>
    public Thresholds At(int layer) => LayerThresholds.TryGetValue(layer, out var t) ? t : Thresholds;
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

    /// <summary>Best cosine with res of the layer below, residual nodes only; null at the first layer.</summary>
    public double? ScoreRes { get; init; }

    /// <summary>Best cosine with mlp of the layer, residual nodes only.</summary>
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
/// <param name="Kind">Site of the module end, or <c>res</c> for residual to residual.</param>
public sealed record FlowEdge(string Target, string Predecessor, double Similarity, string Kind);

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

    /// <summary>Similarity span: lowest and highest layer of a residual node.</summary>
    public required int SpanStart { get; init; }

    /// <summary>End of the span, inclusive.</summary>
    public required int SpanEnd { get; init; }

    /// <summary>Nodes by layer, site and index.</summary>
    public required IReadOnlyList<FlowNode> Nodes { get; init; }

    /// <summary>Edges by target, kind, falling similarity.</summary>
    public required IReadOnlyList<FlowEdge> Edges { get; init; }

    /// <summary>Remarks: sites left out and why.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
