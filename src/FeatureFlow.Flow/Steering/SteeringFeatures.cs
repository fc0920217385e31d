using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>A feature that may be steered.</summary>
/// <param name="Feature">The feature.</param>
/// <param name="Antagonist">Steered the other way: s becomes −s, r becomes 2 − r.</param>
/// <param name="Method">Its own method, or null for the recipe's.</param>
/// <param name="Coefficient">Its own coefficient, or null for the recipe's.</param>
public sealed record SteeringFeature(FeatureId Feature, bool Antagonist = false, EditMethod? Method = null, double? Coefficient = null);

/// <summary>Features that belong together, of one lineage or several: what a <see cref="SteeringRecipe"/> makes plans from.</summary>
/// <param name="Features">Every feature once, by layer, site and index.</param>
/// <param name="SpanStart">First layer of the similarity span.</param>
/// <param name="SpanEnd">Last layer of the span.</param>
/// <param name="Targets">The features that are meant: seeds of the graphs.</param>
public sealed record SteeringFeatures(IReadOnlyList<SteeringFeature> Features, int SpanStart, int SpanEnd, IReadOnlyList<FeatureId> Targets)
{
    /// <summary>Edges of the flow graphs that the features are of, nodes that are not steered among their ends; empty for features named by hand. For pictures.</summary>
    public IReadOnlyList<FlowEdge> Edges { get; init; } = [];

    /// <summary>The features of flow graphs: the union of their nodes, the span of all of them.</summary>
    /// <param name="graphs">Graphs of what is steered.</param>
    /// <param name="antagonists">Graphs of what is steered the other way.</param>
    /// <param name="sites">Sites of the nodes taken; null for <c>res</c> alone.</param>
    /// <exception cref="FeatureFlowException">FF4041: no graph, graphs of several packs, no node at these sites, or a node on both sides.</exception>
    public static SteeringFeatures Of(IReadOnlyList<FlowGraph> graphs, IReadOnlyList<FlowGraph>? antagonists = null, IReadOnlyCollection<Site>? sites = null)
    {
        antagonists ??= [];
        if (graphs.Count == 0) throw FlowErrors.Plan("A steering plan needs at least one flow graph.");
        if (graphs.Concat(antagonists).Select(g => g.Pack).Distinct().Skip(1).Any()) throw FlowErrors.Plan("The flow graphs are of several packs; a steering plan edits one model.");
        var (wanted, other) = (Nodes(graphs), Nodes(antagonists));
        if (wanted.Count == 0) throw FlowErrors.Plan($"The flow graphs have no node at {string.Join(", ", (sites ?? [Site.Res]).Select(s => s.Name()))}; name other sites, or lower the graphs' thresholds.");
        if (wanted.Intersect(other).Order().ToList() is [var both, ..]) throw FlowErrors.Plan($"{both} is among the features to steer and among their antagonists.");
        return new SteeringFeatures(
            [.. wanted.Select(f => new SteeringFeature(f)).Concat(other.Select(f => new SteeringFeature(f, Antagonist: true))).OrderBy(f => f.Feature)],
            graphs.Concat(antagonists).Min(g => g.SpanStart),
            graphs.Concat(antagonists).Max(g => g.SpanEnd),
            [.. graphs.Select(g => FeatureId.Parse(g.Seed)).Distinct()])
        {
            Edges = [.. graphs.Concat(antagonists).SelectMany(g => g.Edges).DistinctBy(e => (e.Target, e.Predecessor)).Select(e => e with { Evidence = null })],
        };

        HashSet<FeatureId> Nodes(IReadOnlyList<FlowGraph> of) => [.. of.SelectMany(g => g.Nodes).Select(n => FeatureId.Parse(n.Id)).Where(f => sites is null ? f.Site == Site.Res : sites.Contains(f.Site))];
    }

    /// <summary>Features named by hand; the span is that of their layers.</summary>
    /// <exception cref="FeatureFlowException">FF4041: none, or one twice.</exception>
    public static SteeringFeatures Of(IReadOnlyList<SteeringFeature> features)
    {
        if (features.Count == 0) throw FlowErrors.Plan("A steering plan needs at least one feature.");
        if (features.GroupBy(f => f.Feature).FirstOrDefault(g => g.Count() > 1) is { } twice) throw FlowErrors.Plan($"{twice.Key} is named twice.");
        return new SteeringFeatures([.. features.OrderBy(f => f.Feature)], features.Min(f => f.Feature.Layer), features.Max(f => f.Feature.Layer), [.. features.Where(f => !f.Antagonist).Select(f => f.Feature)]);
    }
}
