using System.Globalization;
using System.Text;

namespace FeatureFlow.Experiments.Figures;

// the marks of each kind of series
internal sealed partial class PanelSvg
{
    /// <summary>A cloud of more points is drawn by a seeded sample of so many.</summary>
    internal const int MostDots = 4000;

    private void Draw(Series series)
    {
        switch (series)
        {
            case LineSeries line: Line(line); break;
            case ScatterSeries scatter: Scatter(scatter); break;
            case HistogramSeries histogram: Histogram(histogram); break;
            case BoxSeries boxes: Boxes(boxes); break;
        }
    }

    private void Line(LineSeries line)
    {
        if (_x is null || _y is null) return;
        var colour = Colour(line);
        var dots = line.Dots.Where(d => _x.Has(d.X)).ToList();
        var aside = line.Whiskers ? Aside(line) : 0;
        if (!line.Whiskers) Band(dots, colour);
        var path = new StringBuilder();
        var pen = false;
        foreach (var dot in dots)
        {
            if (!_y.Has(dot.Y))
            {
                pen = false;
                continue;
            }

            var (x, y) = (N(_x.At(dot.X) + aside), N(_y.At(dot.Y)));
            path.Append(!pen ? $"M{x} {y}" : line.Steps ? $"H{x}V{y}" : $"L{x} {y}");
            pen = true;
        }

        if (path.Length > 0) _svg.Append(Path(colour, path.ToString(), line.Plain ? line.Name : "")).Append('\n');
        if (line.Plain) return;
        foreach (var dot in dots.Where(d => _y.Has(d.Y))) Point(dot, colour, line.Name, line.Whiskers, aside);
    }

    // whiskers of several lines at one x stand side by side
    private double Aside(LineSeries line)
    {
        var whiskered = _panel.Series.OfType<LineSeries>().Where(l => l.Whiskers).ToList();
        return (whiskered.IndexOf(line) - ((whiskered.Count - 1) / 2.0)) * Math.Min(5, 24.0 / whiskered.Count);
    }

    // behind stretches of points that have an interval
    private void Band(List<Dot> dots, int colour)
    {
        for (var first = 0; first < dots.Count; first++)
        {
            var end = first;
            while (end < dots.Count && dots[end] is { Low: { } low, High: { } high } && _y!.Has(low) && _y.Has(high)) end++;
            if (end - first > 1)
            {
                var stretch = dots[first..end];
                var upper = string.Join('L', stretch.Select(d => $"{N(_x!.At(d.X))} {N(_y!.At(d.High!.Value))}"));
                var lower = string.Join('L', stretch.AsEnumerable().Reverse().Select(d => $"{N(_x!.At(d.X))} {N(_y!.At(d.Low!.Value))}"));
                _svg.Put($"<path class=\"b{colour % FigurePalette.Count}\" d=\"M{upper}L{lower}Z\"/>\n");
            }

            first = Math.Max(first, end);
        }
    }

    private void Scatter(ScatterSeries scatter)
    {
        if (_x is null || _y is null) return;
        Dot[] dots = [.. scatter.Dots.Where(d => _x.Has(d.X) && _y.Has(d.Y))];
        if (dots.Length > MostDots)
        {
            new Prng(1).Shuffle(dots.AsSpan());
            dots = dots[..MostDots];
        }

        _svg.Append("<g fill-opacity=\".75\">");
        foreach (var dot in dots) Point(dot, Colour(scatter), scatter.Name, whisker: true);
        _svg.Append("</g>\n");
    }

    private void Point(Dot dot, int colour, string name, bool whisker, double aside = 0)
    {
        double x = _x!.At(dot.X) + aside, y = _y!.At(dot.Y);
        if (whisker && dot is { Low: { } low, High: { } high }) Whisker(x, _y.At(low), _y.At(high), colour);
        var title = $"{(name.Length > 0 ? name + ": " : "")}{_panel.X.Label} {Value(dot.X)}, {_panel.Y.Label} {Value(dot.Y)}{Interval(dot.Low, dot.High)}{(dot.Note is null ? "" : $"; {GraphText.OneLine(dot.Note)}")}";
        _svg.Append(Mark(colour, x, y, title)).Append('\n');
    }

