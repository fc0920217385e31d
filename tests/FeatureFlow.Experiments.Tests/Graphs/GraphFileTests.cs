using System.Xml.Linq;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

public sealed class GraphFileTests
{
    [Theory]
    [InlineData("g.json", GraphFormat.Json)]
    [InlineData("g.attribution.json", GraphFormat.Attribution)]
    [InlineData("a.b/G.SVG", GraphFormat.Svg)]
    [InlineData("g.gv", GraphFormat.Dot)]
    [InlineData("g.mmd", GraphFormat.Mermaid)]
    [InlineData("g.graphml", GraphFormat.GraphMl)]
    [InlineData("g.csv", GraphFormat.Csv)]
    public void The_ending_names_the_format(string path, GraphFormat format) => Assert.Equal(format, GraphFormats.Of(path));

    [Theory]
    [InlineData("graph")]
    [InlineData("graph.png")]
    [InlineData("json")]
    public void Another_ending_is_refused_with_those_there_are(string path)
    {
        var error = Assert.Throws<FeatureFlowException>(() => GraphFormats.Of(path));
        Assert.Equal(("FF5070", FailureKind.Usage), (error.Code, error.Kind));
        Assert.Contains(".attribution.json, .json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Writes_by_ending_or_by_format_without_a_byte_order_mark()
    {
        using var folder = new TempFolder();
        var graph = TestGraphs.Golden[0];
        foreach (var extension in GraphFormats.Extensions)
        {
            GraphFile.Write(graph, folder.File("g" + extension));
            var bytes = File.ReadAllBytes(folder.File("g" + extension));
            Assert.NotEqual(0xEF, bytes[0]);
            Assert.Equal((byte)'\n', bytes[^1]);
            Assert.DoesNotContain((byte)'\r', bytes);
        }

        GraphFile.Write(graph, folder.File("plain.txt"), GraphFormat.Dot);
        Assert.StartsWith("digraph", File.ReadAllText(folder.File("plain.txt")), StringComparison.Ordinal);
        Assert.Equal(graph.Nodes, GraphJson.Read(folder.File("g.json")).Nodes);
    }

    [Fact]
    public void Several_graphs_go_where_there_is_room()
    {
        var graphs = TestGraphs.Golden;
        Assert.Equal(graphs.Sum(g => g.Edges.Count) + 1, GraphFile.Render(graphs, GraphFormat.Csv).Count(c => c == '\n'));
        Assert.Equal(graphs.Count, GraphJson.Parse(GraphFile.Render(graphs, GraphFormat.Json), "x").Count);
        Assert.Equal("FF5071", Assert.Throws<FeatureFlowException>(() => GraphFile.Render(graphs, GraphFormat.Svg)).Code);
        Assert.Equal(GraphFile.Render(graphs[0], GraphFormat.Svg), GraphFile.Render([graphs[0]], GraphFormat.Svg));
    }

    [Fact]
    public void GraphML_keeps_every_value_and_every_text_that_XML_can_hold()
    {
        var graph = TestGraphs.AwkwardText;
        XNamespace ns = "http://graphml.graphdrawing.org/xmlns";
        var xml = XDocument.Parse(GraphFile.Render(graph, GraphFormat.GraphMl), LoadOptions.PreserveWhitespace);
        var keys = xml.Descendants(ns + "key").Select(k => k.Attribute("id")!.Value).ToHashSet();
        Assert.All(xml.Descendants(ns + "data"), d => Assert.Contains(d.Attribute("key")!.Value, keys));
        string? Data(XElement e, string key) => e.Elements(ns + "data").SingleOrDefault(d => d.Attribute("key")!.Value == key)?.Value;
        foreach (var (e, n) in xml.Descendants(ns + "node").Zip(graph.Nodes))
        {
            Assert.Equal((n.Id, n.Norm), (e.Attribute("id")!.Value, double.Parse(Data(e, "node_norm")!, System.Globalization.CultureInfo.InvariantCulture)));
            Assert.Equal(n.ScoreRes is null, Data(e, "node_s_res") is null);
            if (!n.Description!.Any(char.IsControl) && !n.Description!.Contains("lone", StringComparison.Ordinal)) Assert.Equal(n.Description, Data(e, "node_description"));
        }

        Assert.Equal(graph.Edges.Select(e => (e.Predecessor, e.Target)), xml.Descendants(ns + "edge").Select(e => (e.Attribute("source")!.Value, e.Attribute("target")!.Value)));
    }

    [Fact]
    public void Svg_is_XML_with_title_description_and_every_node_and_edge()
    {
        var graph = TestGraphs.AwkwardText;
        XNamespace ns = "http://www.w3.org/2000/svg";
        var svg = XDocument.Parse(GraphFile.Render(graph, GraphFormat.Svg)).Root!;
        Assert.Equal("img", svg.Attribute("role")!.Value);
        var named = svg.Attribute("aria-labelledby")!.Value.Split(' ');
        Assert.Equal([ns + "title", ns + "desc"], named.Select(id => svg.Elements().Single(e => e.Attribute("id")?.Value == id).Name));
        Assert.Equal(graph.Edges.Count, svg.Descendants(ns + "path").Count(p => p.Attribute("class")?.Value.StartsWith("e ", StringComparison.Ordinal) == true));
        Assert.Equal(graph.Nodes.Select(n => GraphCaption.Of(n, n.Id == graph.Seed)), svg.Descendants(ns + "g").Where(g => g.Attribute("class")?.Value == "nodes").Elements().Select(g => g.Element(ns + "title")!.Value));
        Assert.Equal(1, svg.Descendants(ns + "g").Where(g => g.Attribute("class")?.Value == "nodes").Descendants().Count(e => e.Attribute("class")?.Value == "ring"));
        Assert.Contains(graph.SpanStart + "–" + graph.SpanEnd, svg.Value, StringComparison.Ordinal);
        Assert.Contains("at least 0.5 (res), 0.15 (mlp), 0.15 (att)", svg.Value, StringComparison.Ordinal);
        Assert.DoesNotContain("http", svg.ToString().Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void Thresholds_of_single_layers_are_in_the_caption()
    {
        var graph = TestGraphs.Golden[0] with { Options = new() { Thresholds = new(-1, -1, -1) } };
        Assert.Equal("Flow runs left to right; every match is kept.", GraphCaption.Cuts(graph));
        graph = graph with { Options = new() { LayerThresholds = new Dictionary<int, Flow.Thresholds> { [3] = new(0.6, 0.2, 0.1) } } };
        Assert.EndsWith("0.15 (att); layer 3 0.6/0.2/0.1.", GraphCaption.Cuts(graph), StringComparison.Ordinal);
    }
}
