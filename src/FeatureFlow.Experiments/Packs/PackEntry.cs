using System.Globalization;
using System.Text.RegularExpressions;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>One item of <c>saes:</c> turned into files: which layers exist, and which of several SAEs of a layer is meant.</summary>
internal sealed partial class PackEntry(YamlValues entry, string source, string? root, HubCache hub)
{
    private const string LayerMark = "{layer}";

    private readonly Site _site = Sites.Parse(entry.Required("site"));
    private readonly string _path = entry.Required("path");
    private readonly string? _repo = entry.Text("repo");

    public IEnumerable<PackSae> Resolve()
    {
        var place = entry.Place("path");
        if (_repo is null && root is null) throw ExperimentErrors.YamlMissing(source, place.Line, place.Column, "'repo' is missing: a preset has no folder of its own.");
        var layers = entry.Layers("layers");
        var marked = _path.Contains(LayerMark, StringComparison.Ordinal);
        if (!marked && layers is not { Length: 1 }) throw ExperimentErrors.NoLayerInPath(source, place.Line, place.Column, _path);

        var wanted = layers ?? Existing();
        if (wanted.Length == 0)
        {
            // for a repository this throws with the command that gets it
            if (_repo is not null) hub.Find(_repo, _path.Replace(LayerMark, "*", StringComparison.Ordinal), entry.Text("revision"));
            throw ExperimentErrors.NoSaeMatches(source, place.Line, place.Column, _path, root!, null);
        }

        CheckL0Count(layers);
        return wanted.Select((layer, i) => new PackSae(layer, _site, Pick(layer, layers is null ? layer : i), Neuronpedia(layer)));
    }

    // every layer that some path has a number for
    private int[] Existing()
    {
        var pattern = new Regex("^" + string.Concat(_path.Split('/').Select(Part)) + "$", RegexOptions.CultureInvariant);
        var layers = new SortedSet<int>();
        foreach (var (relative, _) in Candidates(_path.Replace(LayerMark, "*", StringComparison.Ordinal)))
        {
            var match = pattern.Match("/" + relative);
            if (match.Success && int.TryParse(match.Groups["layer"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var layer)) layers.Add(layer);
        }

        return [.. layers];

        static string Part(string part)
        {
            if (part is "" or ".") return "";
            var seen = 0;
            var text = Regex.Escape(part).Replace(Regex.Escape(LayerMark), "{layer}", StringComparison.Ordinal);
            text = LayerHole().Replace(text, _ => seen++ == 0 ? "(?<layer>\\d+)" : "\\d+");
            return "/" + text.Replace("\\*", "[^/]*", StringComparison.Ordinal).Replace("\\?", "[^/]", StringComparison.Ordinal);
        }
    }

    private string Pick(int layer, int position)
    {
        var place = entry.Place("l0");
        var pattern = _path.Replace(LayerMark, layer.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        var found = Candidates(pattern);
        if (found.Count == 0)
        {
            if (_repo is not null) hub.Find(_repo, pattern, entry.Text("revision"));
            throw ExperimentErrors.NoSaeMatches(source, entry.Place("path").Line, entry.Place("path").Column, pattern, root!, layer);
        }

        if (entry.Text("l0") == PackSchema.Canonical && found.Count > 1)
        {
            var nearest = found.Where(f => L0(f.Relative) is not null).OrderBy(f => Math.Abs(L0(f.Relative)!.Value - 100)).ThenBy(f => f.Relative, StringComparer.Ordinal).ToList();
            if (nearest.Count > 0) return nearest[0].Full;
        }

        if (entry.Any("l0") is List<object?> numbers)
        {
            var l0 = (long)(numbers.Count == 1 ? numbers[0] : numbers[position])!;
            var exact = found.Where(f => L0(f.Relative) is null || L0(f.Relative) == l0).ToList();
            if (exact.Count == 0) throw ExperimentErrors.NoSuchL0(source, place.Line, place.Column, layer, _site, l0, found.Select(f => f.Relative));
            found = exact;
        }

        return found.Count == 1
            ? found[0].Full
            : throw ExperimentErrors.Ambiguous(source, place.Line, place.Column, layer, _site, found.Select(f => f.Relative));
    }

    private void CheckL0Count(int[]? layers)
    {
        if (entry.Any("l0") is not List<object?> { Count: > 1 } numbers) return;
        var place = entry.Place("l0");
        var expected = layers?.Length ?? (Existing() is { Length: > 0 } e ? e[^1] + 1 : 0);
        if (layers is null ? numbers.Count < expected : numbers.Count != expected)
            throw ExperimentErrors.L0Count(source, place.Line, place.Column, numbers.Count, expected);
    }

    private string? Neuronpedia(int layer) =>
        entry.Text("neuronpedia") is { } id && (entry.Layers("neuronpedia_layers") is not { } known || Array.IndexOf(known, layer) >= 0)
            ? id.Replace(LayerMark, layer.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            : null;

    // paths relative to the pack or to a snapshot of the repository, with '/' on every system
    private List<(string Relative, string Full)> Candidates(string pattern)
    {
        if (_repo is null) return [.. PathGlob.Find(root!, pattern).Select(full => (Path.GetRelativePath(root!, full).Replace('\\', '/'), full))];
        var found = hub.TryFind(_repo, pattern, entry.Text("revision"));
        return [.. found.Select(full => (AfterSnapshot().Replace(full.Replace('\\', '/'), ""), full))];
    }

    private static long? L0(string path) =>
        AverageL0().Match(path) is { Success: true } m ? long.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) : null;

    [GeneratedRegex(@"average_l0_(\d+)")]
    private static partial Regex AverageL0();

    [GeneratedRegex(@"^.*/snapshots/[^/]+/")]
    private static partial Regex AfterSnapshot();

    [GeneratedRegex(@"\\?\{layer\\?\}")]
    private static partial Regex LayerHole();
}