    private void Whisker(double x, double low, double high, int colour) =>
        _svg.Put($"<path class=\"w{colour % FigurePalette.Count}\" d=\"M{N(x - 3)} {N(high)}h6M{N(x)} {N(high)}V{N(low)}M{N(x - 3)} {N(low)}h6\"/>");

    private void Bars()
    {
        var all = _panel.Series.OfType<BarSeries>().ToList();
        if (all.Count == 0 || _categories is null || _y is null) return;
        var (up, down) = (new Dictionary<string, double>(StringComparer.Ordinal), new Dictionary<string, double>(StringComparer.Ordinal));
        var wide = _panel.Stacked ? _categories.Band * 0.72 : _categories.Band * 0.8 / all.Count;
        foreach (var (place, series) in all.Index())
        {
            var colour = Colour(series);
            foreach (var bar in series.Bars.Where(b => _y.Has(b.Value)))
            {
                var stack = bar.Value >= 0 ? up : down;
                var foot = _panel.Stacked ? stack.GetValueOrDefault(bar.Category) : 0;
                stack[bar.Category] = foot + bar.Value;
                var x = _categories.At(bar.Category) + (_panel.Stacked ? 0.14 * _categories.Band : (0.1 * _categories.Band) + (place * wide));
                double y1 = _y.At(foot), y2 = _y.At(foot + bar.Value);
                var title = $"{bar.Category}{(series.Name.Length > 0 ? $", {series.Name}" : "")}: {Value(bar.Value)}{Interval(bar.Low, bar.High)}{(bar.Note is null ? "" : $"; {GraphText.OneLine(bar.Note)}")}";
                _svg.Put($"<rect class=\"p{colour % FigurePalette.Count}\" x=\"{N(x)}\" y=\"{N(Math.Min(y1, y2))}\" width=\"{N(Math.Max(0.5, wide - (_panel.Stacked ? 0 : Math.Min(1, wide / 10))))}\" height=\"{N(Math.Abs(y1 - y2))}\">{Title(title)}</rect>\n");
                if (bar is { Low: { } low, High: { } high }) _svg.Put($"<path class=\"axis\" d=\"M{N(x + (wide / 2) - 3)} {N(_y.At(high))}h6m-3 0V{N(_y.At(low))}m-3 0h6\"/>\n");
            }
        }
    }

    private void Histogram(HistogramSeries histogram)
    {
        if (_x is null || _y is null) return;
        var colour = Colour(histogram);
        // several histograms over each other: areas that let the others through, with their outlines
        var path = new StringBuilder();
        path.Put($"M{N(_x.At(histogram.Edges[0]))} {N(_y.At(0))}");
        for (var i = 0; i < histogram.Heights.Count; i++) path.Put($"V{N(_y.At(histogram.Heights[i]))}H{N(_x.At(histogram.Edges[i + 1]))}");
        path.Put($"V{N(_y.At(0))}");
        _svg.Put($"<path class=\"b{colour % FigurePalette.Count}\" d=\"{path}Z\"/>").Append(Path(colour, path.ToString(), histogram.Name)).Append('\n');
        for (var i = 0; i < histogram.Heights.Count; i++)
        {
            var (left, right) = (_x.At(histogram.Edges[i]), _x.At(histogram.Edges[i + 1]));
            var title = $"{(histogram.Name.Length > 0 ? histogram.Name + ": " : "")}{Value(histogram.Edges[i])} to {Value(histogram.Edges[i + 1])}: {Value(histogram.Heights[i])}";
            if (histogram.Heights[i] > 0) _svg.Put($"<rect fill-opacity=\"0\" x=\"{N(left)}\" y=\"{N(_y.At(histogram.Heights[i]))}\" width=\"{N(right - left)}\" height=\"{N(_y.At(0) - _y.At(histogram.Heights[i]))}\">{Title(title)}</rect>\n");
        }
    }

