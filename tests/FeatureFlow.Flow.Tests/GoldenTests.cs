using System.Text.Json;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>Agreement with the reference results of the example pack, computed and from an index, on one thread and on two.</summary>
public sealed class GoldenTests : IDisposable
{
    private const double Tolerance = 1e-7; // predecessors.csv has eight digits, graphs.json all

    private readonly TempFolder _folder = new();

    public static TheoryData<int, bool> Ways() => new() { { 1, false }, { 2, false }, { 2, true } };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Ways))]
    public void Predecessors_are_those_of_the_reference(int threads, bool indexed)
    {
        var pack = Open(threads, indexed);
        var golden = Stories.Golden("predecessors.csv");
        var targets = golden.Select(r => new FeatureId(r.Int("layer"), Site.Res, r.Int("index"))).Distinct().ToArray();
        Assert.Equal(200, targets.Length);

        var matches = PredecessorSearch.Find(pack, targets, 5).ToArray();
        Assert.Equal(targets, matches.Select(m => FeatureId.Parse(m.Feature)).Distinct());
        var found = matches.ToDictionary(m => (m.Layer, m.Index, m.SourceSite, m.Rank));
        Assert.Equal(golden.Count, found.Count);
        foreach (var row in golden)
        {
            var match = found[(row.Int("layer"), row.Int("index"), row["site"], row.Int("rank"))];
            Assert.Equal(row.Int("source_index"), match.SourceIndex);
            Assert.Equal(row["site"] == "res" ? match.Layer - 1 : match.Layer, match.SourceLayer);
            Assert.Equal(row.Number("cosine"), match.Similarity, Tolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Static_classes_are_counted_as_in_the_reference(int threads, bool indexed)
    {
        var counts = StaticClasses.Count(Open(threads, indexed), new Thresholds(0.5, 0.5, 0.5));
        Assert.Equal(
            Stories.Golden("classes.csv").Select(r => (r.Int("layer"), r["class"], r.Int("count"))),
            counts.Select(c => (c.Layer, c.Class.ToString(), c.Count)));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Flow_graphs_are_those_of_the_reference(int threads, bool indexed)
    {
        var pack = Open(threads, indexed);
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Repository.Fixture("golden", "stories260k", "graphs.json")));
        var expected = golden.RootElement.GetProperty("graphs").EnumerateArray().Concat(golden.RootElement.GetProperty("variants").EnumerateArray()).ToArray();
        Assert.Equal(9, expected.Length);
        foreach (var graph in expected) AssertSame(graph, FlowGraphBuilder.Build(pack, FeatureId.Parse(graph.GetProperty("seed").GetString()!), Options(graph)));
    }

    private static FlowGraphOptions Options(JsonElement graph) => new()
    {
        Direction = Enum.Parse<FlowDirection>(graph.GetProperty("direction").GetString()!, ignoreCase: true),
        Top = graph.GetProperty("k").GetInt32(),
        ForwardModules = Enum.Parse<ForwardModules>(graph.GetProperty("forward_modules").GetString()!, ignoreCase: true),
        Thresholds = new Thresholds(Threshold(graph, "res"), Threshold(graph, "mlp"), Threshold(graph, "att")),
    };

    private static double Threshold(JsonElement graph, string site) => graph.GetProperty("thresholds").GetProperty(site).GetDouble();

    private static void AssertSame(JsonElement expected, FlowGraph graph)
    {
        Assert.Equal(expected.GetProperty("span").EnumerateArray().Select(s => s.GetInt32()), [graph.SpanStart, graph.SpanEnd]);

        var nodes = expected.GetProperty("nodes").EnumerateArray().ToDictionary(n => n.GetProperty("id").GetString()!);
        Assert.Equal(nodes.Keys.Order(StringComparer.Ordinal), graph.Nodes.Select(n => n.Id).Order(StringComparer.Ordinal));
        foreach (var node in graph.Nodes)
        {
            var same = nodes[node.Id];
            Assert.Equal((same.GetProperty("layer").GetInt32(), same.GetProperty("site").GetString(), same.GetProperty("index").GetInt32()), (node.Layer, node.Site, node.Index));
            AssertSame(same.GetProperty("s_res"), node.ScoreRes);
            AssertSame(same.GetProperty("s_mlp"), node.ScoreMlp);
            AssertSame(same.GetProperty("s_att"), node.ScoreAtt);
            AssertSame(same.GetProperty("threshold"), node.Threshold);
            AssertSame(same.GetProperty("norm"), node.Norm);
            Assert.Equal(same.GetProperty("class").GetString(), node.Class?.ToString());
        }

        var edges = expected.GetProperty("edges").EnumerateArray().ToDictionary(e => (e.GetProperty("target").GetString()!, e.GetProperty("predecessor").GetString()!));
        Assert.Equal(edges.Keys.Order(), graph.Edges.Select(e => (e.Target, e.Predecessor)).Order());
        foreach (var edge in graph.Edges)
        {
            var same = edges[(edge.Target, edge.Predecessor)];
            Assert.Equal(same.GetProperty("kind").GetString(), edge.Kind);
            AssertSame(same.GetProperty("similarity"), edge.Similarity);
        }
    }

    private static void AssertSame(JsonElement expected, double? value)
    {
        Assert.Equal(expected.ValueKind == JsonValueKind.Null, value is null);
        if (value is { } v) Assert.Equal(expected.GetDouble(), v, Tolerance);
    }

    private OpenedPack Open(int threads, bool indexed)
    {
        var pack = Stories.Open(_folder, threads);
        if (!indexed) return pack;
        FlowIndex.Build(pack);
        pack = Stories.Open(_folder, pack.Engine);
        Assert.NotNull(pack.Index);
        return pack;
    }
}
