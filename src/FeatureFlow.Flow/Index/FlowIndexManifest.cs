using System.Globalization;
using System.Text;
using System.Text.Json;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>What the index knows of one SAE: which files it was made from, and what can be told without opening them.</summary>
internal sealed record IndexedSae(Place Place, string Id, string Stamp, PlaceInfo Info);

/// <summary>
/// <c>index.json</c> (docs/flow-index.md): the identity of every SAE that the parts were made from. Read without reflection,
/// because a graph from an index should take milliseconds, in a fresh process too.
/// </summary>
internal sealed record FlowIndexManifest(string PackName, int Top, IReadOnlyList<IndexedSae> Saes)
{
    public const string FileName = "index.json";
    public const string Format = "featureflow.flowindex";
    public const int Version = 1;

    /// <summary>Reads it; null when it is not there, not whole, or of another version.</summary>
    public static FlowIndexManifest? TryRead(string folder)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, FileName)));
            var root = json.RootElement;
            if (root.GetProperty("format").GetString() != Format || root.GetProperty("version").GetInt32() != Version) return null;
            return new FlowIndexManifest(root.GetProperty("pack").GetString()!, root.GetProperty("top").GetInt32(), [.. root.GetProperty("saes").EnumerateArray().Select(Sae)]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException or FeatureFlowException)
        {
            return null;
        }
    }

    /// <summary>Writes it whole.</summary>
    public void Write(string folder)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteString("format", Format);
            json.WriteNumber("version", Version);
            json.WriteString("pack", PackName);
            json.WriteNumber("top", Top);
            json.WriteStartArray("saes");
            foreach (var sae in Saes)
            {
                json.WriteStartObject();
                json.WriteNumber("layer", sae.Place.Layer);
                json.WriteString("site", sae.Place.Site.Name());
                json.WriteNumber("features", sae.Info.FeatureCount);
                json.WriteNumber("width", sae.Info.Width);
                if (sae.Info.NeuronpediaId is { } source) json.WriteString("neuronpedia", source);
                json.WriteString("id", sae.Id);
                json.WriteStartArray("files");
                foreach (var file in sae.Stamp.Split('\n')) json.WriteStringValue(file);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        AtomicFile.WriteText(Path.Combine(folder, FileName), Encoding.UTF8.GetString(buffer.ToArray()) + "\n");
    }

    private static IndexedSae Sae(JsonElement sae) => new(
        new Place(sae.GetProperty("layer").GetInt32(), Sites.Parse(sae.GetProperty("site").GetString()!)),
        sae.GetProperty("id").GetString()!,
        string.Join('\n', sae.GetProperty("files").EnumerateArray().Select(f => f.GetString())),
        new PlaceInfo(
            sae.GetProperty("features").GetInt32(),
            sae.GetProperty("width").GetInt32(),
            sae.TryGetProperty("neuronpedia", out var source) ? source.GetString() : null));
}
