using System.Text;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>
/// Graphviz. Edges run predecessor → target, as information flows; <c>rankdir=LR</c> and one rank per half layer (modules, then
/// residual) reproduce the columns of our own picture.
/// </summary>
internal static class GraphDot
{
    public static string Render(FlowGraph graph)
    {
        var dot = new StringBuilder("digraph flow {\n");
        dot.Put($"  label={Quote($"{graph.Seed} in {graph.PackName}")}; labelloc=t; rankdir=LR; nodesep=0.15; ranksep=0.5;\n");
        dot.Append("  node [fontname=\"Helvetica\", fontsize=11, style=filled, height=0.3];\n  edge [fontname=\"Helvetica\", fontsize=9, arrowsize=0.6];\n");
        foreach (var column in graph.Nodes.GroupBy(GraphLayout.Column).OrderBy(g => g.Key))
        {
            dot.Append("  { rank=same;\n");
            foreach (var node in column) dot.Append("    ").Append(Node(node, node.Id == graph.Seed)).Append('\n');
            dot.Append("  }\n");
        }

        foreach (var edge in graph.Edges)
        {
            var tone = GraphPalette.Edge(edge.Similarity);
            dot.Put($"  {Quote(edge.Predecessor)} -> {Quote(edge.Target)} [weight={Weight(edge)}, penwidth={GraphText.Number(GraphPalette.Width(graph, edge))}, ")
                .Put($"color=\"{tone.Light}\", label=\"{GraphText.Cosine(edge.Similarity)}{(GraphCaption.Change(edge) is { } change ? $"\\n{change}" : "")}\", kind={Quote(edge.Kind)}, similarity={GraphText.Number(edge.Similarity)}")
                .Put($"{(edge.Evidence is { } e ? $", n={e.Count}{(e.Change is { } c ? $", change={GraphText.Number(c.Value)}, success={GraphText.Number(e.Success!.Value.Value)}" : "")}, edgetooltip={Quote(GraphCaption.Of(e))}" : "")}{(GraphPalette.Untried(graph, edge) ? ", style=dashed" : "")}];\n");
        }

        return dot.Append("}\n").ToString();
    }

    private static string Node(FlowNode node, bool seed)
    {
        var colours = GraphPalette.Node(node);
        var shape = GraphPalette.Lane(node.Site) switch { Lane.Attention => "hexagon", Lane.Residual => "ellipse", _ => "box" };
        var text = node.Description is { } d ? $"{node.Id}\\n{Escape(GraphText.Fit(d, 24))}" : node.Id;
        var letter = node.Class is { } c ? $", class=\"{c}\"" : "";
        var tip = node.Description is { } all ? $", tooltip={Quote(all)}" : "";
        return $"{Quote(node.Id)} [label=\"{text}\", shape={shape}, fillcolor=\"{colours.Fill.Light}\", color=\"{colours.Line.Light}\"{(seed ? ", peripheries=2, penwidth=2" : "")}{letter}{tip}];";
    }

    // residual edges keep their rows straight
    private static int Weight(FlowEdge edge) => edge.Kind == "res" ? 10 : 1;

    private static string Quote(string text) => $"\"{Escape(GraphText.OneLine(text))}\"";

    // a backslash would start one of Graphviz's escapes (\N, \G, \n); & would start an entity
    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("&", "&amp;", StringComparison.Ordinal);
}
