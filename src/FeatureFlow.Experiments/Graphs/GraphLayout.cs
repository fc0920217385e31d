using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>
/// Where everything of a flow graph goes. Plain arithmetic, no search that depends on time or chance:
/// 1. every layer has two columns, modules left, residual right, so that all edges run left to right (<see cref="GraphColumns"/>);
/// 2. attention lies above the residual lane, MLP below it;
/// 3. the order inside a cell follows the mean height of its neighbours (barycenter sweeps; the sweep with the fewest crossings wins);
/// 4. residual nodes then move towards their neighbours as far as order and spacing allow (isotonic regression), which straightens paths.
/// Coordinates are pixels, y grows downwards, a node's place is its centre.
/// </summary>
internal sealed class GraphLayout
{
    private const double LanePad = 18;
    private const int Sweeps = 12;

    private readonly Dictionary<string, int> _number;
    private readonly (int From, int To, double Weight)[][] _gaps; // links, predecessor to target by node number, of the same two columns
    private readonly List<(int Node, double Weight)>[] _left, _right;
    private readonly SortedDictionary<(int Column, Lane Lane), int[]> _cells = [];
    private readonly int[] _most = new int[3]; // nodes in the fullest cell of each lane
    private double _reach; // residual nodes lie within this of the lane's middle, which is y = 0 until the end

    private GraphLayout(FlowGraph graph)
    {
        Nodes = graph.Nodes;
        _number = Nodes.Select((n, i) => (n.Id, i)).ToDictionary(p => p.Id, p => p.i, StringComparer.Ordinal);
        (int From, int To, double Weight)[] links = [.. graph.Edges.Select(e => (_number[e.Predecessor], _number[e.Target], Math.Max(0.05, e.Similarity)))];
        _gaps = [.. links.GroupBy(l => (Column(Nodes[l.From]), Column(Nodes[l.To]))).Select(g => g.ToArray())];
        _left = [.. Nodes.Select(_ => new List<(int, double)>())];
        _right = [.. Nodes.Select(_ => new List<(int, double)>())];
        foreach (var (from, to, weight) in links)
        {
            _left[to].Add((from, weight));
            _right[from].Add((to, weight));
        }

        foreach (var cell in Enumerable.Range(0, Nodes.Count).GroupBy(i => (Column(Nodes[i]), GraphPalette.Lane(Nodes[i].Site)))) _cells[cell.Key] = [.. cell];
        foreach (var (key, cell) in _cells) _most[(int)key.Lane] = Math.Max(_most[(int)key.Lane], cell.Length);
        Columns = new GraphColumns(graph, Math.Max(_most[0], _most[2]), _most[1]);
        X = [.. Nodes.Select(Columns.Centre)];
        Y = new double[Nodes.Count];
        _reach = (_most[1] - 1) / 2.0 * Pitch(Lane.Residual);
        Rows();
    }

    public IReadOnlyList<FlowNode> Nodes { get; }

    /// <summary>The horizontal half of the layout, and the sizes of boxes.</summary>
    public GraphColumns Columns { get; }

    /// <summary>Centres.</summary>
    public double[] X { get; }

    /// <summary>Centres.</summary>
    public double[] Y { get; }

    /// <summary>Top and height of each lane, 0 high when no node is in it, in the order of <see cref="Lane"/>.</summary>
    public (double Top, double Height)[] Lanes { get; } = new (double, double)[3];

    /// <summary>Lowest point of the lanes, with the top of the highest at 0.</summary>
    public double Height { get; private set; }

    /// <summary>Whether no two nodes of a lane stand above each other.</summary>
    public bool IsSingle(Lane lane) => _most[(int)lane] <= 1;

    /// <summary>Lays a graph out.</summary>
    public static GraphLayout Of(FlowGraph graph) => new(graph);

    /// <summary>The column of a node: two a layer, modules (and the layer's input) first, then its output.</summary>
    public static int Column(FlowNode node) => (2 * node.Layer) + (node.Site == "res" ? 1 : 0);

    /// <summary>The number of the node with an id.</summary>
    public int NumberOf(string id) => _number[id];

    private double Pitch(Lane lane) => Columns.HeightOf(lane) + 10;

    // from the middle of the outermost residual node to that of the innermost module
    private double LaneStep(Lane lane) => ((Columns.HeightOf(Lane.Residual) + Columns.HeightOf(lane)) / 2) + (2 * LanePad) + Columns.LaneHead;

    private void Rows()
    {
        foreach (var (key, cell) in _cells) Stack(key, cell);
        var best = double.PositiveInfinity;
        var (bestY, bestCells) = (Y, _cells.ToArray());
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var rightwards = sweep % 2 == 0;
            foreach (var (key, cell) in rightwards ? _cells.ToArray() : [.. _cells.Reverse()])
            {
                Sort(key, cell, rightwards ? _left : _right);
                Straighten(key, _cells[key]);
            }

            var cost = Crossings();
            if (cost < best) (best, bestY, bestCells) = (cost, [.. Y], _cells.ToArray());
        }

        foreach (var (key, cell) in bestCells) _cells[key] = cell;
        bestY.CopyTo(Y, 0);
        for (var pass = 0; pass < 4; pass++)
        {
            foreach (var (key, cell) in pass % 2 == 0 ? _cells : _cells.Reverse()) Straighten(key, cell);
        }

