using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// The matches and facts that some graphs need, gathered level by level so that each decoder is read once for all of them, and
/// kept until the graphs are put together.
/// </summary>
internal sealed class MatchMemo(IMatchSource source, int top, CancellationToken cancel)
{
    private readonly Dictionary<(Place Keys, FeatureId Feature), MatchRow> _rows = [];
    private readonly Dictionary<FeatureId, (double Norm, double? Threshold)> _facts = [];

    /// <summary>The matches of a feature in a place; they must have been gathered.</summary>
    public MatchRow Row(Place keys, FeatureId feature) => _rows[(keys, feature)];

    /// <summary>Norm and threshold of a feature; they must have been gathered.</summary>
    public (double Norm, double? Threshold) Facts(FeatureId feature) => _facts[feature];

    /// <summary>Makes the rows of these features in <paramref name="keys"/> known, asking the source for the missing ones at one go.</summary>
    public void Gather(Place keys, IEnumerable<FeatureId> features, IProgress<double>? progress = null)
    {
        var queries = features.Where(f => !_rows.ContainsKey((keys, f)))
            .Distinct()
            .GroupBy(Place.Of)
            .OrderBy(g => g.Key)
            .Select(g => new MatchQuery(g.Key, [.. g.Select(f => f.Index).Order()]))
            .ToArray();
        if (queries.Length == 0) return;
        var results = source.Match(keys, queries, top, progress, cancel);
        for (var q = 0; q < queries.Length; q++)
        {
            var (k, indices, scores) = results[q];
            for (var i = 0; i < queries[q].Indices.Length; i++)
            {
                var row = new MatchRow(indices.AsMemory(i * k, k), scores.AsMemory(i * k, k));
                _rows[(keys, queries[q].From.Feature(queries[q].Indices[i]))] = row;
            }
        }
    }

    /// <summary>Makes facts known; asked while the SAE of <paramref name="place"/> has just been read.</summary>
    public void GatherFacts(Place place, IEnumerable<int> indices)
    {
        var missing = indices.Where(i => !_facts.ContainsKey(place.Feature(i))).Distinct().Order().ToArray();
        if (missing.Length == 0) return;
        var facts = source.Facts(place, missing, cancel);
        for (var i = 0; i < missing.Length; i++) _facts[place.Feature(missing[i])] = (facts.Norms[i], facts.Thresholds[i]);
    }

    /// <summary>See <see cref="IMatchSource.Prefetch"/>.</summary>
    public void Prefetch(Place keys, IEnumerable<FeatureId> features) => source.Prefetch(keys, [.. features.Select(Place.Of).Distinct()], top);
}
