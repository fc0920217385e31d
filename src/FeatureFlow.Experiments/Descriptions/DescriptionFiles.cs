using System.Globalization;
using System.Text.RegularExpressions;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>
/// The descriptions of a pack (docs/packs.md): Neuronpedia exports as array, lines or dashboards, maps from index to text, CSV tables; each
/// plain or gzipped, told apart by content. The first description of a feature, in the order of the files, is the one shown.
/// </summary>
public static partial class DescriptionFiles
{
    private const string LayerMark = "{layer}";

    /// <summary>Reads every file of the pack.</summary>
    /// <exception cref="FeatureFlowException">FF5006: unreadable; FF5020: not a description; FF5021: about no SAE of the pack.</exception>
    public static FeatureDescriptions Load(Pack pack)
    {
        var all = new FeatureDescriptions();
        foreach (var file in pack.DescriptionFiles) Load(pack, file, all);
        return all;
    }

    /// <summary>Adds the descriptions of one file; returns how many were taken.</summary>
    /// <exception cref="FeatureFlowException">FF5006: unreadable; FF5020: not a description; FF5021: about no SAE of the pack.</exception>
    public static int Load(Pack pack, DescriptionFile file, FeatureDescriptions into)
    {
        var places = new DescriptionPlaces(pack, file);
        var taken = 0;
        (string Source, int Line)? stranger = null;
        foreach (var row in DescriptionReader.Read(file.Path))
        {
            if (places.Find(row) is not { } place)
            {
                stranger ??= (places.Name(row), row.Line);
                continue;
            }

            if (string.IsNullOrWhiteSpace(row.Text)) continue;
            into.Add(new FeatureId(place.Layer, place.Site, row.Index), new FeatureDescription(row.Text.Trim(), row.Model, row.Method));
            taken++;
        }

        // a file may hold more layers than the pack; one that holds nothing of it is a mistake
        if (taken == 0 && stranger is { } s) throw ExperimentErrors.DescriptionPlace(file.Path, s.Line, s.Source, places.Known);
        return taken;
    }

    /// <summary>The files that a pack's <c>descriptions:</c> names.</summary>
    internal static IReadOnlyList<DescriptionFile> Resolve(YamlValues pack, string source, string? root)
    {
        var files = new List<DescriptionFile>();
        var items = pack.Any("descriptions") as List<object?> ?? [];
        for (var i = 0; i < items.Count; i++)
        {
            var place = pack.Place("descriptions") is YamlList list ? list.Items[i] : pack.Place("descriptions");
            if (root is null) throw ExperimentErrors.YamlValue(source, place.Line, place.Column, "a preset has no folder of its own; copy it with 'featureflow pack show' and name descriptions in the copy.");
            var entry = items[i] as YamlValues;
            var pattern = entry?.Required("path") ?? (string)items[i]!;
            Site? site = entry is null ? null : Sites.Parse(entry.Required("site"));
            var found = PathGlob.Find(root, pattern.Replace(LayerMark, "*", StringComparison.Ordinal)).Where(File.Exists).ToList();
            if (found.Count == 0) throw ExperimentErrors.NoDescriptions(source, place.Line, place.Column, pattern, root);
            files.AddRange(found.Select(f => new DescriptionFile(f, (int?)entry?.Integer("layer") ?? LayerOf(root, f, pattern), site)));
        }

        return files;
    }

    private static int? LayerOf(string root, string file, string pattern)
    {
        if (!pattern.Contains(LayerMark, StringComparison.Ordinal)) return null;
        var expression = Regex.Escape(pattern).Replace(@"\{layer}", @"(?<layer>\d+)", StringComparison.Ordinal).Replace(@"\*", "[^/]*", StringComparison.Ordinal).Replace(@"\?", "[^/]", StringComparison.Ordinal);
        var match = Regex.Match(Path.GetRelativePath(root, file).Replace('\\', '/'), $"^(\\./)?{expression}$", RegexOptions.CultureInvariant);
        return match.Success && int.TryParse(match.Groups["layer"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var layer) ? layer : null;
    }
}
