using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools;

/// <summary>An SAE's facts as people and programs read them.</summary>
internal static class SaeSheet
{
    /// <summary>One SAE of a pack, from headers alone.</summary>
    public static TableColumns<SaeInfo> Row { get; } = new(
        ("layer", i => i.Layer),
        ("site", i => i.Site?.Name()),
        ("format", i => i.Format),
        ("architecture", i => Name(i.Architecture)),
        ("d", i => i.InputWidth),
        ("features", i => i.FeatureCount),
        ("dtype", i => i.WeightType),
        ("k", i => i.K),
        ("declared_l0", i => i.DeclaredL0),
        ("notes", i => i.Notes.Count > 0 ? string.Join("; ", i.Notes) : null));

    private static TableColumns<SaeArray> Arrays { get; } = new(
        ("array", a => a.Name),
        ("shape", a => $"[{string.Join(",", a.Shape)}]"),
        ("dtype", a => a.Type),
        ("non_finite", a => a.NonFinite));

    /// <summary>Facts, and what the self-check found when it was made.</summary>
    public static void Write(ToolContext context, SaeInfo info, SaeReport? report)
    {
        if (context.Json)
        {
            context.Out.WriteLine(Json(info, report).ToJsonString());
            return;
        }

        foreach (var (name, value) in Facts(info, report)) context.Out.WriteLine($"{name + ":",-16}{value}");
        if (report is null) return;
        context.Out.WriteLine();
        context.Show(Arrays, report.Arrays);
        context.Out.WriteLine();
        foreach (var problem in report.Problems) context.Out.WriteLine($"problem: {problem}");
        if (report.IsSound) context.Out.WriteLine("No problem found.");
    }

    private static IEnumerable<(string, string)> Facts(SaeInfo info, SaeReport? report)
    {
        yield return ("path", info.Path);
        yield return ("format", info.Format);
        yield return ("architecture", Name(info.Architecture) + (info.K is { } k ? $", k = {k}" : "") + (info.IsTranscoder ? ", transcoder" : ""));
        yield return ("site", info.Site is { } site ? $"{(info.Layer is { } layer ? $"{layer}/" : "")}{site.Name()}" : "not named; give it in a pack.yaml");
        if (info.HookName is { } hook) yield return ("hook", hook);
        if (info.ModelName is { } model) yield return ("model", model);
        if (info.NeuronpediaId is { } source) yield return ("neuronpedia", source);
        yield return ("shape", $"d = {info.InputWidth}{(info.OutputWidth != info.InputWidth ? $" -> {info.OutputWidth}" : "")}, F = {info.FeatureCount}, stored as {info.WeightType}");
        var input = new List<string>();
        if (info.InputTransform != InputTransform.None) input.Add(info.InputTransform == InputTransform.LayerNorm ? "standardised (layer_norm)" : "scaled to norm sqrt(d) (constant_norm_rescale)");
        if (info.ApplyBDecToInput) input.Add("b_dec subtracted");
        yield return ("input", input.Count > 0 ? string.Join(", ", input) : "as it is");
        if (info.DeclaredL0 is { } l0) yield return ("declared L0", l0.ToString(CultureInfo.InvariantCulture));
        if (report?.Thresholds is { } t) yield return ("threshold", Of(t) + $", {report.NotPositiveThresholds} not above 0");
        if (report?.DecoderNorms is { } n) yield return ("decoder norm", Of(n) + $", {report.ZeroNorms} zero");
        if (report?.DeadShare is { } dead) yield return ("dead", dead.ToString("P1", CultureInfo.InvariantCulture) + " of the features never fired where the release measured");
        foreach (var note in info.Notes) yield return ("note", note);
    }

    private static JsonObject Json(SaeInfo info, SaeReport? report)
    {
        var json = Row.Object(info);
        json["path"] = info.Path;
        json["output_width"] = info.OutputWidth;
        json["transcoder"] = info.IsTranscoder;
        json["input_transform"] = JsonNamingPolicy.SnakeCaseLower.ConvertName(info.InputTransform.ToString());
        json["apply_b_dec_to_input"] = info.ApplyBDecToInput;
        json["model"] = info.ModelName;
        json["hook"] = info.HookName;
        json["neuronpedia"] = info.NeuronpediaId;
        json["notes"] = Texts(info.Notes);
        if (report is null) return json;
        json["threshold"] = Node(report.Thresholds);
        json["threshold_not_positive"] = report.NotPositiveThresholds;
        json["decoder_norm"] = Node(report.DecoderNorms);
        json["decoder_norm_zero"] = report.ZeroNorms;
        json["dead_share"] = report.DeadShare;
        json["arrays"] = new JsonArray([.. report.Arrays.Select(Arrays.Object)]);
        json["problems"] = Texts(report.Problems);
        return json;
    }

    private static string Name(SaeArchitecture architecture) => architecture.ToString().ToLowerInvariant();

    private static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(t => (JsonNode)t)];

    private static JsonObject? Node(Spread? s) => s is null ? null : new JsonObject { ["min"] = s.Min, ["median"] = s.Median, ["mean"] = s.Mean, ["max"] = s.Max };

    private static string Of(Spread s) => string.Create(CultureInfo.InvariantCulture, $"{s.Min:0.####} to {s.Max:0.####}, median {s.Median:0.####}, mean {s.Mean:0.####}");
}
