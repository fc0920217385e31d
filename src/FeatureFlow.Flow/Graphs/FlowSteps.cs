using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>An edge as it is found, before anything is turned into text.</summary>
internal readonly record struct FoundEdge(FeatureId Target, FeatureId Predecessor, double Similarity, EdgeKind Kind)
{
    /// <summary>The end that is not <paramref name="end"/>.</summary>
    public FeatureId Other(FeatureId end) => Target == end ? Predecessor : Target;
}

/// <summary>
/// The edges that a flow graph keeps at a node (Feature Flow, sections 3.3 and B.2), read from gathered matches. Thresholds are those
/// of the layer of an edge's target.
/// </summary>
internal sealed class FlowSteps(Neighbours neighbours, MatchMemo memo, FlowGraphOptions options)
{
    /// <summary>Edges to the residual stream one layer below.</summary>
    public IEnumerable<FoundEdge> ResidualPredecessors(FeatureId node) => Backward(node, EdgeKind.Res, neighbours.Before(Place.Of(node)).Res);

    /// <summary>Edges to what the modules of the node's layer add.</summary>
    public IEnumerable<FoundEdge> ModulePredecessors(FeatureId node)
    {
        var lanes = neighbours.Before(Place.Of(node));
        return Backward(node, EdgeKind.Mlp, lanes.Mlp).Concat(Backward(node, EdgeKind.Att, lanes.Att));
    }

    /// <summary>Edges from the residual stream one layer above; for a module feature, from the stream it is added to.</summary>
    public IEnumerable<FoundEdge> Successors(FeatureId node) => Forward(node, KindOf(node.Site), neighbours.After(Place.Of(node)).Res);

    /// <summary>Edges from module features one layer above that resemble the node itself (<see cref="ForwardModules.Feature"/>).</summary>
    public IEnumerable<FoundEdge> ModuleSuccessors(FeatureId node)
    {
        var lanes = neighbours.After(Place.Of(node));
        return Forward(node, EdgeKind.Mlp, lanes.Mlp).Concat(Forward(node, EdgeKind.Att, lanes.Att));
    }

    private static EdgeKind KindOf(Site site) => site switch
    {
        Site.Mlp or Site.Tc => EdgeKind.Mlp,
        Site.Att => EdgeKind.Att,
        _ => EdgeKind.Res,
    };

    private IEnumerable<FoundEdge> Backward(FeatureId node, EdgeKind kind, Place? keys) => keys is not { } place
        ? []
        : memo.Row(place, node).Kept(options.At(node.Layer).Of(kind)).Select(m => new FoundEdge(node, place.Feature(m.Index), m.Similarity, kind));

    private IEnumerable<FoundEdge> Forward(FeatureId node, EdgeKind kind, Place? keys) => keys is not { } place
        ? []
        : memo.Row(place, node).Kept(options.At(place.Layer).Of(kind)).Select(m => new FoundEdge(place.Feature(m.Index), node, m.Similarity, kind));
}
