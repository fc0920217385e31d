using System.Globalization;
using System.Text;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>
/// The picture of a flow graph: layers across, sites as lanes, edges by similarity. Light and dark by the reader's preference; programs
/// that know no style sheets with custom properties get the light colours.
/// </summary>
internal sealed class GraphSvg
{
    private readonly GraphLayout _layout;
    private readonly GraphColumns _columns;
    private readonly FlowGraph _graph;
    private readonly StringBuilder _svg = new();
    private readonly string _prefix;
    private readonly bool _page;
    private readonly double _head;
    private readonly IReadOnlyDictionary<string, NodeMark>? _marks;

    private GraphSvg(FlowGraph graph, bool page, string prefix, IReadOnlyDictionary<string, NodeMark>? marks = null)
    {
        (_graph, _page, _prefix, _head, _marks) = (graph, page, prefix, page ? 14 : 62, marks);
        _layout = GraphLayout.Of(graph);
        _columns = _layout.Columns;
    }

    /// <summary>A file of its own.</summary>
    public static string Render(FlowGraph graph) => new GraphSvg(graph, page: false, "").Draw();

    /// <summary>
    /// The same picture without heading and legend, to be put into a page that has <see cref="GraphPalette.FigureCss"/>. Nodes are buttons
    /// there; <c>data-n</c> and <c>data-e</c> name nodes and edges for scripts.
    /// </summary>
    /// <param name="graph">The graph.</param>
    /// <param name="prefix">Of ids, so that a page can hold several.</param>
    /// <param name="marks">Nodes to colour by something else than their class; the others then stand back.</param>
    public static string Fragment(FlowGraph graph, string prefix, IReadOnlyDictionary<string, NodeMark>? marks = null) => new GraphSvg(graph, page: true, prefix, marks).Draw();

    private double Width => Math.Max(_columns.Right + GraphColumns.Left, _page ? 0 : 760);

    private string Draw()
    {
        var legend = _page ? ("", 0) : GraphLegend.Draw(_graph, Width - (2 * GraphColumns.Left));
        var axis = _head + _layout.Height;
        var height = _page ? axis + 34 : axis + 48 + legend.Height + 10;
        Open(height);
        _svg.Put($"<rect class=\"paper\" width=\"{N(Width)}\" height=\"{N(height)}\"/>\n");
        if (!_page) Heading();
        Bands();
        Edges();
        Nodes();
        Axis(axis);
        if (!_page) _svg.Put($"<g class=\"legend\" transform=\"translate({N(GraphColumns.Left)},{N(axis + 48)})\">{legend.Svg}</g>\n");
        return _svg.Append("</svg>\n").ToString();
    }

    private void Open(double height)
    {
        var title = Xml($"Flow graph of {_graph.Seed} in {_graph.PackName}");
        // in a page a title element would follow the pointer everywhere, and an image could hold no buttons
        var name = _page ? $"role=\"group\" aria-label=\"{title}\" aria-describedby=\"{_prefix}desc\"" : "role=\"img\" aria-labelledby=\"title desc\"";
        _svg.Put($"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fig\" {name} width=\"{N(Width)}\" height=\"{N(height)}\" viewBox=\"0 0 {N(Width)} {N(height)}\">\n");
        if (!_page) _svg.Put($"<title id=\"title\">{title}</title>\n");
        _svg.Put($"<desc id=\"{_prefix}desc\">{Xml(GraphCaption.Summary(_graph))}</desc>\n");
        if (_page) return;
        _svg.Put($"<style>\n:root{{color-scheme:light dark;{GraphPalette.Variables(dark: false)}}}\n@media (prefers-color-scheme:dark){{:root{{{GraphPalette.Variables(dark: true)}}}}}\n")
            .Append(GraphPalette.FigureCss()).Append("</style>\n");
    }

    private void Heading()
    {
        var seed = _layout.Nodes[_layout.NumberOf(_graph.Seed)];
        var id = $"<tspan>{Xml(_graph.Seed)}</tspan>";
        var room = ((Width - 60) / 15) - (_graph.Seed.Length * 0.75);
        if (!string.IsNullOrWhiteSpace(seed.Description)) id += $"<tspan class=\"muted\" font-size=\"14\" font-weight=\"400\" dx=\"10\">{Xml(GraphText.Fit(seed.Description, room))}</tspan>";
        _svg.Put($"<text class=\"head\" x=\"20\" y=\"28\">{id}</text>\n<text class=\"muted\" x=\"20\" y=\"47\">{Xml(GraphCaption.Facts(_graph))}</text>\n");
    }

    private void Bands()
    {
        string[] names = ["attention", "residual", "MLP"];
        _svg.Append("<g class=\"lanes\">");
        for (var lane = 0; lane < 3; lane++)
        {
            var (top, height) = _layout.Lanes[lane];
            if (height == 0) continue;
            if (lane == (int)Lane.Residual) _svg.Put($"<rect class=\"band\" x=\"{N(GraphColumns.Left - 12)}\" y=\"{N(_head + top)}\" width=\"{N(_columns.Right - GraphColumns.Left + 20)}\" height=\"{N(height)}\" rx=\"12\"/>");
            _svg.Put($"<text class=\"lane muted\" x=\"{N(GraphColumns.Left)}\" y=\"{N(_head + top + (height / 2) + 4)}\">{names[lane]}</text>");
        }

        _svg.Append("</g>\n<g class=\"rules\">");
        foreach (var layer in _columns.Layers.Skip(1)) Rule(layer);
        _svg.Append("</g>\n");
    }

