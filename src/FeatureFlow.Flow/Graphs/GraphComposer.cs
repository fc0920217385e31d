using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// Puts one flow graph together from gathered matches. Backward: every residual node is expanded once, module nodes are leaves.
/// Forward: nodes found forward are not expanded backward.
/// </summary>
internal sealed class GraphComposer
{
    private readonly Pack _pack;
    private readonly Neighbours _neighbours;
    private readonly MatchMemo _memo;
    private readonly FlowSteps _steps;
    private readonly FlowGraphOptions _options;

    /// <summary>Has neighbours of its own, so that the notes are those of one graph.</summary>
    public GraphComposer(Pack pack, IMatchSource source, MatchMemo memo, FlowGraphOptions options)
    {
        (_pack, _memo, _options) = (pack, memo, options);
        _neighbours = new Neighbours(pack, source);
        _steps = new FlowSteps(_neighbours, memo, options);
    }

    /// <summary>The graph of one seed; descriptions and addresses are asked for its nodes.</summary>
    public FlowGraph Compose(FeatureId seed, Func<FeatureId, string?> description, Func<FeatureId, string?> url)
    {
        var growth = new Growth(seed, _options.MaxNodes);
        if (_options.Direction != FlowDirection.Forward) Backward(growth);
        if (_options.Direction != FlowDirection.Backward) Forward(growth);
        var residual = growth.Nodes.Where(n => Place.Of(n).IsResidual).Select(n => n.Layer).DefaultIfEmpty(seed.Layer).ToArray();
        return new FlowGraph
        {
            PackName = _pack.Name,
            Pack = _pack.Source,
            Seed = seed.ToString(),
            Options = _options,
            SpanStart = residual.Min(),
            SpanEnd = residual.Max(),
            Nodes = [.. growth.Nodes.Order().Select(n => Node(n, description(n), url(n)))],
            Edges = [.. growth.Edges.Select(e => new FlowEdge(e.Target.ToString(), e.Predecessor.ToString(), e.Similarity, NameOf(e)))],
            Notes = Notes(seed),
        };
    }

    // the site of the module end, which is tc where a transcoder stands in for the MLP
    private static string NameOf(FoundEdge edge)
    {
        var module = Place.Of(edge.Predecessor).IsResidual ? edge.Target : edge.Predecessor;
        return edge.Kind == EdgeKind.Res ? Site.Res.Name() : module.Site.Name();
    }

    private void Backward(Growth growth)
    {
        if (!Place.Of(growth.Seed).IsResidual) return;
        growth.Walk(node => _steps.ResidualPredecessors(node), node => _steps.ModulePredecessors(node));
    }

    private void Forward(Growth growth) => growth.Walk(
        _steps.Successors,
        node => _options.ForwardModules == ForwardModules.Feature ? _steps.ModuleSuccessors(node) : _steps.Successors(node).SelectMany(s => _steps.ModulePredecessors(s.Target)));

    private FlowNode Node(FeatureId id, string? description, string? url)
    {
        var (norm, threshold) = _memo.Facts(id);
        var node = new FlowNode
        {
            Id = id.ToString(),
            Layer = id.Layer,
            Site = id.Site.Name(),
            Index = id.Index,
            Norm = norm,
            Threshold = threshold,
            Description = description,
            NeuronpediaUrl = url,
        };
        var place = Place.Of(id);
        if (!place.IsResidual) return node;
        var lanes = _neighbours.Before(place);
        var (res, mlp, att) = (Score(lanes.Res, id), Score(lanes.Mlp, id), Score(lanes.Att, id));
        return node with { ScoreRes = res, ScoreMlp = mlp, ScoreAtt = att, Class = StaticClasses.Of(res, mlp, att, _options.At(id.Layer)) };
    }

    private IReadOnlyList<string> Notes(FeatureId seed) => Place.Of(seed).IsResidual || _options.Direction == FlowDirection.Forward
        ? _neighbours.Notes()
        : [.. _neighbours.Notes(), $"{seed} is a module feature: a leaf of backward graphs, which are about residual features."];

    private double? Score(Place? keys, FeatureId feature) => keys is { } place ? _memo.Row(place, feature).Best : null;

    /// <summary>Nodes and edges of one graph while it grows from its seed.</summary>
    private sealed class Growth(FeatureId seed, int limit)
    {
        private readonly HashSet<FeatureId> _nodes = [seed];
        private readonly Dictionary<(FeatureId Target, FeatureId Predecessor), FoundEdge> _edges = [];

        public FeatureId Seed => seed;

        public IReadOnlyCollection<FeatureId> Nodes => _nodes;

        /// <summary>By target, kind, falling similarity, predecessor.</summary>
        public IEnumerable<FoundEdge> Edges => _edges.Values
            .OrderBy(e => e.Target).ThenBy(e => e.Kind).ThenByDescending(e => e.Similarity).ThenBy(e => e.Predecessor);

        /// <summary>Breadth first from the seed: ends of <paramref name="onward"/> edges are walked on from, ends of <paramref name="leaves"/> are not.</summary>
        public void Walk(Func<FeatureId, IEnumerable<FoundEdge>> onward, Func<FeatureId, IEnumerable<FoundEdge>> leaves)
        {
            var (queue, seen) = (new Queue<FeatureId>([seed]), new HashSet<FeatureId> { seed });
            while (queue.TryDequeue(out var node))
            {
                foreach (var edge in onward(node))
                {
                    Add(edge);
                    if (seen.Add(edge.Other(node))) queue.Enqueue(edge.Other(node));
                }

                foreach (var edge in leaves(node)) Add(edge);
            }
        }

        private void Add(FoundEdge edge)
        {
            _edges[(edge.Target, edge.Predecessor)] = edge;
            _nodes.Add(edge.Target);
            _nodes.Add(edge.Predecessor);
            if (_nodes.Count > limit) throw FlowErrors.TooManyNodes(seed, limit, edge.Target.Layer);
        }
    }
}
