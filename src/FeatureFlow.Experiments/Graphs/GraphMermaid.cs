using System.Globalization;
using System.Text;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>Mermaid, for Markdown files and wikis. Edges run predecessor → target, one subgraph a layer.</summary>
internal static class GraphMermaid
{
    public static string Render(FlowGraph graph)
    {
        var text = new StringBuilder();
        text.Put($"%% {graph.Seed} in {GraphText.OneLine(graph.PackName)}: edges run from predecessor to target and carry the cosine similarity\nflowchart LR\n");
        foreach (var layer in graph.Nodes.GroupBy(n => n.Layer).OrderBy(g => g.Key))
        {
            text.Put($"  subgraph layer_{layer.Key}[\"layer {layer.Key}\"]\n");
            foreach (var node in layer) text.Append("    ").Append(Node(node)).Append('\n');
            text.Append("  end\n");
        }

        foreach (var edge in graph.Edges) text.Put($"  {Id(edge.Predecessor)} -->|{GraphText.Cosine(edge.Similarity)}{(GraphCaption.Change(edge) is { } change ? $" {change}" : "")}| {Id(edge.Target)}\n");
        foreach (var (edge, i) in graph.Edges.Select((e, i) => (e, i)))
        {
            text.Put($"  linkStyle {i} stroke:{GraphPalette.Edge(edge.Similarity).Light},stroke-width:{GraphText.Number(GraphPalette.Width(graph, edge))}px{(GraphPalette.Untried(graph, edge) ? ",stroke-dasharray:3 4" : "")}\n");
        }

        foreach (var group in graph.Nodes.GroupBy(GraphPalette.NodeName).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var colours = GraphPalette.Node(group.First());
            text.Put($"  classDef {group.Key} fill:{colours.Fill.Light},stroke:{colours.Line.Light},color:{GraphPalette.Ink.Light}\n");
            text.Put($"  class {string.Join(",", group.Select(n => Id(n.Id)))} {group.Key}\n");
        }

        return text.Put($"  style {Id(graph.Seed)} stroke-width:4px\n").ToString();
    }

    private static string Node(FlowNode node)
    {
        var label = node.Description is { } d ? $"{node.Id}<br/>{Escape(GraphText.Fit(d, 24))}" : node.Id;
        return GraphPalette.Lane(node.Site) switch
        {
            Lane.Attention => $"{Id(node.Id)}{{{{\"{label}\"}}}}",
            Lane.Residual => $"{Id(node.Id)}([\"{label}\"])",
            _ => $"{Id(node.Id)}[\"{label}\"]",
        };
    }

    private static string Id(string id) => "n" + id.Replace('/', '_');

    // Mermaid's own entities; everything that could end the string, open a tag or start Markdown
    private static string Escape(string text)
    {
        var safe = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c is '"' or '#' or '&' or '<' or '>' or '`' or '\\' or '*' or '_' or ';' or '[' or ']' or '{' or '}' or '(' or ')' or '|') safe.Put($"#{(int)c};");
            else safe.Append(c);
        }

        return safe.ToString();
    }
}