    // between two layers; staggered layers begin at different places in the residual and the module lanes
    private void Rule(int layer)
    {
        var (residual, modules) = _columns.Begin(layer);
        var (top, bottom) = (_head + _layout.Lanes[1].Top, _head + _layout.Lanes[1].Top + _layout.Lanes[1].Height);
        var path = residual == modules ? $"V{N(_head + _layout.Height + 4)}" : $"V{N(top)}H{N(residual)}V{N(bottom)}H{N(modules)}V{N(_head + _layout.Height + 4)}";
        _svg.Put($"<path class=\"rule\" d=\"M{N(modules)} {N(_head)}{path}\"/>");
    }

    private void Edges()
    {
        _svg.Append("<g class=\"edges\">\n");
        foreach (var edge in _graph.Edges.OrderBy(e => e.Similarity)) Edge(edge);
        _svg.Append("</g>\n");
        if (!_columns.Sparse) return;
        _svg.Append("<g class=\"cosines\">");
        foreach (var edge in _graph.Edges) Cosine(edge);
        _svg.Append("</g>\n");
    }

    private void Edge(FlowEdge edge)
    {
        var ((x1, y1), (x2, y2)) = Ends(edge);
        var bend = x2 > x1 ? (x2 - x1) / 2 : 60;
        var path = y1 == y2 && x2 > x1 ? $"M{N(x1)} {N(y1)}H{N(x2)}" : $"M{N(x1)} {N(y1)}C{N(x1 + bend)} {N(y1)} {N(x2 - bend)} {N(y2)} {N(x2)} {N(y2)}";
        _svg.Put($"<path class=\"e s{GraphPalette.Step(edge.Similarity)}{(GraphPalette.Untried(_graph, edge) ? " u" : "")}\" stroke-width=\"{N(GraphPalette.Width(_graph, edge))}\"");
        if (_page) _svg.Put($"{Mark(edge)} d=\"{path}\"/>\n");
        else _svg.Put($" d=\"{path}\"><title>{Xml($"{edge.Predecessor} → {edge.Target}: cosine {GraphText.Number(edge.Similarity)}{(edge.Evidence is { } e ? $"; {GraphCaption.Of(e)}" : "")}")}</title></path>\n");
    }

    private string Mark(FlowEdge edge) => _page ? $" data-e=\"{Xml($"{edge.Target} {edge.Predecessor}")}\"" : "";

    // residual edges carry it over the line, module edges beside the module, towards the residual lane
    private void Cosine(FlowEdge edge)
    {
        var ((x1, y1), (x2, y2)) = Ends(edge);
        var (from, to) = (_layout.Nodes[_layout.NumberOf(edge.Predecessor)], _layout.Nodes[_layout.NumberOf(edge.Target)]);
        // where a staggered column has no module edges
        var (x, y) = (!_columns.Staggered ? (x1 + x2) / 2 : _columns.Follows(to.Layer) ? x2 - 18 : x1 + 18, ((y1 + y2) / 2) - 7);
        var below = 18.0; // of the change, under the line
        if (GraphPalette.Lane(from.Site) != GraphPalette.Lane(to.Site))
        {
            var module = _layout.NumberOf(GraphPalette.Lane(from.Site) == Lane.Residual ? edge.Target : edge.Predecessor);
            var lane = GraphPalette.Lane(_layout.Nodes[module].Site);
            var half = _columns.HeightOf(lane) / 2;
            (x, y) = (_layout.X[module], _layout.Y[module] + _head + (lane == Lane.Attention ? half + 13 : -half - 6));
            below = 12;
            if (lane != Lane.Attention && edge.Evidence?.Change is not null) y -= below;
        }

        _svg.Put($"<text class=\"muted\" text-anchor=\"middle\"{Mark(edge)} x=\"{N(x)}\" y=\"{N(y)}\">{GraphText.Cosine(edge.Similarity)}</text>");
        if (GraphCaption.Change(edge) is { } change) _svg.Put($"<text class=\"strong\" text-anchor=\"middle\"{Mark(edge)} x=\"{N(x)}\" y=\"{N(y + below)}\">{change}</text>");
    }

    private ((double X, double Y) From, (double X, double Y) To) Ends(FlowEdge edge)
    {
        var (from, to) = (_layout.NumberOf(edge.Predecessor), _layout.NumberOf(edge.Target));
        return ((_layout.X[from] + (_columns.WidthOf(_layout.Nodes[from]) / 2), _head + _layout.Y[from]), (_layout.X[to] - (_columns.WidthOf(_layout.Nodes[to]) / 2), _head + _layout.Y[to]));
    }