    private void Boxes(BoxSeries series)
    {
        if (_categories is null || _y is null) return;
        var all = _panel.Series.OfType<BoxSeries>().ToList();
        var wide = Math.Min(46, _categories.Band * 0.76 / all.Count);
        var shift = (all.IndexOf(series) - ((all.Count - 1) / 2.0)) * wide;
        var c = Colour(series) % FigurePalette.Count;
        foreach (var box in series.Boxes)
        {
            var x = _categories.At(box.Category) + (_categories.Band / 2) + shift;
            var (w, left) = (wide * 0.82, x - (wide * 0.41));
            var title = $"{box.Category}{(series.Name.Length > 0 ? $", {series.Name}" : "")}: median {Value(box.Median)}, quartiles {Value(box.Q1)} and {Value(box.Q3)}, {Value(box.Low)} to {Value(box.High)}{(box.Count > 0 ? $"; {box.Count} values" : "")}";
            _svg.Put($"<g>{Title(title)}<path class=\"w{c}\" d=\"M{N(x)} {N(_y.At(box.Low))}V{N(_y.At(box.Q1))}M{N(x)} {N(_y.At(box.Q3))}V{N(_y.At(box.High))}M{N(x - (w / 4))} {N(_y.At(box.Low))}h{N(w / 2)}M{N(x - (w / 4))} {N(_y.At(box.High))}h{N(w / 2)}\"/>")
                .Put($"<rect class=\"b{c}\" x=\"{N(left)}\" y=\"{N(_y.At(box.Q3))}\" width=\"{N(w)}\" height=\"{N(_y.At(box.Q1) - _y.At(box.Q3))}\"/><rect class=\"w{c}\" x=\"{N(left)}\" y=\"{N(_y.At(box.Q3))}\" width=\"{N(w)}\" height=\"{N(_y.At(box.Q1) - _y.At(box.Q3))}\"/>")
                .Put($"<path class=\"l{c}\" d=\"M{N(left)} {N(_y.At(box.Median))}h{N(w)}\"/></g>\n");
        }
    }

    private void Heat(HeatSeries heat)
    {
        var finite = heat.Values.Cast<double>().Where(double.IsFinite).ToList();
        double low = heat.Min ?? (finite.Count > 0 ? finite.Min() : 0), high = heat.Max ?? (finite.Count > 0 ? finite.Max() : 1);
        var steps = heat.Diverging ? 10 : FigurePalette.HeatSteps;
        string Class(int step) => heat.Diverging ? $"f{step}" : $"q{step}";
        int Step(double value) => high > low ? (int)Math.Clamp(Math.Floor((value - low) / (high - low) * steps), 0, steps - 1) : 0;
        string Write(double value) => value.ToString(heat.Format, CultureInfo.InvariantCulture).Replace('-', '−');

        double w = _categories!.Band, h = _rows!.Band, gap = Math.Min(w, h) > 8 ? 1 : 0;
        var written = h >= 14 && finite.Select(v => Write(v).Length).DefaultIfEmpty(0).Max() * 5.6 < w - 2;
        for (var r = 0; r < heat.Rows.Count; r++)
        {
            for (var c = 0; c < heat.Columns.Count; c++)
            {
                var value = heat.Values[r, c];
                double x = _left + (c * w), y = _top + (r * h);
                var known = double.IsFinite(value);
                _svg.Put($"<rect class=\"{(known ? Class(Step(value)) : "none")}\" x=\"{N(x)}\" y=\"{N(y)}\" width=\"{N(w - gap)}\" height=\"{N(h - gap)}\">{Title($"{heat.Rows[r]}, {heat.Columns[c]}: {(known ? Write(value) : "none")}")}</rect>");
                if (!written || !known) continue;
                var strong = heat.Diverging ? Step(value) is <= 2 or >= 7 : Step(value) >= 5;
                _svg.Put($"<text class=\"cell{(strong ? " light" : "")}\" text-anchor=\"middle\" pointer-events=\"none\" x=\"{N(x + ((w - gap) / 2))}\" y=\"{N(y + (h / 2) + 3.5)}\">{Write(value)}</text>");
            }

            _svg.Append('\n');
        }

        // what the colours mean
        var size = Math.Min(14, (_bottom - _top - 24) / steps);
        for (var s = 0; s < steps; s++) _svg.Put($"<rect class=\"{Class(s)}\" x=\"{N(_right + 8)}\" y=\"{N(_top + 14 + ((steps - 1 - s) * size))}\" width=\"12\" height=\"{N(size)}\"/>");
        _svg.Put($"<text class=\"muted\" x=\"{N(_right + 8)}\" y=\"{N(_top + 9)}\">{Write(high)}</text><text class=\"muted\" x=\"{N(_right + 8)}\" y=\"{N(_top + 14 + (steps * size) + 12)}\">{Write(low)}</text>\n");
    }
}
