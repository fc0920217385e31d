using System.IO.Enumeration;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>Which features an experiment is about: named, drawn at random, or found by what is said about them.</summary>
internal static class Seeds
{
    public static YamlRecord Schema { get; } = new(
        "seeds",
        "How features are chosen.",
        new YamlField("site", YamlType.Choice([.. Sites.Names]), "Site of the features.", Default: "res"),
        new YamlField("layers", YamlType.Layers, "Layers of the features.", Default: "every layer that has the site"),
        new YamlField("count", YamlType.Integer(1, 1_000_000), "How many of each layer, drawn at random without repetition.", Default: "all"),
        new YamlField("seed", YamlType.Integer(0, int.MaxValue), "Seed of the draw.", Default: "1"),
        new YamlField("description", YamlType.Text, "Only features with a description like this; '*' and '?' stand for characters, case does not matter."));

    /// <summary>The features that <c>seeds:</c> means, without repetition.</summary>
    /// <exception cref="FeatureFlowException">FF5034: none.</exception>
    public static IReadOnlyList<FeatureId> Choose(YamlValues values, OpenedPack pack)
    {
        if (values.Record("seeds") is not { } choice) return [.. values.Texts("seeds").Select(FeatureId.Parse).Distinct()];
        var place = values.Place("seeds");
        var site = Sites.Parse(choice.Text("site") ?? "res");
        var layers = choice.Layers("layers") ?? [.. pack.Pack.Saes.Where(s => s.Site == site).Select(s => s.Layer)];
        var pattern = choice.Text("description");
        var chosen = new List<FeatureId>();
        foreach (var layer in layers)
        {
            IEnumerable<int> indices = Enumerable.Range(0, pack.Info(layer, site).FeatureCount);
            if (pattern is not null) indices = indices.Where(i => pack.Descriptions.Of(new FeatureId(layer, site, i)).Any(d => FileSystemName.MatchesSimpleExpression(pattern, d.Text)));
            if (choice.Integer("count") is { } count) indices = Draw([.. indices], (int)count, HashCode.Of((int)(choice.Integer("seed") ?? 1), layer));
            chosen.AddRange(indices.Select(i => new FeatureId(layer, site, i)));
        }

        if (chosen.Count > 0) return chosen;
        throw ExperimentErrors.NoSeeds(place.Source, place.Line, place.Column, layers.Length == 0 ? $"the pack has no SAE at {site.Name()}" : $"no feature has a description like '{pattern}'");
    }

    // the first count of a shuffle, ascending; a layer's draw does not depend on the other layers
    private static IEnumerable<int> Draw(int[] from, int count, int seed)
    {
        new Random(seed).Shuffle(from);
        return from.Take(count).Order();
    }

    private static class HashCode
    {
        // stable across processes, unlike System.HashCode
        public static int Of(int seed, int layer) => unchecked((seed * 486_187_739) + layer);
    }
}