    private void Nodes()
    {
        _svg.Append("<g class=\"nodes\">\n");
        for (var i = 0; i < _layout.Nodes.Count; i++) Node(_layout.Nodes[i], i);
        _svg.Append("</g>\n");
    }

    private void Node(FlowNode node, int i)
    {
        var seed = node.Id == _graph.Seed;
        var name = GraphPalette.NodeName(node);
        _svg.Put($"<g class=\"n {name}{(node.Site == "res_pre" ? " pre" : "")}{(seed ? " seed" : "")}{(_marks?.ContainsKey(node.Id) == false ? " off" : "")}\" transform=\"translate({N(_layout.X[i])},{N(_head + _layout.Y[i])})\"");
        if (_page) _svg.Put($" data-n=\"{Xml(node.Id)}\" role=\"button\" tabindex=\"-1\" aria-label=\"{Xml(GraphCaption.Of(node, seed) + (_marks?.GetValueOrDefault(node.Id) is { } told ? $"; {told.Label}" : ""))}\">");
        else _svg.Put($"><title>{Xml(GraphCaption.Of(node, seed))}</title>");
        var lane = GraphPalette.Lane(node.Site);
        var (w, h) = (_columns.WidthOf(node), _columns.HeightOf(lane));
        if (seed) _svg.Append(Shape(node.Site, w + 8, h + 8, "ring"));
        var mark = _marks?.GetValueOrDefault(node.Id);
        _svg.Append(Shape(node.Site, w, h, mark is null ? "b" : $"m q{mark.Step}"));
        if (mark is not null) _svg.Put($"<title>{Xml($"{node.Id} {mark.Label}")}</title>");
        if (mark is not null && _layout.IsSingle(lane)) _svg.Put($"<text class=\"strong\" y=\"{N((h / 2) + 13)}\">{Xml(mark.Label)}</text>");
        var text = GraphText.Wrap(node.Description ?? "", (w - 18) / 10, _columns.LinesOf(lane));
        var line = 4 - (6 * text.Count);
        if (node.Class is not null) _svg.Put($"<text class=\"k\" x=\"{N((-w / 2) + 13)}\" y=\"{line}\">{name}</text>");
        _svg.Put($"<text class=\"i{(mark?.Strong == true ? " light" : "")}\" x=\"{(node.Class is null || _columns.LinesOf(lane) > 0 ? 0 : 5)}\" y=\"{line}\">{node.Index}</text>");
        for (var t = 0; t < text.Count; t++) _svg.Put($"<text class=\"d\" y=\"{line + 13 + (12 * t)}\">{Xml(text[t])}</text>");
        _svg.Append("</g>\n");
    }

    /// <summary>Pills are residual, hexagons attention, boxes MLP.</summary>
    internal static string Shape(string site, double w, double h, string css)
    {
        var (x, y) = (w / 2, h / 2);
        return GraphPalette.Lane(site) switch
        {
            Lane.Attention => $"<path class=\"{css}\" d=\"M{N(-x)} 0L{N(-x + 9)} {N(-y)}H{N(x - 9)}L{N(x)} 0L{N(x - 9)} {N(y)}H{N(-x + 9)}Z\"/>",
            Lane.Residual => $"<rect class=\"{css}\" x=\"{N(-x)}\" y=\"{N(-y)}\" width=\"{N(w)}\" height=\"{N(h)}\" rx=\"{N(Math.Min(y, 18))}\"/>",
            _ => $"<rect class=\"{css}\" x=\"{N(-x)}\" y=\"{N(-y)}\" width=\"{N(w)}\" height=\"{N(h)}\" rx=\"2\"/>",
        };
    }

    private void Axis(double y)
    {
        _svg.Append("<g class=\"axis\">");
        foreach (var layer in _columns.Layers)
        {
            var (left, right) = (_columns.ModuleWidth > 0 ? _columns.ModuleCentre(layer) : _columns.ResidualCentre(layer), _columns.ResidualCentre(layer));
            _svg.Put($"<text class=\"strong\" text-anchor=\"middle\" x=\"{N(_columns.Staggered ? left : (left + right) / 2)}\" y=\"{N(y + 20)}\">{layer}</text>");
            if (_columns.Staggered && _columns.ModuleWidth > 0) _svg.Put($"<text class=\"strong muted\" text-anchor=\"middle\" x=\"{N(right)}\" y=\"{N(_head + _layout.Lanes[1].Top + 16)}\">{layer}</text>");
        }

        _svg.Put($"<text class=\"muted\" x=\"{N(GraphColumns.Left)}\" y=\"{N(y + 20)}\">layer</text></g>\n");
    }

    internal static string N(double value) => Math.Round(value, 1).ToString(CultureInfo.InvariantCulture);

    private static string Xml(string text) => GraphText.Xml(text);
}

/// <summary>What colours a node of a graph's picture.</summary>
/// <param name="Step">Step of the scale, pale to strong.</param>
/// <param name="Label">What is told of it: below it, where there is room.</param>
internal sealed record NodeMark(int Step, string Label)
{
    /// <summary>Whether text on it must be light.</summary>
    public bool Strong => Step > Figures.FigurePalette.HeatSteps / 2;
}
