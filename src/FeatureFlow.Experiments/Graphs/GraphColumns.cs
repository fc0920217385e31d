using System.Globalization;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>
/// The horizontal half of a graph's layout, and how big its boxes are. A module stands left of the residual features it goes into
/// (backward) or right of those it comes from (forward), with room between for edges that change lanes. Few layers get straight bands;
/// many layers are <b>staggered</b>: residual columns move together and modules keep their distance in their own lanes, where the room
/// above and below the neighbouring residual column is free.
/// </summary>
internal sealed class GraphColumns
{
    private const double Margin = 96, Side = 16, ModuleGap = 16;
    private readonly HashSet<int> _into = []; // layers whose modules continue residual features
    private readonly double _room;
    private readonly double _first;

    public GraphColumns(FlowGraph graph, int mostModules, int mostResidual)
    {
        Layers = [.. graph.Nodes.Select(n => n.Layer).Distinct().Order()];
        Staggered = Layers.Length > 8;
        Sparse = Math.Max(mostModules, mostResidual) == 1;
        var described = graph.Nodes.Any(n => !string.IsNullOrWhiteSpace(n.Description));
        ResidualLines = described ? TextLines(mostResidual) : 0;
        ModuleLines = described ? TextLines(mostModules) : 0;

        var modules = graph.Nodes.Any(n => GraphLayout.Column(n) % 2 == 0);
        var digits = graph.Nodes.Max(n => n.Index.ToString(CultureInfo.InvariantCulture).Length) * 7.4;
        double text = Layers.Length <= 6 ? 150 : Layers.Length <= 12 ? 132 : 116;
        ResidualWidth = Math.Max(ResidualLines > 0 ? text : 0, digits + 36);
        ModuleWidth = !modules ? 0 : Math.Max(ModuleLines > 0 ? text : 0, digits + 28);

        var column = graph.Nodes.ToDictionary(n => n.Id, GraphLayout.Column, StringComparer.Ordinal);
        var outOf = new HashSet<int>();
        foreach (var edge in graph.Edges)
        {
            if (column[edge.Target] % 2 == 0) _into.Add(column[edge.Target] / 2);
            if (column[edge.Predecessor] % 2 == 0) outOf.Add(column[edge.Predecessor] / 2);
        }

        _room = Math.Max(mostModules, mostResidual) switch { > 24 => 90, > 4 => 46, _ => 34 };
        var both = _into.Overlaps(outOf);
        var lane = !modules ? 0 : _room + ModuleWidth;
        var straight = (2 * Side) + ResidualWidth + lane + (both || _into.Count > 0 ? _room : 0);
        var close = Math.Max(ResidualWidth + (Sparse ? _room + 32 : _room + 8), ModuleWidth + ModuleGap);
        Pitch = !Staggered ? straight : both ? Math.Max(close, ResidualWidth + ModuleWidth + (2 * _room)) : close;
        _into.ExceptWith(outOf); // where both are, the module stands before its own layer's residual column
        var leads = !_into.Contains(Layers[0]) && graph.Nodes.Any(n => n.Layer == Layers[0] && GraphLayout.Column(n) % 2 == 0);
        _first = Margin + (!Staggered ? Pitch - Side - ResidualWidth : leads ? lane : Side) + (ResidualWidth / 2);
    }

    /// <summary>Layers that have a node, ascending.</summary>
    public int[] Layers { get; }

    /// <summary>True when residual columns move together and modules stand above and below them.</summary>
    public bool Staggered { get; }

    /// <summary>True when no cell holds two nodes: there is room to write the cosine at every edge.</summary>
    public bool Sparse { get; }

    /// <summary>Distance from one layer's residual column to the next one's.</summary>
    public double Pitch { get; }

    public double ResidualWidth { get; }

    public double ModuleWidth { get; }

    /// <summary>Lines of description inside a box; the fewer boxes a column has, the more.</summary>
    public int ResidualLines { get; }

    /// <inheritdoc cref="ResidualLines"/>
    public int ModuleLines { get; }

    /// <summary>Room at the top of the residual lane for its own layer numbers.</summary>
    public double LaneHead => Staggered ? 12 : 0;

    /// <summary>Left edge of the lanes' names.</summary>
    public static double Left => 20;

    /// <summary>Right edge of the last column's room.</summary>
    public double Right => ResidualCentre(Layers[^1]) + (ResidualWidth / 2) + Math.Max(Side, _into.Contains(Layers[^1]) && Staggered ? ModuleCentre(Layers[^1]) + (ModuleWidth / 2) - ResidualCentre(Layers[^1]) - (ResidualWidth / 2) + Side : 0);

    /// <summary>Centre of a node.</summary>
    public double Centre(FlowNode node) => GraphLayout.Column(node) % 2 == 1 ? ResidualCentre(node.Layer) : ModuleCentre(node.Layer);

    /// <summary>Width of a node's box.</summary>
    public double WidthOf(FlowNode node) => GraphLayout.Column(node) % 2 == 1 ? ResidualWidth : ModuleWidth;

    /// <summary>Lines of description of a lane's boxes.</summary>
    public int LinesOf(Lane lane) => lane == Lane.Residual ? ResidualLines : ModuleLines;

    /// <summary>Height of a lane's boxes.</summary>
    public double HeightOf(Lane lane) => 24 + (12 * LinesOf(lane));

    /// <summary>Centre of a layer's residual column.</summary>
    public double ResidualCentre(int layer) => _first + (Pitch * Array.IndexOf(Layers, layer));

    /// <summary>Centre of a layer's module column.</summary>
    public double ModuleCentre(int layer)
    {
        var centre = ResidualCentre(layer);
        return Staggered && _into.Contains(layer)
            ? centre - Pitch + (ResidualWidth / 2) + _room + (ModuleWidth / 2)
            : centre - (ResidualWidth / 2) - _room - (ModuleWidth / 2);
    }

    /// <summary>True when a layer's modules continue residual features of the layer below (forward graphs) and lead into none.</summary>
    public bool Follows(int layer) => _into.Contains(layer);

    /// <summary>Where a layer begins in the residual lane and in the module lanes; the same when not staggered.</summary>
    public (double Residual, double Modules) Begin(int layer)
    {
        if (!Staggered) return (ResidualCentre(layer) + (ResidualWidth / 2) + Side - Pitch, ResidualCentre(layer) + (ResidualWidth / 2) + Side - Pitch);
        return (ResidualCentre(layer) - (Pitch / 2), ModuleWidth == 0 ? ResidualCentre(layer) - (Pitch / 2) : ModuleCentre(layer) - (ModuleWidth / 2) - (ModuleGap / 2));
    }

    private static int TextLines(int most) => most <= 2 ? 3 : most <= 4 ? 2 : most <= 8 ? 1 : 0;
}
