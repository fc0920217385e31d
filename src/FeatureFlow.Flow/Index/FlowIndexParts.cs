using System.Globalization;
using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// The parts of a flow index: safetensors files that say what they were made from, so that each is valid or not on its own. Opened for
/// one reading and closed again, so that they can be replaced at any time.
/// </summary>
internal static class FlowIndexParts
{
    /// <summary>Norms and thresholds of an SAE.</summary>
    public static string FeaturesFile(string folder, Place place) => Path.Combine(folder, "features", Name(place) + ".safetensors");

    /// <summary>Matches of all features of one SAE in another.</summary>
    public static string MatchesFile(string folder, Place from, Place keys) => Path.Combine(folder, "matches", $"{Name(from)}-{Name(keys)}.safetensors");

    public static void WriteFeatures(string folder, IndexedSae sae, FeatureFacts facts)
    {
        using var norms = Tensor.Allocate(DType.F64, facts.Norms.Length);
        facts.Norms.CopyTo(norms.AsSpan<double>());
        var tensors = new List<(string, Tensor)> { ("norm", norms) };
        using var thresholds = Tensor.Allocate(DType.F64, facts.Norms.Length);
        if (facts.Thresholds.All(t => t is not null))
        {
            for (var i = 0; i < facts.Thresholds.Length; i++) thresholds.AsSpan<double>()[i] = facts.Thresholds[i]!.Value;
            tensors.Add(("threshold", thresholds));
        }

        SafetensorsFile.Write(FeaturesFile(folder, sae.Place), Header(("sae", sae.Id)), tensors);
    }

    public static void WriteMatches(string folder, IndexedSae from, IndexedSae keys, TopKResult matches)
    {
        var rows = matches.Indices_QK.Length / matches.K;
        using var indices = Tensor.Allocate(DType.I32, rows, matches.K);
        using var similarities = Tensor.Allocate(DType.F64, rows, matches.K);
        matches.Indices_QK.CopyTo(indices.AsSpan<int>());
        matches.Scores_QK.CopyTo(similarities.AsSpan<double>());
        SafetensorsFile.Write(
            MatchesFile(folder, from.Place, keys.Place),
            Header(("from", from.Id), ("to", keys.Id), ("top", matches.K.ToString(CultureInfo.InvariantCulture))),
            [("index", indices), ("similarity", similarities)]);
    }

    /// <summary>Norms and thresholds of some features, or null when the part is missing or was made from other files.</summary>
    public static FeatureFacts? TryReadFeatures(string folder, IndexedSae sae, int[] indices) => TryRead(
        FeaturesFile(folder, sae.Place),
        [("sae", sae.Id)],
        file =>
        {
            var norms = file.Get("norm").AsSpan<double>();
            var thresholds = file.Contains("threshold") ? file.Get("threshold").AsSpan<double>() : [];
            var (n, t) = (new double[indices.Length], new double?[indices.Length]);
            for (var i = 0; i < indices.Length; i++)
            {
                n[i] = norms[indices[i]];
                t[i] = thresholds.IsEmpty ? null : thresholds[indices[i]];
            }

            return new FeatureFacts(n, t);
        });

    /// <summary>The best <paramref name="top"/> of some features, or null when the part is missing, was made from other files, or holds fewer.</summary>
    public static TopKResult? TryReadMatches(string folder, IndexedSae from, IndexedSae keys, int[] indices, int top) => TryRead(
        MatchesFile(folder, from.Place, keys.Place),
        [("from", from.Id), ("to", keys.Id)],
        file =>
        {
            var index = file.Get("index");
            var (rows, held) = (index.Shape[0], index.Shape[1]);
            if (rows != from.Info.FeatureCount || held < Math.Min(top, keys.Info.FeatureCount)) return null;
            var all = index.AsSpan<int>();
            var scores = file.Get("similarity").AsSpan<double>();
            var result = new TopKResult(top, new int[indices.Length * top], new double[indices.Length * top]);
            result.Indices_QK.AsSpan().Fill(-1);
            result.Scores_QK.AsSpan().Fill(double.NegativeInfinity);
            var kept = Math.Min(held, top);
            for (var i = 0; i < indices.Length; i++)
            {
                all.Slice(indices[i] * held, kept).CopyTo(result.Indices_QK.AsSpan(i * top));
                scores.Slice(indices[i] * held, kept).CopyTo(result.Scores_QK.AsSpan(i * top));
            }

            return result;
        });

    private static string Name(Place place) => string.Create(CultureInfo.InvariantCulture, $"{place.Layer}.{place.Site.Name()}");

    private static Dictionary<string, string> Header(params (string Key, string Value)[] entries)
    {
        var header = new Dictionary<string, string>
        {
            ["format"] = FlowIndexManifest.Format,
            ["version"] = FlowIndexManifest.Version.ToString(CultureInfo.InvariantCulture),
        };
        foreach (var (key, value) in entries) header[key] = value;
        return header;
    }

    // a damaged part is as good as none: what it held is computed, and 'index' writes it anew
    private static T? TryRead<T>(string path, (string Key, string Value)[] expected, Func<SafetensorsFile, T?> read)
        where T : class
    {
        if (!File.Exists(path)) return null;
        try
        {
            using var file = SafetensorsFile.Open(path);
            foreach (var (key, value) in Header(expected))
            {
                if (!file.Metadata.TryGetValue(key, out var has) || has != value) return null;
            }

            return read(file);
        }
        catch (Exception e) when (e is FeatureFlowException or IOException or UnauthorizedAccessException or IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            return null;
        }
    }
}
