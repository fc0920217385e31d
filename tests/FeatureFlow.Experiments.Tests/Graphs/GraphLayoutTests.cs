using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Tests.Graphs;

public sealed class GraphLayoutTests
{
    public static TheoryData<string> Names => [.. All.Keys];

    private static Dictionary<string, FlowGraph> All { get; } = new()
    {
        ["golden 0"] = TestGraphs.Golden[0], ["golden 4"] = TestGraphs.Golden[4], ["golden 5"] = TestGraphs.Golden[5], ["golden 3"] = TestGraphs.Golden[3],
        ["awkward"] = TestGraphs.AwkwardText, ["400"] = TestGraphs.Made(400), ["400 bare"] = TestGraphs.Made(400, described: false), ["chain"] = TestGraphs.Made(78, 26, 1),
        ["chain both"] = TestGraphs.Made(78, 26, 1, true, FlowDirection.Both), ["forward"] = TestGraphs.Made(200, 26, 2, true, FlowDirection.Forward), ["both"] = TestGraphs.Made(150, 12, 3, false, FlowDirection.Both),
    };

    [Theory, MemberData(nameof(Names))]
    public void Boxes_do_not_overlap_and_edges_run_left_to_right(string name)
    {
        var graph = All[name];
        var layout = GraphLayout.Of(graph);
        var boxes = graph.Nodes.Select((n, i) => (X: layout.X[i], Y: layout.Y[i], W: layout.Columns.WidthOf(n), H: layout.Columns.HeightOf(GraphPalette.Lane(n.Site)))).ToArray();
        for (var a = 0; a < boxes.Length; a++)
        {
            Assert.InRange(boxes[a].X - (boxes[a].W / 2), 90, double.MaxValue); // the names of lanes stand left of this
            Assert.InRange(boxes[a].Y, boxes[a].H / 2, layout.Height - (boxes[a].H / 2));
            for (var b = a + 1; b < boxes.Length; b++)
            {
                var apart = Math.Abs(boxes[a].X - boxes[b].X) >= ((boxes[a].W + boxes[b].W) / 2) + 6 || Math.Abs(boxes[a].Y - boxes[b].Y) >= ((boxes[a].H + boxes[b].H) / 2) + 6;
                Assert.True(apart, $"{graph.Nodes[a].Id} and {graph.Nodes[b].Id}");
            }
        }

        Assert.All(graph.Edges, e => Assert.True(Right(layout, e.Predecessor) + 25 < Left(layout, e.Target), $"{e.Predecessor} to {e.Target}"));
    }

    [Fact]
    public void Ordering_takes_crossings_away()
    {
        var graph = TestGraphs.Made(400);
        var layout = GraphLayout.Of(graph);
        var sorted = layout.Crossings();
        // the order that the file has: by index
        foreach (var cell in graph.Nodes.Select((n, i) => (n, i)).GroupBy(p => (GraphLayout.Column(p.n), GraphPalette.Lane(p.n.Site))))
        {
            var ys = cell.Select(p => layout.Y[p.i]).Order().ToArray();
            foreach (var ((_, i), y) in cell.Zip(ys)) layout.Y[i] = y;
        }

        // many crossings of a made-up graph cannot be avoided: its edges were drawn by lot
        Assert.True(sorted < 0.75 * layout.Crossings(), $"{sorted} against {layout.Crossings()}");
    }

    [Fact]
    public void Crossings_are_counted_as_by_hand()
    {
        var graph = TestGraphs.Made(400);
        var layout = GraphLayout.Of(graph);
        var links = graph.Edges.Select(e => (From: layout.NumberOf(e.Predecessor), To: layout.NumberOf(e.Target))).ToArray();
        var crossings = links.SelectMany((a, i) => links.Skip(i + 1).Select(b => (a, b))).Count(p =>
            Columns(p.a) == Columns(p.b) && (layout.Y[p.a.From] - layout.Y[p.b.From]) * (layout.Y[p.a.To] - layout.Y[p.b.To]) < 0);
        Assert.InRange(layout.Crossings(), crossings, crossings + 0.9);

        (int, int) Columns((int From, int To) link) => (GraphLayout.Column(graph.Nodes[link.From]), GraphLayout.Column(graph.Nodes[link.To]));
    }

    [Fact]
    public void Isotonic_keeps_the_gap_and_moves_least()
    {
        double[] values = [5, 5, 0, 30];
        GraphLayout.Isotonic(values, 2);
        // 5, 5, 0 pooled: mean of 5, 3, -4 is 4/3
        Assert.Equal([4 / 3.0, 10 / 3.0, 16 / 3.0, 30], values, (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void A_single_node_is_a_graph_too()
    {
        var node = new FlowNode { Id = "7/mlp/3", Layer = 7, Site = "mlp", Index = 3 };
        var graph = TestGraphs.Golden[0] with { Seed = node.Id, Nodes = [node], Edges = [], SpanStart = 7, SpanEnd = 7 };
        foreach (var format in Enum.GetValues<GraphFormat>()) Assert.NotEmpty(GraphFile.Render(graph, format));
    }

    [Fact]
    public void Other_sites_have_a_lane()
    {
        FlowNode Node(string site) => new() { Id = $"1/{site}/3", Layer = 1, Site = site, Index = 3 };
        var graph = TestGraphs.Golden[0] with { Seed = "1/res/3", Nodes = [Node("res"), Node("att_z"), Node("res_pre"), Node("tc")], Edges = [new("1/res/3", "1/res_pre/3", 0.5, "res_pre")] };
        var layout = GraphLayout.Of(graph);
        Assert.True(layout.Y[1] < layout.Y[0] && layout.Y[0] < layout.Y[3]);
        Assert.True(layout.X[2] < layout.X[0]);
    }

    private static double Left(GraphLayout layout, string id) => layout.X[layout.NumberOf(id)] - (layout.Columns.WidthOf(layout.Nodes[layout.NumberOf(id)]) / 2);

    private static double Right(GraphLayout layout, string id) => layout.X[layout.NumberOf(id)] + (layout.Columns.WidthOf(layout.Nodes[layout.NumberOf(id)]) / 2);
}
