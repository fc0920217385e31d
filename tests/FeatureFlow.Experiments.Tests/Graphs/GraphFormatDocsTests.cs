using System.Text.Json;
using System.Text.RegularExpressions;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

/// <summary>docs/graph-format.md names everything that files hold.</summary>
public sealed class GraphFormatDocsTests
{
    private static readonly string Docs = File.ReadAllText(Path.Combine(Repository.Root, "docs", "graph-format.md"));

    [Fact]
    public void Names_every_member_of_the_schema()
    {
        using var schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "docs", "schemas", "graph.schema.json")));
        var definitions = schema.RootElement.GetProperty("$defs");
        foreach (var name in new[] { "graph", "generator", "thresholds", "node", "edge" }.SelectMany(d => definitions.GetProperty(d).GetProperty("properties").EnumerateObject().Select(p => p.Name))) Named(name);
    }

    [Fact]
    public void Names_every_column_key_and_ending()
    {
        foreach (var column in GraphFile.Render(TestGraphs.Golden[0], GraphFormat.Csv).Split('\n')[0].Split(',')) Named(column);
        foreach (Match key in Regex.Matches(GraphFile.Render(TestGraphs.Golden[0], GraphFormat.GraphMl), "attr.name=\"([^\"]+)\"")) Named(key.Groups[1].Value);
        foreach (var extension in GraphFormats.Extensions) Named(extension);
        using var attribution = JsonDocument.Parse(GraphFile.Render(TestGraphs.Made(60), GraphFormat.Attribution));
        foreach (var member in attribution.RootElement.GetProperty("nodes")[0].EnumerateObject()) Assert.Matches($@"`(nodes\[\]\.)?{member.Name}`", Docs);
        foreach (var member in attribution.RootElement.GetProperty("metadata").EnumerateObject().Where(m => m.Name is not ("schema_version" or "info"))) Named($"metadata.{member.Name}");
        Assert.Contains(FormattableString.Invariant($"Above {GraphReport.MostNodes:N0} nodes or {GraphReport.MostEdges:N0} edges"), Docs, StringComparison.Ordinal);
    }

    [Fact]
    public void Its_example_is_a_graph_by_the_schema()
    {
        var example = Regex.Match(Docs, "```json\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        using var schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "docs", "schemas", "graph.schema.json")));
        using var document = JsonDocument.Parse(example);
        Assert.Empty(JsonShape.Problems(schema.RootElement, document.RootElement));
    }

    private static void Named(string name) => Assert.Contains($"`{name}`", Docs, StringComparison.Ordinal);
}