        Settle();
    }

    // one above the other: residual cells around the middle, modules against the residual lane
    private void Stack((int Column, Lane Lane) key, int[] cell)
    {
        var pitch = Pitch(key.Lane);
        var first = key.Lane switch
        {
            Lane.Residual => -(cell.Length - 1) / 2.0 * pitch,
            Lane.Attention => -_reach - LaneStep(key.Lane) - ((cell.Length - 1) * pitch),
            _ => _reach + LaneStep(key.Lane),
        };
        for (var i = 0; i < cell.Length; i++) Y[cell[i]] = first + (i * pitch);
    }

    private void Sort((int Column, Lane Lane) key, int[] cell, List<(int Node, double Weight)>[] neighbours)
    {
        if (cell.Length == 1) return;
        var wish = cell.ToDictionary(i => i, i => Mean(neighbours[i]) ?? Y[i]);
        Stack(key, _cells[key] = [.. cell.OrderBy(i => wish[i])]); // OrderBy is stable: equal wishes keep their order
    }

    private void Straighten((int Column, Lane Lane) key, int[] cell)
    {
        if (key.Lane != Lane.Residual) return;
        var pitch = Pitch(Lane.Residual);
        var wish = cell.Select(i => Mean(_left[i].Concat(_right[i]).Where(n => GraphPalette.Lane(Nodes[n.Node].Site) == Lane.Residual)) ?? Y[i]).ToArray();
        Isotonic(wish, pitch);
        for (var i = 0; i < cell.Length; i++) Y[cell[i]] = Math.Clamp(wish[i], -_reach + (i * pitch), Math.Max(-_reach + (i * pitch), _reach - ((cell.Length - 1 - i) * pitch)));
    }

    private double? Mean(IEnumerable<(int Node, double Weight)> neighbours)
    {
        double sum = 0, total = 0;
        foreach (var (node, weight) in neighbours)
        {
            sum += weight * Y[node];
            total += weight;
        }

        return total > 0 ? sum / total : null;
    }

    /// <summary>Moves values the least (sum of squares) so that each is at least <paramref name="gap"/> after the one before it.</summary>
    internal static void Isotonic(double[] values, double gap)
    {
        // pool adjacent violators on value − i·gap
        var blocks = new Stack<(double Sum, int Count)>();
        for (var i = 0; i < values.Length; i++)
        {
            var block = (Sum: values[i] - (i * gap), Count: 1);
            while (blocks.TryPeek(out var before) && before.Sum / before.Count > block.Sum / block.Count)
            {
                blocks.Pop();
                block = (before.Sum + block.Sum, before.Count + block.Count);
            }

            blocks.Push(block);
        }

        var at = values.Length;
        foreach (var (sum, count) in blocks)
        {
            for (var i = 0; i < count; i++) values[--at] = (sum / count) + (at * gap);
        }
    }

    /// <summary>Crossings between edges of the same two columns, plus a little of their length to choose among equals.</summary>
    internal double Crossings()
    {
        var cost = 0.0;
        foreach (var gap in _gaps) cost += Inversions(gap) + (1e-6 * gap.Sum(l => Math.Abs(Y[l.From] - Y[l.To])));
        return cost;
    }

    // links in the order of their left ends: each crosses those before it whose right end is lower in the picture (a Fenwick tree counts them)
    private long Inversions((int From, int To, double Weight)[] gap)
    {
        var ends = gap.Select(l => Y[l.To]).Distinct().Order().ToArray();
        var counts = new int[ends.Length + 1];
        var (crossings, before) = (0L, 0);
        foreach (var link in gap.OrderBy(l => Y[l.From]).ThenBy(l => Y[l.To]))
        {
            var rank = Array.BinarySearch(ends, Y[link.To]) + 1;
            var notLower = 0;
            for (var i = rank; i > 0; i &= i - 1) notLower += counts[i];
            crossings += before++ - notLower;
            for (var i = rank; i <= ends.Length; i += i & -i) counts[i]++;
        }

        return crossings;
    }

    // the middle line moves from 0 to where it belongs; lanes without nodes take no room
    private void Settle()
    {
        double HeightOf(Lane lane) => _most[(int)lane] == 0 ? 0 : Columns.HeightOf(lane) + (2 * LanePad) + ((_most[(int)lane] - 1) * Pitch(lane)) + (lane == Lane.Residual ? Columns.LaneHead : 0);
        foreach (var lane in Enum.GetValues<Lane>())
        {
            Lanes[(int)lane] = (Height, HeightOf(lane));
            Height += HeightOf(lane);
        }

        foreach (var (key, cell) in _cells)
        {
            var half = Columns.HeightOf(key.Lane) / 2;
            var shift = key.Lane switch
            {
                Lane.Residual => Lanes[1].Top + Columns.LaneHead + LanePad + half + _reach,
                Lane.Attention => Lanes[0].Height - LanePad - half + _reach + LaneStep(key.Lane),
                _ => Lanes[2].Top + LanePad + half - _reach - LaneStep(key.Lane),
            };
            foreach (var i in cell) Y[i] = Math.Round(Y[i] + shift, 1);
        }
    }
}
