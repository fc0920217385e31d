using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Matches from the flow index as far as it goes, computed for the rest. Nobody above can tell which.</summary>
internal sealed class LayeredMatches(FlowIndex index, IMatchSource computed) : IMatchSource
{
    public PlaceInfo Info(Place place) => index.Info(place) ?? computed.Info(place);

    public IReadOnlyList<TopKResult> Match(Place keys, IReadOnlyList<MatchQuery> queries, int top, IProgress<double>? progress, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var results = queries.Select(q => index.Match(keys, q, top)).ToArray();
        var missing = Enumerable.Range(0, queries.Count).Where(q => results[q] is null).ToArray();
        if (missing.Length > 0)
        {
            var rest = computed.Match(keys, [.. missing.Select(q => queries[q])], top, progress, cancel);
            for (var i = 0; i < missing.Length; i++) results[missing[i]] = rest[i];
        }

        return results!;
    }

    public FeatureFacts Facts(Place place, int[] indices, CancellationToken cancel) => index.Facts(place, indices) ?? computed.Facts(place, indices, cancel);

    public void Prefetch(Place keys, IReadOnlyList<Place> queries, int top)
    {
        var uncovered = queries.Where(q => !index.Covers(q, keys, top)).ToArray();
        if (uncovered.Length > 0) computed.Prefetch(keys, uncovered, top);
    }
}
