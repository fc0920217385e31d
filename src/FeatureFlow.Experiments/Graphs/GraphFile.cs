using FeatureFlow.Flow;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments;

/// <summary>Writes flow graphs in any <see cref="GraphFormat"/>. The same graph gives the same bytes, anywhere, at any time.</summary>
public static class GraphFile
{
    /// <summary>Writes one graph, in the format of the file name's ending unless one is named; whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF5070: the ending names no format.</exception>
    public static void Write(FlowGraph graph, string path, GraphFormat? format = null) => Write([graph], path, format);

    /// <summary>Writes several graphs into one file: json, csv and html hold any number, the others one.</summary>
    /// <exception cref="FeatureFlowException">FF5070: the ending names no format. FF5071: the format holds one graph.</exception>
    public static void Write(IReadOnlyList<FlowGraph> graphs, string path, GraphFormat? format = null) =>
        AtomicFile.WriteText(path, Render(graphs, format ?? GraphFormats.Of(path)));

    /// <summary>One graph as text.</summary>
    public static string Render(FlowGraph graph, GraphFormat format) => format switch
    {
        GraphFormat.Json => GraphJson.Render(graph),
        GraphFormat.Attribution => AttributionJson.Render(graph),
        GraphFormat.Html => GraphReport.Render([graph], $"Flow graph of {graph.Seed}"),
        GraphFormat.Svg => GraphSvg.Render(graph),
        GraphFormat.Dot => GraphDot.Render(graph),
        GraphFormat.Mermaid => GraphMermaid.Render(graph),
        GraphFormat.GraphMl => GraphMl.Render(graph),
        GraphFormat.Csv => GraphCsv.Render([graph]),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, null),
    };

    /// <summary>Several graphs as one text.</summary>
    /// <exception cref="FeatureFlowException">FF5071: the format holds one graph.</exception>
    public static string Render(IReadOnlyList<FlowGraph> graphs, GraphFormat format) => (graphs, format) switch
    {
        ([var one], _) => Render(one, format),
        (_, GraphFormat.Json) => GraphJson.Render(graphs),
        (_, GraphFormat.Csv) => GraphCsv.Render(graphs),
        (_, GraphFormat.Html) => GraphReport.Render(graphs, $"{graphs.Count} flow graphs"),
        _ => throw ExperimentErrors.OneGraphOnly(format, graphs.Count),
    };
}
