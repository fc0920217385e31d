using System.Globalization;
using System.Text;

namespace FeatureFlow.Experiments.Figures;

/// <summary>Draws one panel: heading, axes with ticks and grid, guides, marks. Its own pixels begin at its upper left corner.</summary>
internal sealed partial class PanelSvg
{
    private const double Letter = 6.1; // width of a tick's letter
    private const double Turned = 0.6; // sine and cosine of turned labels, about

    private readonly Panel _panel;
    private readonly IReadOnlyDictionary<string, int> _colours;
    private readonly StringBuilder _svg = new();
    private readonly CategoryScale? _categories;
    private readonly CategoryScale? _rows;
    private readonly Scale? _x, _y;
    private readonly double _left, _top, _right, _bottom;
    private readonly bool _turned;

    public PanelSvg(Panel panel, IReadOnlyDictionary<string, int> colours, double width, double plot)
    {
        (_panel, _colours) = (panel, colours);
        _top = panel.Title is null ? 8 : 26;
        _bottom = _top + plot;
        var heat = panel.Series.OfType<HeatSeries>().FirstOrDefault();
        var names = CategoriesOf(panel, heat);
        if (heat is null) _y = Scale.Numbers(panel.Y, Heights(panel), _bottom, _top, Standing(panel), 42, tight: false);
        var ticks = heat is null ? _y!.Ticks.Max(t => (double?)t.Text.Length) ?? 1 : heat.Rows.Select(r => Math.Min(r.Length, 18)).DefaultIfEmpty(1).Max();
        _left = 22 + (ticks * Letter) + 6;
        _right = width - (heat is null ? 6 : 52);
        if (names is not null)
        {
            _categories = new CategoryScale(names, _left, _right);
            _turned = names.Any(n => n.Length * Letter > _categories.Band + 2) && names.Max(n => n.Length) > 3;
            if (heat is not null) _rows = new CategoryScale(heat.Rows, _top, _bottom);
        }
        else
        {
            _x = Scale.Numbers(panel.X, panel.Series.SelectMany(Across).Concat(panel.Guides.Where(g => g.Vertical).Select(g => g.Value)), _left, _right, zero: false, panel.X.Whole ? 34 : 52, tight: panel.Series.All(s => s is HistogramSeries));
        }

        Height = _bottom + 38 + (_turned ? Turned * Letter * Math.Min(22, names!.Max(n => n.Length)) : 0);
    }

    /// <summary>Pixels from top to bottom.</summary>
    public double Height { get; }

    public string Draw()
    {
        if (_panel.Title is { } title) _svg.Put($"<text class=\"sub\" x=\"{N(_left)}\" y=\"14\">{Xml(GraphText.Fit(title, (_right - _left) / 12))}</text>\n");
        Axes();
        foreach (var heat in _panel.Series.OfType<HeatSeries>()) Heat(heat);
        Bars();
        foreach (var series in _panel.Series) Draw(series);
        foreach (var guide in _panel.Guides) Draw(guide);
        return _svg.ToString();
    }

