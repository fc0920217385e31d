using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

public sealed class GraphGoldenTests
{
    public static TheoryData<string, GraphFormat> Files => new()
    {
        { "json", GraphFormat.Json }, { "attribution.json", GraphFormat.Attribution }, { "svg", GraphFormat.Svg }, { "dot", GraphFormat.Dot },
        { "mmd", GraphFormat.Mermaid }, { "graphml", GraphFormat.GraphMl }, { "csv", GraphFormat.Csv },
    };

    [Theory, MemberData(nameof(Files))]
    public void A_branching_graph_in_both_directions(string extension, GraphFormat format) => Check("both-2", TestGraphs.Golden[4], extension, format);

    [Theory, MemberData(nameof(Files))]
    public void Edges_with_evidence(string extension, GraphFormat format) => Check("verified", TestGraphs.Verified, extension, format);

    [Theory, MemberData(nameof(Files))]
    public void Descriptions_with_everything_a_format_may_trip_over(string extension, GraphFormat format) => Check("awkward", TestGraphs.AwkwardText, extension, format);

    [Theory, InlineData("json", GraphFormat.Json), InlineData("csv", GraphFormat.Csv)]
    public void Several_graphs_in_one_file(string extension, GraphFormat format) => Check("several", [TestGraphs.Golden[2], TestGraphs.Golden[3]], extension, format);

    [Fact]
    public void Many_layers_are_staggered() => Check("chain", TestGraphs.Made(30, 26, 1), "svg", GraphFormat.Svg);

    [Fact]
    public void The_same_graph_gives_the_same_bytes_in_any_culture()
    {
        var before = Thread.CurrentThread.CurrentCulture;
        var graph = TestGraphs.Made(200);
        var formats = Enum.GetValues<GraphFormat>();
        var expected = formats.Select(f => GraphFile.Render(graph, f)).ToList();
        try
        {
            foreach (var culture in new[] { "de-DE", "fa-IR", "sv-SE", "tr-TR" })
            {
                Thread.CurrentThread.CurrentCulture = System.Globalization.CultureInfo.GetCultureInfo(culture);
                Assert.Equal(expected, formats.Select(f => GraphFile.Render(graph, f)));
            }
        }
        finally
        {
            Thread.CurrentThread.CurrentCulture = before;
        }
    }

    // the version moves with every release, the golden files should not
    private static void Check(string name, FlowGraph graph, string extension, GraphFormat format) => Check(name, [graph], extension, format);

    private static void Check(string name, IReadOnlyList<FlowGraph> graphs, string extension, GraphFormat format) =>
        Golden.Check($"FeatureFlow.Experiments/graphs/{name}.{extension}", GraphFile.Render(graphs, format).Replace($"\"{Generator.Current.Version}\"", "\"VERSION\"", StringComparison.Ordinal));
}
