using System.Text.Json.Nodes;
using FeatureFlow.Experiments;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools;

/// <summary>An SAE's facts as people and programs read them.</summary>
internal sealed class SaeSheet(SaeInfo info)
{
    public static TableColumns<SaeInfo> Row { get; } = new(
        ("layer", i => i.Layer),
        ("site", i => i.Site?.Name()),
        ("format", i => i.Format),
        ("architecture", i => i.Architecture),
        ("d", i => i.InputWidth),
        ("features", i => i.FeatureCount),
        ("dtype", i => i.WeightType),
        ("declared_l0", i => i.DeclaredL0),
        ("notes", i => i.Notes.Count > 0 ? string.Join("; ", i.Notes) : null));

    public void Write(ToolContext context)
    {
        if (context.Json) context.Out.WriteLine(Json().ToJsonString());
    }

    private JsonObject Json() => Row.Object(info);
}
