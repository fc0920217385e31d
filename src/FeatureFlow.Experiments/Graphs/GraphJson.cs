using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>
/// Our own JSON of a flow graph (docs/graph-format.md, docs/schemas/graph.schema.json): everything the graph holds, so that reading gives
/// the same graph back, number for number. One node and one edge a line, so that two graphs can be compared with a plain diff.
/// </summary>
public static class GraphJson
{
    /// <summary>Name and version of the form; the number changes when a reader of the old form would go wrong.</summary>
    public const string Schema = "featureflow-graph/1";

    private static readonly JsonSerializerOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // a file, not a page: descriptions stay readable
        RespectNullableAnnotations = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>The JSON of one graph.</summary>
    public static string Render(FlowGraph graph) => new StringBuilder().Append(Object(graph, indent: "")).Append('\n').ToString();

    /// <summary>The JSON of several: <c>{"schema", "generator", "graphs": [...]}</c>.</summary>
    public static string Render(IReadOnlyList<FlowGraph> graphs)
    {
        var text = new StringBuilder("{\n");
        text.Put($"  \"schema\": {Json(Schema)},\n  \"generator\": {Json(Generator.Current)},\n  \"graphs\": [");
        text.Append(string.Join(",", graphs.Select(g => "\n    " + Object(g, "    ")))).Append(graphs.Count == 0 ? "]" : "\n  ]");
        return text.Append("\n}\n").ToString();
    }

    /// <summary>Reads a file of one graph.</summary>
    /// <exception cref="FeatureFlowException">FF5072 unreadable, FF5073 not such JSON, FF5074 inconsistent, FF5075 a newer form.</exception>
    public static FlowGraph Read(string path) =>
        ReadAll(path) is [var one] ? one : throw ExperimentErrors.GraphInconsistent(path, "it holds several graphs, or none, where one is asked for");

    /// <summary>Reads a file of one or several graphs.</summary>
    /// <exception cref="FeatureFlowException">FF5072 unreadable, FF5073 not such JSON, FF5074 inconsistent, FF5075 a newer form.</exception>
    public static IReadOnlyList<FlowGraph> ReadAll(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException or ArgumentException)
        {
            throw ExperimentErrors.GraphUnreadable(path, e is DecoderFallbackException ? "it is not UTF-8" : e.Message.TrimEnd('.'), e);
        }

        return Parse(text, path);
    }

    /// <summary>Reads graphs from text; <paramref name="path"/> is what errors name.</summary>
    internal static IReadOnlyList<FlowGraph> Parse(string text, string path)
    {
        try
        {
            var document = JsonSerializer.Deserialize<GraphDocument>(text, Options) ?? throw new JsonException("the document is null", null, 0, 0);
            if (document.Schema is { } schema && schema != Schema) throw ExperimentErrors.GraphTooNew(path, schema, Schema);
            return document.Graphs is { } several ? [.. several.Select(g => ToGraph(g, path))] : [ToGraph(document, path)];
        }
        catch (JsonException e)
        {
            var place = e.Path is { Length: > 0 } p ? $"at {p}" : "it is damaged";
            throw ExperimentErrors.GraphNotJson(path, place, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1, e);
        }
    }

    private static string Object(FlowGraph graph, string indent)
    {
        var text = new StringBuilder("{");
        void Member(string name, string json) => text.Append(text.Length == 1 ? "\n" : ",\n").Put($"{indent}  \"{name}\": {json}");

        Member("schema", Json(Schema));
        Member("generator", Json(Generator.Current));
        Member("pack_name", Json(graph.PackName));
        Member("pack", Json(graph.Pack));
        Member("seed", Json(graph.Seed));
        Member("direction", Json(graph.Options.Direction));
        Member("k", Json(graph.Options.Top));
        Member("thresholds", Json(ThresholdsObject.Of(graph.Options.Thresholds)));
        if (graph.Options.LayerThresholds.Count > 0) Member("layer_thresholds", Json(LayerObject(graph.Options)));
        Member("forward_modules", Json(graph.Options.ForwardModules));
        Member("span", $"[{graph.SpanStart},{graph.SpanEnd}]");
        if (graph.MinimumEffect is { } least) Member("minimum_effect", Json(least));
        if (graph.Notes.Count > 0) Member("notes", Json(graph.Notes));
        Member("nodes", Lines(graph.Nodes.Select(NodeObject.Of), indent));
        Member("edges", Lines(graph.Edges.Select(EdgeObject.Of), indent));
        return text.Append('\n').Append(indent).Append('}').ToString();
    }

    private static SortedDictionary<int, ThresholdsObject> LayerObject(FlowGraphOptions options) =>
        new(options.LayerThresholds.ToDictionary(p => p.Key, p => ThresholdsObject.Of(p.Value)));

    private static string Lines<T>(IEnumerable<T> items, string indent)
    {
        var lines = string.Join(",", items.Select(i => $"\n{indent}    {Json(i)}"));
        return lines.Length == 0 ? "[]" : $"[{lines}\n{indent}  ]";
    }

    private static string Json<T>(T value) => JsonSerializer.Serialize(value, Options);

    private static FlowGraph ToGraph(GraphDocument g, string path)
    {
        if (g.Seed is null || g.Nodes is null || g.Edges is null || g.Span is not [var start, var end])
        {
            throw ExperimentErrors.GraphInconsistent(path, "seed, span, nodes or edges is missing");
        }

        if (g.Nodes.Contains(null!) || g.Edges.Contains(null!)) throw ExperimentErrors.GraphInconsistent(path, "a node or an edge is null");
        var ids = g.Nodes.Select(n => n.Id).ToHashSet(StringComparer.Ordinal);
        if (ids.Count != g.Nodes.Count) throw ExperimentErrors.GraphInconsistent(path, "two nodes have the same id");
        if (g.Nodes.FirstOrDefault(n => n.Id != $"{n.Layer}/{n.Site}/{n.Index}") is { } odd) throw ExperimentErrors.GraphInconsistent(path, $"the id {odd.Id} is not layer/site/index of its node");
        if (!ids.Contains(g.Seed)) throw ExperimentErrors.GraphInconsistent(path, $"the seed {g.Seed} is not among the nodes");
        if (g.Edges.FirstOrDefault(e => !ids.Contains(e.Target) || !ids.Contains(e.Predecessor)) is { } loose)
        {
            throw ExperimentErrors.GraphInconsistent(path, $"the edge {loose.Target} - {loose.Predecessor} has an end that is not among the nodes");
        }

        return new FlowGraph
        {
            PackName = g.PackName ?? "",
            Pack = g.Pack ?? "",
            Seed = g.Seed,
            Options = new FlowGraphOptions
            {
                Direction = g.Direction,
                Top = g.K,
                Thresholds = g.Thresholds?.Value ?? Thresholds.Default,
                LayerThresholds = g.LayerThresholds?.ToDictionary(p => p.Key, p => p.Value.Value) ?? [],
                ForwardModules = g.ForwardModules,
            },
            SpanStart = start,
            SpanEnd = end,
            Nodes = [.. g.Nodes.Select(n => n.Value)],
            Edges = [.. g.Edges.Select(e => e.Value)],
            MinimumEffect = g.MinimumEffect,
            Notes = g.Notes ?? [],
        };
    }
}
