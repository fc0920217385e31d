using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>The part of a graph that a page draws when all of it would be too much for eye and browser.</summary>
internal static class GraphExcerpt
{
    /// <summary>
    /// At most that many nodes, those best connected to the seed: grown from it along the strongest edge that leads to a new node. Of the
    /// edges between them those that it grew along, then the strongest.
    /// </summary>
    public static FlowGraph Of(FlowGraph graph, int mostNodes, int mostEdges)
    {
        if (graph.Nodes.Count <= mostNodes && graph.Edges.Count <= mostEdges) return graph;
        var edges = graph.Edges.SelectMany(e => new[] { (At: e.Target, To: e.Predecessor, Edge: e), (At: e.Predecessor, To: e.Target, Edge: e) }).ToLookup(e => e.At, StringComparer.Ordinal);
        var (nodes, grown) = (new HashSet<string>(StringComparer.Ordinal) { graph.Seed }, new HashSet<FlowEdge>());
        var next = new PriorityQueue<(string Node, FlowEdge Edge), (double Weakness, int Order)>();
        var order = 0;
        Add(graph.Seed);
        while (nodes.Count < mostNodes && next.TryDequeue(out var step, out _))
        {
            if (!nodes.Add(step.Node)) continue;
            grown.Add(step.Edge);
            Add(step.Node);
        }

        var between = graph.Edges.Where(e => nodes.Contains(e.Target) && nodes.Contains(e.Predecessor));
        var kept = between.OrderByDescending(grown.Contains).ThenByDescending(e => e.Similarity).Take(mostEdges).ToHashSet();
        return graph with { Nodes = [.. graph.Nodes.Where(n => nodes.Contains(n.Id))], Edges = [.. graph.Edges.Where(kept.Contains)] };

        void Add(string id)
        {
            foreach (var (_, to, edge) in edges[id]) next.Enqueue((to, edge), (-edge.Similarity, order++));
        }
    }
}
