using System.Text.Json;

namespace FeatureFlow.Experiments.Tests.Graphs;

/// <summary>What Neuronpedia's graph viewer asks of a file: its required members, and what its code relies on beyond them.</summary>
public sealed class AttributionJsonTests
{
    private static readonly (string Member, JsonValueKind Kind)[] Node =
    [
        ("node_id", JsonValueKind.String), ("feature", JsonValueKind.Number), ("layer", JsonValueKind.String), ("ctx_idx", JsonValueKind.Number),
        ("feature_type", JsonValueKind.String), ("jsNodeId", JsonValueKind.String), ("clerp", JsonValueKind.String),
    ];

    public static TheoryData<int> Graphs => [0, 1, 2, 3];

    private static Flow.FlowGraph Graph(int which) => which switch { 0 => TestGraphs.Golden[4], 1 => TestGraphs.AwkwardText, 2 => TestGraphs.Made(300), _ => TestGraphs.Made(60, 12, 2, true, Flow.FlowDirection.Both) };

    [Theory, MemberData(nameof(Graphs))]
    public void Has_every_required_member(int which)
    {
        using var document = JsonDocument.Parse(GraphFile.Render(Graph(which), GraphFormat.Attribution));
        var root = document.RootElement;
        var metadata = root.GetProperty("metadata");
        Assert.All(["slug", "scan", "prompt"], name => Assert.False(string.IsNullOrEmpty(metadata.GetProperty(name).GetString())));
        Assert.All(metadata.GetProperty("prompt_tokens").EnumerateArray(), t => Assert.Equal(JsonValueKind.String, t.ValueKind));
        Assert.Equal(JsonValueKind.Object, root.GetProperty("qParams").ValueKind);
        Assert.All(root.GetProperty("nodes").EnumerateArray(), n => Assert.All(Node, m => Assert.Equal(m.Kind, n.GetProperty(m.Member).ValueKind)));
        Assert.All(root.GetProperty("links").EnumerateArray(), l =>
        {
            Assert.Equal((JsonValueKind.String, JsonValueKind.String), (l.GetProperty("source").ValueKind, l.GetProperty("target").ValueKind));
            Assert.InRange(l.GetProperty("weight").GetDouble(), -1, 1);
        });
        Assert.Equal((Graph(which).Nodes.Count, Graph(which).Edges.Count), (root.GetProperty("nodes").GetArrayLength(), root.GetProperty("links").GetArrayLength()));
    }

    [Theory, MemberData(nameof(Graphs))]
    public void Ids_are_unique_links_and_pins_resolve_and_columns_exist(int which)
    {
        using var document = JsonDocument.Parse(GraphFile.Render(Graph(which), GraphFormat.Attribution));
        var root = document.RootElement;
        var nodes = root.GetProperty("nodes").EnumerateArray().ToList();
        var ids = nodes.Select(n => n.GetProperty("node_id").GetString()!).ToHashSet();
        Assert.Equal(nodes.Count, ids.Count);
        Assert.Equal(nodes.Count, nodes.Select(n => $"{n.GetProperty("layer")}_{n.GetProperty("feature")}_{n.GetProperty("ctx_idx")}").Distinct().Count());
        Assert.All(root.GetProperty("links").EnumerateArray(), l => Assert.True(ids.Contains(l.GetProperty("source").GetString()!) && ids.Contains(l.GetProperty("target").GetString()!)));
        Assert.Contains(root.GetProperty("qParams").GetProperty("clickedId").GetString()!, ids);
        var tokens = root.GetProperty("metadata").GetProperty("prompt_tokens").GetArrayLength();
        Assert.All(nodes, n => Assert.InRange(n.GetProperty("ctx_idx").GetInt32(), 0, tokens - 1));
    }

    [Fact]
    public void Feature_is_the_Cantor_pairing_that_the_viewer_undoes()
    {
        using var document = JsonDocument.Parse(GraphFile.Render(TestGraphs.Made(300), GraphFormat.Attribution));
        var nodes = document.RootElement.GetProperty("nodes").EnumerateArray();
        foreach (var (json, node) in nodes.Zip(TestGraphs.Made(300).Nodes))
        {
            var value = json.GetProperty("feature").GetInt64();
            var w = Math.Floor((Math.Sqrt((8 * value) + 1) - 1) / 2); // in doubles, as a browser does it
            var index = value - (((w * w) + w) / 2);
            Assert.Equal((node.Index, node.Layer), ((int)index, (int)(w - index)));
        }
    }

    [Fact]
    public void No_node_is_given_the_page_of_another_feature()
    {
        using var with = JsonDocument.Parse(GraphFile.Render(TestGraphs.Made(60), GraphFormat.Attribution));
        var metadata = with.RootElement.GetProperty("metadata");
        Assert.Equal("gemma-2-2b", metadata.GetProperty("scan").GetString());
        Assert.Equal("gemmascope-res-16k", metadata.GetProperty("feature_details").GetProperty("neuronpedia_source_set").GetString());
        Assert.Equal("gemmascope-att-16k", metadata.GetProperty("feature_details").GetProperty("neuronpedia_lorsa_source_set").GetString());
        var tokens = metadata.GetProperty("prompt_tokens").EnumerateArray().Select(t => t.GetString()!).ToArray();
        var types = with.RootElement.GetProperty("nodes").EnumerateArray().Select(n => (tokens[n.GetProperty("ctx_idx").GetInt32()], n.GetProperty("feature_type").GetString())).Distinct().Order();
        Assert.Equal([("att", "lorsa"), ("mlp", "unknown"), ("res", "cross layer transcoder")], types);

        using var without = JsonDocument.Parse(GraphFile.Render(TestGraphs.Golden[0], GraphFormat.Attribution));
        Assert.False(without.RootElement.GetProperty("metadata").TryGetProperty("feature_details", out _));
        Assert.All(without.RootElement.GetProperty("nodes").EnumerateArray(), n => Assert.Equal("cross layer transcoder", n.GetProperty("feature_type").GetString()));
    }
}
