using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments.Tests.Graphs;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Yaml;

/// <summary>The schemas for editors say what the reader says.</summary>
public sealed class SchemaTests
{
    private const string Experiment = "version: 1\nkind: flow-graph\npack: p\nseeds: [1/res/2]\n";

    [Fact]
    public void Examples_and_presets_follow_their_schemas()
    {
        Assert.Empty(Problems(JsonSchemas.Experiment, File.ReadAllText(Repository.Example("flow-graph.yaml"))));
        Assert.Empty(Problems(JsonSchemas.Experiment, File.ReadAllText(Repository.Example("sae-training.yaml"))));
        Assert.Empty(Problems(JsonSchemas.Pack, File.ReadAllText(Repository.Example("stories260k", "pack.yaml"))));
        Assert.All(PackFile.Presets, p => Assert.Empty(Problems(JsonSchemas.Pack, PackFile.PresetText(p))));
    }

    [Theory]
    [InlineData(Experiment, true)]
    [InlineData(Experiment + "top: 3\nthresholds: {res: 0.5}\nlayer_thresholds: {3: {mlp: 0.1}}\n", true)]
    [InlineData("version: 1\nkind: flow-graph\npack: p\nseeds: {layers: 0-4, count: 3}\n", true)]
    [InlineData("version: 1\nkind: flow-graph\npack: p\nseeds: 1/res/2\n", true)]
    [InlineData(Experiment + "topp: 3\n", false)]
    [InlineData(Experiment + "top: 0\n", false)]
    [InlineData(Experiment + "direction: up\n", false)]
    [InlineData(Experiment + "thresholds: {res: 2}\n", false)]
    [InlineData(Experiment + "layer_thresholds: {x: {mlp: 0.1}}\n", false)]
    [InlineData("version: 1\nkind: flow-graph\nseeds: [1/res/2]\n", false)]
    [InlineData("version: 1\nkind: flow-graph\npack: p\nseeds: [1-res-2]\n", false)]
    public void Reader_and_schema_agree(string yaml, bool good)
    {
        Assert.Equal(good, !Problems(JsonSchemas.Experiment, yaml).Any());
        var read = Record.Exception(() => new FlowGraphKind().Schema.ReadDocument(YamlTree.Read(yaml, "e.yaml")));
        Assert.Equal(good, read is null);
    }

    private static IEnumerable<string> Problems(string schema, string yaml)
    {
        using JsonDocument form = JsonDocument.Parse(schema), value = JsonDocument.Parse(Json(YamlTree.Read(yaml, "x.yaml"))?.ToJsonString() ?? "null");
        return [.. JsonShape.Problems(form.RootElement, value.RootElement)];
    }

    // as an editor's YAML server sees it
    private static JsonNode? Json(YamlNode node) => node switch
    {
        YamlMap map => new JsonObject(map.Entries.Select(e => KeyValuePair.Create(e.Key.Text, Json(e.Value)))),
        YamlList list => new JsonArray([.. list.Items.Select(Json)]),
        YamlScalar { IsNull: true } => null,
        YamlScalar { Quoted: false, Text: "true" or "false" } flag => flag.Text == "true",
        YamlScalar { Quoted: false } scalar when long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => whole,
        YamlScalar { Quoted: false } scalar when double.TryParse(scalar.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) => real,
        YamlScalar scalar => scalar.Text,
        _ => throw new ArgumentException(node.ToString()),
    };
}
