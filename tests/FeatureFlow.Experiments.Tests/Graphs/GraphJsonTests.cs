using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

public sealed class GraphJsonTests
{
    [Fact]
    public void Reads_the_graphs_of_an_independent_implementation()
    {
        var graphs = GraphJson.ReadAll(Repository.Fixture("golden", "stories260k", "graphs.json"));
        Assert.Equal(["4/res/208", "4/res/344", "0/res/15", "2/res/484", "2/res/92", "4/res/159"], graphs.Select(g => g.Seed));
        var graph = graphs[4];
        Assert.Equal((FlowDirection.Both, 2, new Thresholds(0.57, 0.25, 0.25)), (graph.Options.Direction, graph.Options.Top, graph.Options.Thresholds));
        Assert.Equal((0, 4, 39, 42), (graph.SpanStart, graph.SpanEnd, graph.Nodes.Count, graph.Edges.Count));
        Assert.Equal(FeatureClass.C, graphs[0].Nodes[0].Class);
        Assert.Equal(new FlowEdge("0/res/258", "0/mlp/363", 0.3327158166855083, "mlp"), graphs[0].Edges[0]);
    }

    [Fact]
    public void Round_trips_number_for_number()
    {
        var made = TestGraphs.Made(120) with
        {
            Notes = ["a note with \"quotes\"", "second"],
            Options = new FlowGraphOptions
            {
                Direction = FlowDirection.Both, Top = 4, Thresholds = new(0.1 + 0.2, 1e-300, -1), ForwardModules = ForwardModules.Successor,
                LayerThresholds = new Dictionary<int, Thresholds> { [7] = new(1, 0.3, 0.2), [2] = new(double.Epsilon, 0, 0.25) },
            },
        };
        made = made with { Nodes = [made.Nodes[0] with { Norm = double.PositiveInfinity, Threshold = double.NaN }, .. made.Nodes.Skip(1)] };
        foreach (var graph in (FlowGraph[])[made, TestGraphs.Golden[0], TestGraphs.Golden[2], TestGraphs.Verified])
        {
            var back = Assert.Single(GraphJson.Parse(GraphJson.Render(graph), "x"));
            Same(graph, back);
            Assert.Equal(GraphJson.Render(graph), GraphJson.Render(back));
        }

        var all = GraphJson.Parse(GraphJson.Render([made, TestGraphs.Golden[1]]), "x");
        Same(made, all[0]);
        Same(TestGraphs.Golden[1], all[1]);
        Assert.Empty(GraphJson.Parse(GraphJson.Render([]), "x"));
    }

    [Fact]
    public void Text_comes_back_as_it_was_but_for_lone_surrogates()
    {
        var back = GraphJson.Parse(GraphJson.Render(TestGraphs.AwkwardText), "x")[0];
        Assert.Equal(TestGraphs.AwkwardText.Nodes.Select(n => n.Description!.Replace('\ud83d', '\ufffd').Replace("\ufffd\udc69", "\ud83d\udc69", StringComparison.Ordinal)).Where(d => !d.Contains('\ud83d', StringComparison.Ordinal) && !d.Contains('\ufffd', StringComparison.Ordinal)),
            back.Nodes.Select(n => n.Description!).Where(d => !d.Contains('\ud83d', StringComparison.Ordinal) && !d.Contains('\ufffd', StringComparison.Ordinal)));
        Assert.Contains(back.Nodes, n => n.Description == "lone surrogate \ufffd here");
        Assert.Contains(back.Nodes, n => n.Description == TestGraphs.Awkward[4]);
        Assert.Equal(TestGraphs.AwkwardText.Pack, back.Pack);
    }

