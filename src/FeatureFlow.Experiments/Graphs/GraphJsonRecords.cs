using System.Text.Json.Serialization;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>Who wrote a file.</summary>
internal sealed record Generator([property: JsonPropertyName("name")] string Name, [property: JsonPropertyName("version")] string Version)
{
    public static Generator Current { get; } = new("FeatureFlow", typeof(Generator).Assembly.GetName().Version!.ToString(3));
}

/// <summary>The document as read: one graph, or several under <c>graphs</c>. Keys it does not know are passed over.</summary>
internal sealed record GraphDocument
{
    [JsonPropertyName("schema")] public string? Schema { get; init; }

    [JsonPropertyName("graphs")] public IReadOnlyList<GraphDocument>? Graphs { get; init; }

    [JsonPropertyName("pack_name")] public string? PackName { get; init; }

    [JsonPropertyName("pack")] public string? Pack { get; init; }

    [JsonPropertyName("seed")] public string? Seed { get; init; }

    [JsonPropertyName("direction")] public FlowDirection Direction { get; init; }

    [JsonPropertyName("k")] public int K { get; init; } = 1;

    [JsonPropertyName("thresholds")] public ThresholdsObject? Thresholds { get; init; }

    [JsonPropertyName("layer_thresholds")] public IReadOnlyDictionary<int, ThresholdsObject>? LayerThresholds { get; init; }

    [JsonPropertyName("forward_modules")] public ForwardModules ForwardModules { get; init; }

    [JsonPropertyName("span")] public IReadOnlyList<int>? Span { get; init; }

    [JsonPropertyName("minimum_effect")] public double? MinimumEffect { get; init; }

    [JsonPropertyName("notes")] public IReadOnlyList<string>? Notes { get; init; }

    [JsonPropertyName("nodes")] public IReadOnlyList<NodeObject>? Nodes { get; init; }

    [JsonPropertyName("edges")] public IReadOnlyList<EdgeObject>? Edges { get; init; }
}

internal sealed record ThresholdsObject
{
    [JsonPropertyName("res")] public required double Res { get; init; }

    [JsonPropertyName("mlp")] public required double Mlp { get; init; }

    [JsonPropertyName("att")] public required double Att { get; init; }

    [JsonIgnore] public Thresholds Value => new(Res, Mlp, Att);

    public static ThresholdsObject Of(Thresholds t) => new() { Res = t.Res, Mlp = t.Mlp, Att = t.Att };
}

internal sealed record NodeObject
{
    [JsonPropertyName("id")] public required string Id { get; init; }

    [JsonPropertyName("layer")] public required int Layer { get; init; }

    [JsonPropertyName("site")] public required string Site { get; init; }

    [JsonPropertyName("index")] public required int Index { get; init; }

    [JsonPropertyName("s_res")] public double? ScoreRes { get; init; }

    [JsonPropertyName("s_mlp")] public double? ScoreMlp { get; init; }

    [JsonPropertyName("s_att")] public double? ScoreAtt { get; init; }

    // A to D as the papers print them; the converter of the other enumerations writes lower case
    [JsonPropertyName("class"), JsonConverter(typeof(JsonStringEnumConverter<FeatureClass>))] public FeatureClass? Class { get; init; }

    [JsonPropertyName("threshold")] public double? Threshold { get; init; }

    [JsonPropertyName("norm")] public double Norm { get; init; }

    [JsonPropertyName("description")] public string? Description { get; init; }

    [JsonPropertyName("neuronpedia_url")] public string? NeuronpediaUrl { get; init; }

    [JsonIgnore]
    public FlowNode Value => new()
    {
        Id = Id,
        Layer = Layer,
        Site = Site,
        Index = Index,
        ScoreRes = ScoreRes,
        ScoreMlp = ScoreMlp,
        ScoreAtt = ScoreAtt,
        Class = Class,
        Threshold = Threshold,
        Norm = Norm,
        Description = Description,
        NeuronpediaUrl = NeuronpediaUrl,
    };

    public static NodeObject Of(FlowNode n) => new()
    {
        Id = n.Id,
        Layer = n.Layer,
        Site = n.Site,
        Index = n.Index,
        ScoreRes = n.ScoreRes,
        ScoreMlp = n.ScoreMlp,
        ScoreAtt = n.ScoreAtt,
        Class = n.Class,
        Threshold = n.Threshold,
        Norm = n.Norm,
        Description = n.Description,
        NeuronpediaUrl = n.NeuronpediaUrl,
    };
}

internal sealed record EdgeObject
{
    [JsonPropertyName("target")] public required string Target { get; init; }

    [JsonPropertyName("predecessor")] public required string Predecessor { get; init; }

    [JsonPropertyName("similarity")] public required double Similarity { get; init; }

    [JsonPropertyName("kind")] public required string Kind { get; init; }

    [JsonPropertyName("evidence"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public EdgeEvidenceObject? Evidence { get; init; }

    [JsonIgnore] public FlowEdge Value => new(Target, Predecessor, Similarity, Kind) { Evidence = Evidence?.Value };

    public static EdgeObject Of(FlowEdge e) => new() { Target = e.Target, Predecessor = e.Predecessor, Similarity = e.Similarity, Kind = e.Kind, Evidence = e.Evidence is { } v ? EdgeEvidenceObject.Of(v) : null };
}

/// <summary>Evidence of an edge; shares and changes as [value, low, high].</summary>
internal sealed record EdgeEvidenceObject
{
    [JsonPropertyName("n")] public required int Count { get; init; }

    [JsonPropertyName("success")] public double[]? Success { get; init; }

    [JsonPropertyName("change")] public double[]? Change { get; init; }

    [JsonIgnore] public EdgeEvidence Value => new(Count, Interval(Success), Interval(Change));

    public static EdgeEvidenceObject Of(EdgeEvidence e) => new() { Count = e.Count, Success = Numbers(e.Success), Change = Numbers(e.Change) };

    private Interval? Interval(double[]? numbers) => numbers is [var value, var low, var high] ? new Interval(value, low, high, Count) : null;

    private static double[]? Numbers(Interval? interval) => interval is { } i ? [i.Value, i.Low, i.High] : null;
}
