using System.Text;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>GraphML with typed attributes, for Gephi, yEd, Cytoscape and NetworkX. Edges run predecessor → target.</summary>
internal static class GraphMl
{
    private static readonly (string Id, string For, string Type)[] Keys =
    [
        ("layer", "node", "int"), ("site", "node", "string"), ("index", "node", "int"), ("class", "node", "string"),
        ("s_res", "node", "double"), ("s_mlp", "node", "double"), ("s_att", "node", "double"),
        ("threshold", "node", "double"), ("norm", "node", "double"), ("description", "node", "string"), ("neuronpedia_url", "node", "string"), ("seed", "node", "boolean"),
        ("similarity", "edge", "double"), ("kind", "edge", "string"),
        ("n", "edge", "int"), ("success", "edge", "double"), ("success_low", "edge", "double"), ("success_high", "edge", "double"),
        ("change", "edge", "double"), ("change_low", "edge", "double"), ("change_high", "edge", "double"),
        ("pack", "graph", "string"), ("direction", "graph", "string"), ("span_start", "graph", "int"), ("span_end", "graph", "int"),
    ];

    // only verified graphs have them
    private static readonly string[] EvidenceKeys = ["n", "success", "success_low", "success_high", "change", "change_low", "change_high"];

    public static string Render(FlowGraph graph)
    {
        var xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n");
        foreach (var (id, owner, type) in Keys.Where(k => graph.Verified || !EvidenceKeys.Contains(k.Id) || k.For != "edge")) xml.Put($"  <key id=\"{owner}_{id}\" for=\"{owner}\" attr.name=\"{id}\" attr.type=\"{type}\"/>\n");
        xml.Put($"  <graph id=\"flow\" edgedefault=\"directed\">\n   ");
        Data(xml, "graph_pack", graph.PackName);
        Data(xml, "graph_direction", graph.Options.Direction.ToString().ToLowerInvariant());
        Data(xml, "graph_span_start", $"{graph.SpanStart}");
        Data(xml, "graph_span_end", $"{graph.SpanEnd}");
        xml.Append('\n');
        foreach (var node in graph.Nodes) Node(xml, node, node.Id == graph.Seed);
        foreach (var edge in graph.Edges)
        {
            xml.Put($"    <edge source=\"{GraphText.Xml(edge.Predecessor)}\" target=\"{GraphText.Xml(edge.Target)}\">");
            Data(xml, "edge_similarity", Double(edge.Similarity));
            Data(xml, "edge_kind", edge.Kind);
            if (edge.Evidence is { } evidence) Evidence(xml, evidence);
            xml.Append("</edge>\n");
        }

        return xml.Append("  </graph>\n</graphml>\n").ToString();
    }

    private static void Evidence(StringBuilder xml, EdgeEvidence evidence)
    {
        Data(xml, "edge_n", $"{evidence.Count}");
        foreach (var (name, interval) in new[] { ("success", evidence.Success), ("change", evidence.Change) })
        {
            if (interval is not { } i) continue;
            Data(xml, $"edge_{name}", Double(i.Value));
            if (!i.Known) continue;
            Data(xml, $"edge_{name}_low", Double(i.Low));
            Data(xml, $"edge_{name}_high", Double(i.High));
        }
    }

    private static void Node(StringBuilder xml, FlowNode node, bool seed)
    {
        xml.Put($"    <node id=\"{GraphText.Xml(node.Id)}\">");
        Data(xml, "node_layer", $"{node.Layer}");
        Data(xml, "node_site", node.Site);
        Data(xml, "node_index", $"{node.Index}");
        Data(xml, "node_class", node.Class?.ToString());
        Data(xml, "node_s_res", Double(node.ScoreRes));
        Data(xml, "node_s_mlp", Double(node.ScoreMlp));
        Data(xml, "node_s_att", Double(node.ScoreAtt));
        Data(xml, "node_threshold", Double(node.Threshold));
        Data(xml, "node_norm", Double(node.Norm));
        Data(xml, "node_description", node.Description);
        Data(xml, "node_neuronpedia_url", node.NeuronpediaUrl);
        if (seed) Data(xml, "node_seed", "true");
        xml.Append("</node>\n");
    }

    private static void Data(StringBuilder xml, string key, string? value)
    {
        if (value is not null) xml.Put($"<data key=\"{key}\">{GraphText.Xml(value)}</data>");
    }

    // xs:double spells infinity INF
    private static string? Double(double? value) => value switch
    {
        null => null,
        double.PositiveInfinity => "INF",
        double.NegativeInfinity => "-INF",
        { } v => GraphText.Number(v),
    };
}
