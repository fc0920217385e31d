using System.Globalization;
using System.Text;

namespace FeatureFlow.Experiments.Figures;

/// <summary>Lays out a figure: heading, one legend for all panels, panels in rows, the note.</summary>
internal sealed class FigureSvg
{
    private const double Edge = 14, Gap = 22;

    private readonly Figure _figure;
    private readonly string _prefix;
    private readonly bool _page;
    private readonly StringBuilder _svg = new();
    private readonly IReadOnlyDictionary<string, int> _colours;

    private FigureSvg(Figure figure, bool page, string prefix)
    {
        (_figure, _page, _prefix) = (figure, page, prefix);
        _colours = figure.Panels.SelectMany(p => p.Series).Where(s => s is not HeatSeries).Select(s => s.Name).Distinct().Index().ToDictionary(s => s.Item, s => s.Index, StringComparer.Ordinal);
    }

    /// <summary>A file of its own.</summary>
    public static string Render(Figure figure) => new FigureSvg(figure, page: false, "").Draw();

    /// <summary>The same without heading and note, to be put into a page that has <see cref="FigurePalette.Css"/>.</summary>
    public static string Fragment(Figure figure, string prefix) => new FigureSvg(figure, page: true, prefix).Draw();

    private string Draw()
    {
        var columns = _figure.Columns > 0 ? Math.Min(_figure.Columns, _figure.Panels.Count) : _figure.Panels.Count switch { 1 => 1, 2 or 4 => 2, _ => 3 };
        var width = (_figure.Width - (2 * Edge) - ((columns - 1) * Gap)) / columns;
        var plot = _figure.PlotHeight > 0 ? _figure.PlotHeight : columns == 1 ? 300 : columns == 2 ? 220 : 170;
        var body = new StringBuilder();
        var y = _page ? 8.0 : 40;
        var legend = Legend(_figure.Width - (2 * Edge));
        body.Put($"<g transform=\"translate({N(Edge)},{N(y)})\">{legend.Svg}</g>\n");
        y += legend.Height;
        foreach (var row in _figure.Panels.Chunk(columns))
        {
            var panels = row.Select(p => new PanelSvg(p, _colours, width, plot)).ToList();
            foreach (var (c, panel) in panels.Index()) body.Put($"<g transform=\"translate({N(Edge + (c * (width + Gap)))},{N(y)})\">\n{panel.Draw()}</g>\n");
            y += panels.Max(p => p.Height) + 10;
        }

        var note = _page ? [] : GraphText.Wrap(_figure.Note, (_figure.Width - (2 * Edge)) / 11, 6);
        foreach (var line in note) body.Put($"<text class=\"muted\" x=\"{N(Edge)}\" y=\"{N((y += 15) - 2)}\">{Xml(line)}</text>\n");
        Open(y + 6);
        return _svg.Append(body).Append("</svg>\n").ToString();
    }

    private void Open(double height)
    {
        var title = Xml(GraphText.OneLine(_figure.Title));
        // in a page a title element would follow the pointer everywhere
        var name = _page ? $"aria-label=\"{title}\" aria-describedby=\"{_prefix}desc\"" : "aria-labelledby=\"title desc\"";
        _svg.Put($"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" {name} width=\"{N(_figure.Width)}\" height=\"{N(height)}\" viewBox=\"0 0 {N(_figure.Width)} {N(height)}\">\n");
        if (!_page) _svg.Put($"<title id=\"title\">{title}</title>\n");
        _svg.Put($"<desc id=\"{_prefix}desc\">{Xml(Description())}</desc>\n");
        if (!_page)
        {
            _svg.Put($"<style>\n:root{{color-scheme:light dark;{FigurePalette.Variables(dark: false)}}}\n@media (prefers-color-scheme:dark){{:root{{{FigurePalette.Variables(dark: true)}}}}}\n")
                .Append(FigurePalette.Css());
            if (_figure.Panels.SelectMany(p => p.Series).Any(s => s is HeatSeries { Diverging: true })) _svg.Append(FigurePalette.StepCss());
            _svg.Append("</style>\n");
        }

        _svg.Put($"<rect class=\"paper\" width=\"{N(_figure.Width)}\" height=\"{N(height)}\"/>\n");
        if (!_page) _svg.Put($"<text class=\"head\" x=\"{N(Edge)}\" y=\"26\">{Xml(GraphText.Fit(_figure.Title, (_figure.Width - (2 * Edge)) / 15))}</text>\n");
    }

    private string Description()
    {
        var text = new StringBuilder();
        foreach (var panel in _figure.Panels)
        {
            if (panel.Title is { } title) text.Append(title).Append(": ");
            text.Append(panel.Y.Label).Append(" against ").Append(panel.X.Label);
            var names = panel.Series.Select(s => s.Name).Where(n => n.Length > 0).Distinct().ToList();
            if (names.Count > 0) text.Append(" of ").AppendJoin(", ", names);
            text.Append(". ");
        }

        return GraphText.OneLine(text.Append(_figure.Note).ToString());
    }

    // one entry a name, in lines as they fit
    private (string Svg, double Height) Legend(double width)
    {
        if (_colours.Count < 2 && !_colours.Keys.Any(n => n.Length > 0 && _figure.Panels.Any(p => p.Series.Count > 1))) return ("", 0);
        var svg = new StringBuilder();
        double x = 0, y = 10;
        foreach (var (name, colour) in _colours)
        {
            if (name.Length == 0) continue;
            var text = GraphText.Fit(name, 40);
            var wide = 44 + (GraphText.Width(text) * 10);
            if (x > 0 && x + wide > width) (x, y) = (0, y + 18);
            var kind = _figure.Panels.SelectMany(p => p.Series).First(s => s.Name == name && s is not HeatSeries);
            svg.Put($"<g transform=\"translate({N(x)},{N(y)})\">{Key(kind, colour)}<text x=\"26\" y=\"4\">{Xml(text)}</text></g>");
            x += wide;
        }

        return (svg.ToString(), y + 14);
    }

    private static string Key(Series kind, int colour)
    {
        var c = colour % FigurePalette.Count;
        return kind switch
        {
            LineSeries line => PanelSvg.Path(colour, "M0 0H20", "") + (line.Plain ? "" : PanelSvg.Mark(colour, 10, 0, "")),
            ScatterSeries => PanelSvg.Mark(colour, 10, 0, ""),
            _ => $"<rect class=\"p{c}\" x=\"3\" y=\"-6\" width=\"14\" height=\"12\" rx=\"2\"/>",
        };
    }

    internal static string N(double value) => Math.Round(value, 1).ToString(CultureInfo.InvariantCulture);

    private static string Xml(string text) => GraphText.Xml(text);
}
