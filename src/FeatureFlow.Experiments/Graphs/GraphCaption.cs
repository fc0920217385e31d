using System.Globalization;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>What pictures and pages say in words about a graph and its nodes.</summary>
internal static class GraphCaption
{
    /// <summary>One line of facts: pack, how it was built, how big it is.</summary>
    public static string Facts(FlowGraph graph)
    {
        var top = graph.Options.Top == 1 ? "best match a site" : $"{graph.Options.Top} best matches a site";
        var span = graph.SpanStart == graph.SpanEnd ? $"layer {graph.SpanStart}" : $"layers {graph.SpanStart}–{graph.SpanEnd}";
        string[] facts =
        [
            GraphText.OneLine(graph.PackName),
            Direction(graph.Options.Direction),
            top,
            $"similarity span {span}",
            $"{Count(graph.Nodes.Count, "node")}, {Count(graph.Edges.Count, "edge")}",
        ];
        return string.Join(" · ", facts.Where(f => f.Length > 0));
    }

    /// <summary>How edges are cut.</summary>
    public static string Cuts(FlowGraph graph)
    {
        var t = graph.Options.Thresholds;
        var cuts = Math.Max(t.Res, Math.Max(t.Mlp, t.Att)) <= -1
            ? "every match is kept"
            : $"an edge is kept while its cosine is at least {N(t.Res)} (res), {N(t.Mlp)} (mlp), {N(t.Att)} (att)";
        if (graph.MinimumEffect is { } least) cuts += $", and, where it was tried, while cutting it changes the target by at least {N(least)}";
        if (graph.Options.LayerThresholds.Count == 0) return $"Flow runs left to right; {cuts}.";
        var others = graph.Options.LayerThresholds.OrderBy(p => p.Key).Select(p => $"layer {p.Key} {N(p.Value.Res)}/{N(p.Value.Mlp)}/{N(p.Value.Att)}");
        return $"Flow runs left to right; {cuts}; {string.Join(", ", others)}.";
    }

    /// <summary>The whole picture for those who cannot see it.</summary>
    public static string Summary(FlowGraph graph)
    {
        var classes = graph.Nodes.Where(n => n.Class is not null).GroupBy(n => n.Class!.Value).OrderBy(g => g.Key)
            .Select(g => $"{g.Count()} {GraphPalette.ClassNames[g.Key]}");
        return $"{Facts(graph)}. Residual features by class: {string.Join(", ", classes)}. {Cuts(graph)}";
    }

    /// <summary>One node in one line.</summary>
    public static string Of(FlowNode node, bool seed)
    {
        var parts = new List<string> { node.Id + (seed ? " (seed)" : "") };
        if (!string.IsNullOrWhiteSpace(node.Description)) parts.Add(GraphText.OneLine(node.Description));
        if (node.Class is { } c) parts.Add($"class {c}, {GraphPalette.ClassNames[c]}");
        if (node.ScoreRes is { } r) parts.Add($"s(R) {GraphText.Cosine(r)}");
        if (node.ScoreMlp is { } m) parts.Add($"s(M) {GraphText.Cosine(m)}");
        if (node.ScoreAtt is { } a) parts.Add($"s(A) {GraphText.Cosine(a)}");
        return string.Join("; ", parts);
    }

    /// <summary>What texts say of an edge, in words.</summary>
    public static string Of(EdgeEvidence evidence) => evidence is { Count: > 0, Change: { } change, Success: { } success }
        ? $"removed at {Count(evidence.Count, "token")}: activation change {change}, silenced {success}"
        : "never active together in the texts";

    /// <summary>The mean activation change for a label, or null.</summary>
    public static string? Change(FlowEdge edge) => edge.Evidence?.Change is { } change ? $"Δ{GraphText.Cosine(change.Value)}" : null;

    /// <summary><c>1 node</c>, <c>2 nodes</c>.</summary>
    public static string Count(int count, string what) => string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");

    /// <summary>The direction in a reader's words.</summary>
    public static string Direction(FlowDirection direction) => direction switch
    {
        FlowDirection.Backward => "backward",
        FlowDirection.Forward => "forward",
        _ => "backward and forward",
    };

    private static string N(double value) => GraphText.Number(value);
}
