using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>
/// The attribution-graph JSON that Neuronpedia's viewer reads (docs/graph-format.md says how a flow graph maps onto it). The viewer lays
/// nodes out by prompt token and layer; a flow graph has no prompt, so its columns are the sites. <c>feature</c> is the Cantor pairing of
/// layer and index, as schema version 1 has it; a link leads predecessor → target and weighs their cosine.
/// </summary>
internal static class AttributionJson
{
    private static readonly JsonWriterOptions Options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Render(FlowGraph graph)
    {
        var sites = graph.Nodes.Select(n => n.Site).Distinct().OrderBy(s => (GraphPalette.Lane(s), s)).ToList();
        var pages = NeuronpediaPages.Of(graph);
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            json.WriteStartObject();
            Metadata(json, graph, sites, pages);
            json.WriteStartObject("qParams");
            Strings(json, "pinnedIds", [NodeId(graph.Nodes.First(n => n.Id == graph.Seed), sites)]);
            Strings(json, "supernodes", []);
            json.WriteString("linkType", "both");
            json.WriteString("clickedId", NodeId(graph.Nodes.First(n => n.Id == graph.Seed), sites));
            json.WriteString("sg_pos", "");
            json.WriteEndObject();
            json.WriteStartArray("nodes");
            foreach (var node in graph.Nodes) Node(json, node, sites, pages);
            json.WriteEndArray();
            json.WriteStartArray("links");
            var ids = graph.Nodes.ToDictionary(n => n.Id, n => NodeId(n, sites), StringComparer.Ordinal);
            foreach (var edge in graph.Edges)
            {
                json.WriteStartObject();
                json.WriteString("source", ids[edge.Predecessor]);
                json.WriteString("target", ids[edge.Target]);
                json.WriteNumber("weight", edge.Similarity);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static void Metadata(Utf8JsonWriter json, FlowGraph graph, List<string> sites, NeuronpediaPages pages)
    {
        var options = graph.Options;
        json.WriteStartObject("metadata");
        json.WriteString("slug", $"flow-{graph.Seed.Replace('/', '-')}-{Name(options.Direction)}");
        json.WriteString("scan", pages.Model ?? graph.PackName);
        json.WriteNumber("schema_version", 1);
        Strings(json, "prompt_tokens", sites);
        json.WriteString("prompt", $"Flow graph of {graph.Seed}: columns are sites, a link's weight is the cosine similarity of decoder embeddings");
        if (pages.Residual is not null)
        {
            json.WriteStartObject("feature_details");
            json.WriteString("neuronpedia_source_set", pages.Residual);
            if (pages.Attention is not null) json.WriteString("neuronpedia_lorsa_source_set", pages.Attention);
            json.WriteEndObject();
        }

        json.WriteStartObject("info");
        json.WriteString("description", $"Feature flow graph of pack {graph.PackName}, similarity span {graph.SpanStart} to {graph.SpanEnd}");
        json.WriteStartObject("generator");
        json.WriteString("name", Generator.Current.Name);
        json.WriteString("version", Generator.Current.Version);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject("generation_settings");
        json.WriteString("direction", Name(options.Direction));
        json.WriteNumber("k", options.Top);
        json.WriteString("forward_modules", Name(options.ForwardModules));
        json.WriteEndObject();
        json.WriteStartObject("pruning_settings");
        json.WriteNumber("t_res", options.Thresholds.Res);
        json.WriteNumber("t_mlp", options.Thresholds.Mlp);
        json.WriteNumber("t_att", options.Thresholds.Att);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Node(Utf8JsonWriter json, FlowNode node, List<string> sites, NeuronpediaPages pages)
    {
        json.WriteStartObject();
        json.WriteString("node_id", NodeId(node, sites));
        json.WriteNumber("feature", Cantor(node.Layer, node.Index));
        json.WriteString("layer", node.Layer.ToString(CultureInfo.InvariantCulture));
        json.WriteNumber("ctx_idx", sites.IndexOf(node.Site));
        json.WriteString("feature_type", pages.FeatureType(node));
        json.WriteString("jsNodeId", NodeId(node, sites));
        json.WriteString("clerp", node.Description is { Length: > 0 } d ? $"{node.Id}: {GraphText.OneLine(d)}" : node.Id);
        json.WriteEndObject();
    }

    private static void Strings(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }

    // layer_feature_position, the viewer's own form
    private static string NodeId(FlowNode node, List<string> sites) => $"{node.Layer}_{Cantor(node.Layer, node.Index)}_{sites.IndexOf(node.Site)}";

    private static long Cantor(long layer, long index) => ((layer + index) * (layer + index + 1) / 2) + index;

    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}

/// <summary>
/// What the viewer may be told about dashboards. It knows one source set for all nodes and a second for nodes of type <c>lorsa</c>; we
/// give it those of the residual and attention SAEs. A node of another set would be shown with the page of a different feature, so it
/// is marked <c>unknown</c>, which the viewer draws without a page.
/// </summary>
internal sealed record NeuronpediaPages(string? Model, string? Residual, string? Attention)
{
    public static NeuronpediaPages Of(FlowGraph graph)
    {
        var residual = Common(graph, Lane.Residual);
        var attention = Common(graph, Lane.Attention);
        return new(residual?.Model ?? attention?.Model, residual?.Set, residual is null || attention?.Model != residual?.Model ? null : attention?.Set);
    }

    public string FeatureType(FlowNode node) => (GraphPalette.Lane(node.Site), Residual, Attention) switch
    {
        (_, null, _) or (Lane.Residual, _, _) => "cross layer transcoder", // the viewer's ordinary node
        (Lane.Attention, _, not null) => "lorsa",
        _ => "unknown",
    };

    // model and source set of https://www.neuronpedia.org/model/layer-set/index, when every node of the lane has the same
    private static (string Model, string Set)? Common(FlowGraph graph, Lane lane)
    {
        (string, string)? common = null;
        foreach (var node in graph.Nodes.Where(n => GraphPalette.Lane(n.Site) == lane))
        {
            if (!Uri.TryCreate(node.NeuronpediaUrl, UriKind.Absolute, out var url) || url.Segments is not [_, var model, var source, ..]) return null;
            var dash = source.IndexOf('-', StringComparison.Ordinal);
            if (dash < 0 || source[..dash] != node.Layer.ToString(CultureInfo.InvariantCulture)) return null;
            var found = (Uri.UnescapeDataString(model.Trim('/')), Uri.UnescapeDataString(source[(dash + 1)..].Trim('/')));
            if (common is { } c && c != found) return null;
            common = found;
        }

        return common;
    }
}
