namespace FeatureFlow.Experiments;

/// <summary>The forms a flow graph is written in (docs/graph-format.md).</summary>
public enum GraphFormat
{
    /// <summary>Our own JSON: the whole graph, read back by <see cref="GraphJson"/>.</summary>
    Json,

    /// <summary>Attribution-graph JSON, what Neuronpedia's graph viewer reads.</summary>
    Attribution,

    /// <summary>One offline HTML page with the picture, sliders and tables.</summary>
    Html,

    /// <summary>A picture.</summary>
    Svg,

    /// <summary>Graphviz.</summary>
    Dot,

    /// <summary>Mermaid flowchart.</summary>
    Mermaid,

    /// <summary>GraphML, for Gephi, yEd, Cytoscape, NetworkX.</summary>
    GraphMl,

    /// <summary>One row an edge.</summary>
    Csv,
}

/// <summary>Which file name means which <see cref="GraphFormat"/>.</summary>
public static class GraphFormats
{
    // the longest ending first: .attribution.json is also a .json
    private static readonly (string Extension, GraphFormat Format)[] Table =
    [
        (".attribution.json", GraphFormat.Attribution),
        (".json", GraphFormat.Json),
        (".html", GraphFormat.Html),
        (".htm", GraphFormat.Html),
        (".svg", GraphFormat.Svg),
        (".dot", GraphFormat.Dot),
        (".gv", GraphFormat.Dot),
        (".mmd", GraphFormat.Mermaid),
        (".mermaid", GraphFormat.Mermaid),
        (".graphml", GraphFormat.GraphMl),
        (".csv", GraphFormat.Csv),
    ];

    /// <summary>Every ending that is understood.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [.. Table.Select(t => t.Extension)];

    /// <summary>The format that a file name asks for.</summary>
    /// <exception cref="FeatureFlowException">FF5070: no such format.</exception>
    public static GraphFormat Of(string path)
    {
        foreach (var (extension, format) in Table)
        {
            if (path.EndsWith(extension, StringComparison.OrdinalIgnoreCase)) return format;
        }

        throw ExperimentErrors.GraphFormatUnknown(path);
    }
}
