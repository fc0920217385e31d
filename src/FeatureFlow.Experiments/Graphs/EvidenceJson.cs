using System.Text.Encodings.Web;
using System.Text.Json;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>Evidence of features as JSON: whole, one object a feature; and short, for the page of a graph.</summary>
public static class EvidenceJson
{
    private static readonly JsonSerializerOptions Whole = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Everything, as an array.</summary>
    public static string Render(IReadOnlyList<FeatureEvidence> evidence) => JsonSerializer.Serialize(evidence, Whole) + "\n";

    /// <summary>By feature: tokens and contexts as pairs of text and number.</summary>
    internal static string ForPage(IReadOnlyList<FeatureEvidence> evidence) => JsonSerializer.Serialize(evidence.DistinctBy(e => e.Feature).ToDictionary(e => e.Feature, e => new
    {
        frequency = e.Frequency,
        max = e.MaxActivation,
        description = e.Description,
        promoted = e.Promoted.Select(Pair),
        suppressed = e.Suppressed.Select(Pair),
        contexts = e.Contexts.Select(c => new { source = c.Source, position = c.Position, tokens = c.Tokens.Select(t => new object[] { t.Text, Math.Round(t.Activation, 3) }) }),
    }));

    private static object[] Pair(TokenEffect effect) => [effect.Text, Math.Round(effect.Effect, 3)];
}