    /// <summary>A line in the colours and dashes of a series.</summary>
    internal static string Path(int colour, string path, string title)
    {
        var dashes = FigurePalette.Dashes(colour);
        return $"<path class=\"l{colour % FigurePalette.Count}\"{(dashes.Length > 0 ? $" stroke-dasharray=\"{dashes}\"" : "")} d=\"{path}\">{Title(title)}</path>";
    }

    /// <summary>A mark in the colour and shape of a series.</summary>
    internal static string Mark(int colour, double x, double y, string title)
    {
        var shape = (colour % 6) switch
        {
            0 => $"M{N(x - 3.4)} {N(y)}a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0Z",
            1 => $"M{N(x - 3)} {N(y - 3)}h6v6h-6Z",
            2 => $"M{N(x)} {N(y - 4)}l3.9 6.8h-7.8Z",
            3 => $"M{N(x)} {N(y - 4.2)}l4.2 4.2l-4.2 4.2l-4.2 -4.2Z",
            4 => $"M{N(x - 1.2)} {N(y - 4)}h2.4v2.8h2.8v2.4h-2.8v2.8h-2.4v-2.8h-2.8v-2.4h2.8Z",
            _ => $"M{N(x)} {N(y + 4)}l3.9 -6.8h-7.8Z",
        };
        return $"<path class=\"p{colour % FigurePalette.Count}\" d=\"{shape}\">{Title(title)}</path>";
    }

    private static IReadOnlyList<string>? CategoriesOf(Panel panel, HeatSeries? heat)
    {
        if (heat is not null) return heat.Columns;
        var found = panel.Series.SelectMany(s => s switch { BarSeries b => b.Bars.Select(x => x.Category), BoxSeries b => b.Boxes.Select(x => x.Category), _ => [] }).Distinct().ToList();
        if (!panel.Series.Any(s => s is BarSeries or BoxSeries)) return null;
        return [.. panel.X.Categories ?? found, .. panel.X.Categories is { } given ? found.Except(given) : []];
    }

    private static bool Standing(Panel panel) => panel.Series.Any(s => s is BarSeries or HistogramSeries);

    private static IEnumerable<double> Across(Series series) => series switch
    {
        LineSeries line => line.Dots.Select(d => d.X),
        ScatterSeries scatter => scatter.Dots.Select(d => d.X),
        HistogramSeries histogram => histogram.Edges,
        _ => [],
    };

    private static IEnumerable<double> Heights(Panel panel)
    {
        var bars = panel.Series.OfType<BarSeries>().SelectMany(s => s.Bars).ToList();
        IEnumerable<double> stacks = panel.Stacked ? bars.GroupBy(b => b.Category).SelectMany(g => new[] { g.Where(b => b.Value > 0).Sum(b => b.Value), g.Where(b => b.Value < 0).Sum(b => b.Value) }) : [];
        return stacks.Concat(panel.Guides.Where(g => !g.Vertical).Select(g => g.Value)).Concat(panel.Series.SelectMany(s => s switch
        {
            LineSeries line => line.Dots.SelectMany(Ends),
            ScatterSeries scatter => scatter.Dots.SelectMany(Ends),
            BarSeries b => b.Bars.SelectMany(x => new[] { x.Value, x.Low ?? x.Value, x.High ?? x.Value }),
            HistogramSeries histogram => histogram.Heights,
            BoxSeries b => b.Boxes.SelectMany(x => new[] { x.Low, x.High }),
            _ => [],
        }));

        static IEnumerable<double> Ends(Dot d) => [d.Y, d.Low ?? d.Y, d.High ?? d.Y];
    }

    private void Axes()
    {
        _svg.Append("<g>");
        var middle = (_top + _bottom) / 2;
        if (_y is not null)
        {
            foreach (var (value, text) in _y.Ticks)
                _svg.Put($"<path class=\"grid\" d=\"M{N(_left)} {N(_y.At(value))}H{N(_right)}\"/><text class=\"muted\" text-anchor=\"end\" x=\"{N(_left - 6)}\" y=\"{N(_y.At(value) + 4)}\">{text}</text>");
        }
        else
        {
            Every(_rows!, 12, (name, at) => _svg.Put($"<text class=\"muted\" text-anchor=\"end\" x=\"{N(_left - 5)}\" y=\"{N(at + 4)}\">{Xml(GraphText.Fit(name, 14))}</text>"));
        }

        if (_x is not null)
        {
            foreach (var (value, text) in _x.Ticks)
                _svg.Put($"<path class=\"axis\" d=\"M{N(_x.At(value))} {N(_bottom)}v4\"/><text class=\"muted\" text-anchor=\"middle\" x=\"{N(_x.At(value))}\" y=\"{N(_bottom + 16)}\">{text}</text>");
        }
        else if (_turned)
        {
            Every(_categories!, 13, (name, at) => _svg.Put($"<text class=\"muted\" text-anchor=\"end\" transform=\"translate({N(at + 4)},{N(_bottom + 13)}) rotate(-37)\">{Xml(GraphText.Fit(name, 14))}</text>"));
        }
        else
        {
            Every(_categories!, 18, (name, at) => _svg.Put($"<text class=\"muted\" text-anchor=\"middle\" x=\"{N(at)}\" y=\"{N(_bottom + 16)}\">{Xml(name)}</text>"));
        }

        if (_rows is null) _svg.Put($"<path class=\"axis\" d=\"M{N(_left)} {N(_y is not null && Standing(_panel) ? _y.At(0) : _bottom)}H{N(_right)}\"/>");
        _svg.Put($"<text x=\"{N((_left + _right) / 2)}\" y=\"{N(Height - 4)}\" text-anchor=\"middle\">{Xml(GraphText.Fit(_panel.X.Label, (_right - _left) / 10))}</text>");
        _svg.Put($"<text transform=\"translate(11,{N(middle)}) rotate(-90)\" text-anchor=\"middle\">{Xml(GraphText.Fit(_panel.Y.Label, (_bottom - _top + 30) / 10))}</text></g>\n");
    }

    // labels of categories, some left out where they would touch
    private static void Every(CategoryScale scale, double least, Action<string, double> label)
    {
        var every = Math.Max(1, (int)Math.Ceiling(least / scale.Band));
        for (var i = 0; i < scale.Names.Count; i += every) label(scale.Names[i], scale.At(scale.Names[i]) + (scale.Band / 2));
    }

    private void Draw(Guide guide)
    {
        if (guide.Vertical)
        {
            if (_x is null || !_x.Has(guide.Value)) return;
            _svg.Put($"<path class=\"guide\" d=\"M{N(_x.At(guide.Value))} {N(_top)}V{N(_bottom)}\"/><text class=\"muted\" x=\"{N(_x.At(guide.Value) + 4)}\" y=\"{N(_top + 10)}\">{Xml(guide.Label)}</text>\n");
        }
        else if (_y?.Has(guide.Value) == true)
        {
            _svg.Put($"<path class=\"guide\" d=\"M{N(_left)} {N(_y.At(guide.Value))}H{N(_right)}\"/><text class=\"muted\" text-anchor=\"end\" x=\"{N(_right - 2)}\" y=\"{N(_y.At(guide.Value) - 4)}\">{Xml(guide.Label)}</text>\n");
        }
    }

    private int Colour(Series series) => _colours[series.Name];

    private static string Title(string text) => text.Length == 0 ? "" : $"<title>{Xml(text)}</title>";

    private static string Value(double value) => value.ToString(Math.Abs(value) is >= 1e6 or (> 0 and < 1e-3) ? "0.###e0" : "0.####", CultureInfo.InvariantCulture);

    private static string Interval(double? low, double? high) => low is { } l && high is { } h ? $" [{Value(l)}, {Value(h)}]" : "";

    private static string N(double value) => FigureSvg.N(value);

    private static string Xml(string text) => GraphText.Xml(text);
}
