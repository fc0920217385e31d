using System.Text;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>
/// One offline page about flow graphs: the picture that <see cref="GraphFormat.Svg"/> draws, thresholds as sliders, details of every
/// feature, and searchable tables. It carries the graphs as our own JSON, so that nothing is lost by keeping only the page.
/// </summary>
public static class GraphReport
{
    /// <summary>A picture draws this many nodes and edges at most; tables, search and counts know all of them.</summary>
    internal const int MostNodes = 1500, MostEdges = 6000;

    private static readonly string[] Scripts = ["page.js", "graph-model.js", "graph-squeeze.js", "graph-picture.js", "table.js", "graph-details.js", "graph-page.js", "start.js"];

    /// <summary>The page of one or several graphs, which a chooser switches between.</summary>
    /// <param name="graphs">The graphs.</param>
    /// <param name="title">Title of the page.</param>
    /// <param name="evidence">What is known of features from texts and the decoder, shown with their details; or null.</param>
    public static string Render(IReadOnlyList<FlowGraph> graphs, string title, IReadOnlyList<FeatureEvidence>? evidence = null)
    {
        // what nobody has described is described by its evidence
        if (evidence is { Count: > 0 })
        {
            var ours = evidence.DistinctBy(e => e.Feature).ToDictionary(e => e.Feature, e => e.Description);
            graphs = [.. graphs.Select(g => g with { Nodes = [.. g.Nodes.Select(n => n.Description is null && ours.TryGetValue(n.Id, out var text) ? n with { Description = text } : n)] })];
        }

        var page = new ReportPage(title).Style(ReportPage.Themes()).Style(GraphPalette.FigureCss())
            .Style(ReportPage.Resource("report.css")).Style(ReportPage.Resource("graph.css"))
            .Body(ReportPage.Resource("controls.html"));
        for (var i = 0; i < graphs.Count; i++) page.Body(Section(graphs[i], i));
        page.Body(ReportPage.Resource("tables.html")).Data("graphs", GraphJson.Render(graphs));
        if (evidence is { Count: > 0 }) page.Data("evidence", EvidenceJson.ForPage(evidence));
        foreach (var script in Scripts) page.Script(ReportPage.Resource(script));
        return page.Render();
    }

    private static string Section(FlowGraph graph, int number)
    {
        var drawn = GraphExcerpt.Of(graph, MostNodes, MostEdges);
        var seed = graph.Nodes.First(n => n.Id == graph.Seed);
        var html = new StringBuilder();
        html.Put($"<section class=\"graph\" aria-labelledby=\"g{number}-name\">\n<h2 id=\"g{number}-name\">{Text(graph.Seed)}");
        if (!string.IsNullOrWhiteSpace(seed.Description)) html.Put($" <span dir=\"auto\">{Text(GraphText.Fit(seed.Description, 160))}</span>");
        html.Put($"</h2>\n<div class=\"facts\"><p>{Text(GraphCaption.Facts(graph))}</p></div>\n");
        foreach (var note in graph.Notes) html.Put($"<p class=\"note\">{Text(GraphText.OneLine(note))}</p>\n");
        if (!ReferenceEquals(drawn, graph))
        {
            html.Put($"<p class=\"note\">The picture draws {drawn.Nodes.Count} of {graph.Nodes.Count} nodes and {drawn.Edges.Count} of {graph.Edges.Count} edges, ")
                .Put($"those that connect best to the seed. The tables list all of them.</p>\n");
        }

        html.Put($"<div class=\"stage\">\n<div class=\"figure\" role=\"region\" aria-label=\"Picture, scrollable\" tabindex=\"0\">\n{GraphSvg.Fragment(drawn, $"g{number}-")}</div>\n</div>\n");
        return html.Put($"{GraphLegend.Figure(graph)}</section>\n").ToString();
    }

    private static string Text(string text) => GraphText.Xml(text);
}
