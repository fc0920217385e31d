using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FeatureFlow.Experiments;

/// <summary>
/// JSON schemas of the YAML forms (draft 7, what editors' YAML servers read), made from the same description as the reader. The files in
/// docs/schemas are these texts.
/// </summary>
public static class JsonSchemas
{
    private const string Draft = "http://json-schema.org/draft-07/schema#";
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Of pack.yaml.</summary>
    public static string Pack { get; } = Document("FeatureFlow pack", PackSchema.Pack.Schema());

    /// <summary>Of corpora.yaml.</summary>
    public static string Corpora { get; } = Document("FeatureFlow corpora", Texts.Corpora.File.Schema());

    /// <summary>Of steering plans.</summary>
    public static string SteeringPlan { get; } = Document("FeatureFlow steering plan", SteeringPlanFile.Plan.Schema());

    /// <summary>Of judge files.</summary>
    public static string Judge { get; } = Document("FeatureFlow judge", Judging.JudgeFile.Record.Schema());

    /// <summary>Of experiments, any kind.</summary>
    public static string Experiment { get; } = Document(
        "FeatureFlow experiment",
        ExperimentKinds.All is [var only]
            ? only.Schema.Schema()
            : new JsonObject { ["oneOf"] = new JsonArray([.. ExperimentKinds.All.Select(k => k.Schema.Schema())]) });

    private static string Document(string title, JsonObject schema)
    {
        var document = new JsonObject { ["$schema"] = Draft, ["title"] = title };
        foreach (var (key, value) in schema) document[key] = value?.DeepClone();
        return document.ToJsonString(Options) + "\n";
    }
}
