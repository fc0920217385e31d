using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>The part of a graph that a page draws when all of it would be too much for eye and browser.</summary>
internal static class GraphExcerpt
{
    /// <summary>
    /// The <paramref name="most"/> nodes best connected to the seed: grown from it along the strongest edge that leads to a new node.
    /// <c>From</c> is the weakest edge taken so: whatever the seed reaches along stronger ones is in the excerpt.
    /// </summary>
    public static (FlowGraph Graph, double From) Of(FlowGraph graph, int most)
    {
        if (graph.Nodes.Count <= most) return (graph, -1);
        var edges = graph.Edges.SelectMany(e => new[] { (At: e.Target, To: e.Predecessor, e.Similarity), (At: e.Predecessor, To: e.Target, e.Similarity) }).ToLookup(e => e.At, StringComparer.Ordinal);
        var taken = new HashSet<string>(StringComparer.Ordinal) { graph.Seed };
        var next = new PriorityQueue<string, (double Weakness, int Order)>();
        var (order, from) = (0, 1.0);
        Add(graph.Seed);
        while (taken.Count < most && next.TryDequeue(out var id, out var priority))
        {
            if (!taken.Add(id)) continue;
            from = Math.Min(from, -priority.Weakness);
            Add(id);
        }

        return (graph with { Nodes = [.. graph.Nodes.Where(n => taken.Contains(n.Id))], Edges = [.. graph.Edges.Where(e => taken.Contains(e.Target) && taken.Contains(e.Predecessor))] }, from);

        void Add(string id)
        {
            foreach (var (_, to, similarity) in edges[id]) next.Enqueue(to, (-similarity, order++));
        }
    }
}
