using System.Text;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>One self-contained offline page with the pictures of graphs.</summary>
public static class GraphReport
{
    /// <summary>The page of these graphs.</summary>
    public static string Render(IReadOnlyList<FlowGraph> graphs, string title)
    {
        var page = new StringBuilder();
        page.Put($"<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{GraphText.Xml(title)}</title>\n<style>\n:root{{{GraphPalette.Variables(dark: false)}}}\n{GraphPalette.FigureCss()}</style>\n");
        for (var i = 0; i < graphs.Count; i++) page.Append(GraphSvg.Fragment(graphs[i], $"g{i}-"));
        return page.Append("</html>\n").ToString();
    }
}
