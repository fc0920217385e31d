using FeatureFlow.Flow;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

/// <summary>The picture that the README shows is a real one: a feature of examples/stories260k, as this version draws it.</summary>
public sealed class ReadmePictureTests
{
    [Fact]
    public void Is_what_the_example_pack_gives()
    {
        var options = new FlowGraphOptions { Top = 2, Thresholds = new(0.5, 0.4, 0.4) };
        var graph = FlowGraphBuilder.Build(Session.Open(Repository.Example("stories260k")), new FeatureId(4, Site.Res, 308), options);
        // the last digits of a sum are a matter of the processor, the picture is not
        graph = graph with { Edges = [.. graph.Edges.Select(e => e with { Similarity = Math.Round(e.Similarity, 4) })] };
        Golden.CheckFile(Path.Combine(Repository.Root, "docs", "images", "flow-graph.svg"), GraphFile.Render(graph, GraphFormat.Svg));
    }
}