    [Theory]
    [InlineData("", "FF5073")]
    [InlineData("null", "FF5073")]
    [InlineData("[]", "FF5073")]
    [InlineData("{", "FF5073")]
    [InlineData("{}", "FF5074")]
    [InlineData("""{"seed":"1/res/2","span":[1],"nodes":[],"edges":[]}""", "FF5074")]
    [InlineData("""{"seed":"1/res/2","span":[1,1],"nodes":[],"edges":[]}""", "FF5074")]
    [InlineData("""{"seed":"1/res/2","span":[1,1],"nodes":[null],"edges":[]}""", "FF5074")]
    [InlineData("""{"seed":"1/res/2","span":[1,1],"nodes":[{"id":"1/res/3","layer":1,"site":"res","index":2}],"edges":[]}""", "FF5074")]
    [InlineData("""{"seed":"1/res/2","span":[1,1],"nodes":[{"id":"1/res/2","layer":1,"site":"res","index":2},{"id":"1/res/2","layer":1,"site":"res","index":2}],"edges":[]}""", "FF5074")]
    [InlineData("""{"seed":"1/res/2","span":[1,1],"nodes":[{"id":"1/res/2","layer":1,"site":"res","index":2}],"edges":[{"target":"1/res/2","predecessor":"0/res/2","similarity":1,"kind":"res"}]}""", "FF5074")]
    [InlineData("""{"seed":"1/res/2","span":[1,1],"nodes":[{"id":"1/res/2","layer":"one","site":"res","index":2}],"edges":[]}""", "FF5073")]
    [InlineData("""{"seed":"1/res/2","direction":"sideways","span":[1,1],"nodes":[],"edges":[]}""", "FF5073")]
    [InlineData("""{"schema":"featureflow-graph/2","seed":"1/res/2"}""", "FF5075")]
    [InlineData("""{"seed":"1/res/2","span":[1,1],"nodes":[{"layer":1}],"edges":[]}""", "FF5073")]
    public void What_is_no_graph_is_refused_with_one_sentence(string text, string code)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("g.json"), text);
        var error = Assert.Throws<FeatureFlowException>(() => GraphJson.Read(folder.File("g.json")));
        Assert.Equal((code, FailureKind.Input, folder.File("g.json")), (error.Code, error.Kind, error.File));
        Assert.DoesNotContain("FeatureFlow.Experiments", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_says_where()
    {
        var error = Assert.Throws<FeatureFlowException>(() => GraphJson.Parse("{\n \"seed\": 3\n}", "g.json"));
        Assert.Equal("g.json(2,11): error FF5073: Not a flow graph in JSON: at $.seed; write it again with 'featureflow graph --out x.json'.", error.ToDiagnostic());
    }

    [Fact]
    public void A_missing_file_and_one_that_is_not_text()
    {
        using var folder = new TempFolder();
        Assert.Equal("FF5072", Assert.Throws<FeatureFlowException>(() => GraphJson.Read(folder.File("none.json"))).Code);
        File.WriteAllBytes(folder.File("bytes.json"), [0x7b, 0xff, 0xfe]);
        Assert.Equal("FF5072", Assert.Throws<FeatureFlowException>(() => GraphJson.Read(folder.File("bytes.json"))).Code);
    }

    [Fact]
    public void Several_graphs_are_not_one()
    {
        var error = Assert.Throws<FeatureFlowException>(() => GraphJson.Read(Repository.Fixture("golden", "stories260k", "graphs.json")));
        Assert.Equal("FF5074", error.Code);
    }

    [Fact]
    public void Follows_its_schema()
    {
        using var schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "docs", "schemas", "graph.schema.json")));
        FlowGraph[] graphs = [TestGraphs.Golden[0], TestGraphs.AwkwardText, TestGraphs.Made(100)];
        foreach (var text in graphs.Select(GraphJson.Render).Append(GraphJson.Render(graphs)))
        {
            using var document = JsonDocument.Parse(text);
            Assert.Empty(JsonShape.Problems(schema.RootElement, document.RootElement));
        }

        using var broken = JsonDocument.Parse(GraphJson.Render(graphs[0]).Replace("\"class\":\"B\"", "\"class\":\"E\"", StringComparison.Ordinal));
        Assert.NotEmpty(JsonShape.Problems(schema.RootElement, broken.RootElement));
    }

    private static void Same(FlowGraph a, FlowGraph b)
    {
        Assert.Equal(a.Nodes, b.Nodes);
        Assert.Equal(a.Edges, b.Edges);
        Assert.Equal(a.Notes, b.Notes);
        Assert.Equal(a.Options.LayerThresholds.OrderBy(p => p.Key), b.Options.LayerThresholds.OrderBy(p => p.Key));
        Assert.Equal(a.Options with { LayerThresholds = b.Options.LayerThresholds }, b.Options);
        Assert.Equal((a.PackName, a.Pack, a.Seed, a.SpanStart, a.SpanEnd), (b.PackName, b.Pack, b.Seed, b.SpanStart, b.SpanEnd));
    }
}
