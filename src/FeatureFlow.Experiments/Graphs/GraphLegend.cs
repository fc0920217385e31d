using System.Text;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>The legend under a picture: classes, shapes, the scale of similarity, the caption. Wraps at the picture's width.</summary>
internal static class GraphLegend
{
    private const double Line = 24;

    /// <summary>The legend as SVG with its upper left corner at the origin, and how high it is.</summary>
    public static (string Svg, double Height) Draw(FlowGraph graph, double width)
    {
        var svg = new StringBuilder();
        double x = 0, y = 0;
        foreach (var (wide, draw) in Items(graph.Verified))
        {
            if (x > 0 && x + wide > width) (x, y) = (0, y + Line);
            svg.Put($"<g transform=\"translate({GraphSvg.N(x)},{GraphSvg.N(y)})\">{draw}</g>");
            x += wide + 22;
        }

        y += Line + 6;
        foreach (var line in Wrap(GraphCaption.Cuts(graph), width / 11))
        {
            svg.Put($"<text class=\"muted\" y=\"{GraphSvg.N(y)}\">{GraphText.Xml(line)}</text>");
            y += 16;
        }

        return (svg.ToString(), y);
    }

    /// <summary>The legend as a figure of its own, for pages.</summary>
    public static string Figure(FlowGraph graph)
    {
        var (svg, height) = Draw(graph, 1130);
        return $"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fig legend\" role=\"img\" aria-label=\"Legend\" width=\"1140\" height=\"{GraphSvg.N(height + 8)}\" viewBox=\"0 -12 1140 {GraphSvg.N(height + 8)}\">{svg}</svg>\n";
    }

    private static IEnumerable<(double Width, string Svg)> Items(bool verified)
    {
        yield return Scale("cosine similarity", i => $"f{i}", verified ? 6 : null);
        if (verified)
        {
            yield return Scale("activation change (Δ)", _ => "wide", null);
            yield return Item(30, "<path class=\"e s5 u\" stroke-width=\"1.5\" d=\"M2 0H28\"/>", "never active together");
        }

        foreach (var (c, name) in GraphPalette.ClassNames)
        {
            yield return Item(30, $"<g class=\"n {c}\">{Moved(GraphSvg.Shape("res", 30, 16, "b"))}<text class=\"k\" x=\"15\" y=\"4\">{c}</text></g>", name);
        }

        yield return Item(30, $"<g class=\"n\">{Moved(GraphSvg.Shape("att", 30, 16, "b"))}</g>", "attention");
        yield return Item(30, $"<g class=\"n\">{Moved(GraphSvg.Shape("mlp", 30, 16, "b"))}</g>", "MLP");
        yield return Item(30, $"<g class=\"n\">{Moved(GraphSvg.Shape("res", 30, 16, "ring"))}</g>", "seed");

        static string Moved(string shape) => $"<g transform=\"translate(15,0)\">{shape}</g>";
    }

    private static (double Width, string Svg) Item(double icon, string svg, string text) =>
        (icon + 7 + (GraphText.Width(text) * 11), $"{svg}<text x=\"{GraphSvg.N(icon + 7)}\" y=\"4\">{text}</text>");

    // ten bars, as wide and coloured as the edges they stand for
    private static (double Width, string Svg) Scale(string name, Func<int, string> css, double? height)
    {
        var x = Math.Max(98, (GraphText.Width(name) * 10.2) + 6);
        var svg = new StringBuilder();
        svg.Put($"<text y=\"4\">{name}</text><text class=\"muted\" x=\"{GraphSvg.N(x)}\" y=\"4\">0</text>");
        for (var i = 0; i < 10; i++)
        {
            var h = height ?? (GraphPalette.Width((i + 0.5) / 10) + 1);
            svg.Put($"<rect class=\"{css(i)}\" x=\"{GraphSvg.N(x + 11 + (i * 15))}\" y=\"{GraphSvg.N(-h / 2)}\" width=\"14.5\" height=\"{GraphSvg.N(h)}\"/>");
        }

        svg.Put($"<text class=\"muted\" x=\"{GraphSvg.N(x + 166)}\" y=\"4\">1</text>");
        return (x + 176, svg.ToString());
    }

    private static IEnumerable<string> Wrap(string text, double width)
    {
        var line = "";
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && GraphText.Width($"{line} {word}") > width)
            {
                yield return line;
                line = "";
            }

            line = line.Length == 0 ? word : $"{line} {word}";
        }

        yield return line;
    }
}
