using System.Globalization;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments.Steering;

/// <summary>The flow graph that a sweep steers through, its nodes coloured by what a plan does to them.</summary>
internal static class SteeringGraph
{
    /// <summary>An edge as settings remember it.</summary>
    public static string Text(FlowEdge edge) => string.Create(CultureInfo.InvariantCulture, $"{edge.Target} {edge.Predecessor} {Math.Round(edge.Similarity, 4)}");

    /// <summary>The same read, or null where it is none.</summary>
    public static FlowEdge? Edge(string text) =>
        text.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var target, var predecessor, var number] && Feature(target) is { } to && Feature(predecessor) is { } from
            && from.Layer <= to.Layer && from != to && double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var similarity)
            ? new FlowEdge(target, predecessor, similarity, (to.Site == Site.Res ? from : to).Site.Name())
            : null;

    /// <summary>The graph of a lineage; null where its edges are not known.</summary>
    public static FlowGraph? Of(SteeringFeatures lineage)
    {
        if (lineage.Edges.Count == 0) return null;
        var ids = lineage.Features.Select(f => f.Feature).Concat(lineage.Edges.SelectMany(e => new[] { FeatureId.Parse(e.Target), FeatureId.Parse(e.Predecessor) })).Distinct().Order();
        return new FlowGraph
        {
            PackName = "",
            Pack = "",
            Seed = lineage.Targets[0].ToString(),
            Options = new FlowGraphOptions(),
            SpanStart = lineage.SpanStart,
            SpanEnd = lineage.SpanEnd,
            Nodes = [.. ids.Select(f => new FlowNode { Id = f.ToString(), Layer = f.Layer, Site = f.Site.Name(), Index = f.Index })],
            Edges = lineage.Edges,
        };
    }

    /// <summary>Colours by how far the strongest coefficient is from doing nothing.</summary>
    public static IReadOnlyDictionary<string, NodeMark> Marks(IReadOnlyList<FeatureEdit> edits)
    {
        static double Strength(FeatureEdit e) => Math.Abs(e.Method == EditMethod.Add ? e.Coefficient : e.Coefficient - 1);
        var most = edits.Max(Strength);
        return edits.DistinctBy(e => e.Feature).ToDictionary(
            e => e.Feature.ToString(),
            e => new NodeMark(most > 0 ? (int)Math.Round(Strength(e) / most * (FigurePalette.HeatSteps - 1)) : 0, Text(e)));
    }

    /// <summary>The coefficients of every layer, in words.</summary>
    public static string Coefficients(IReadOnlyList<FeatureEdit> edits)
    {
        var layers = edits.GroupBy(e => e.Feature.Layer).OrderBy(g => g.Key).Select(g => (Layer: g.Key, Text: string.Join(" and ", g.Select(Text).Distinct()))).ToList();
        return layers.Select(l => l.Text).Distinct().Count() == 1 ? $"{layers[0].Text} everywhere" : string.Join(", ", layers.Select(l => $"{l.Text} at layer {l.Layer}"));
    }

    private static string Text(FeatureEdit edit) => edit.Method == EditMethod.Add
        ? string.Create(CultureInfo.InvariantCulture, $"{(edit.Coefficient < 0 ? "−" : "+")}{Math.Abs(edit.Coefficient):0.##}")
        : string.Create(CultureInfo.InvariantCulture, $"×{edit.Coefficient:0.##}");

    private static FeatureId? Feature(string text)
    {
        try
        {
            return FeatureId.Parse(text);
        }
        catch (FeatureFlowException)
        {
            return null;
        }
    }
}
