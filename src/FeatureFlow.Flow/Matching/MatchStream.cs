using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Lists matches of features in the order asked, reading each decoder once per block of features of one SAE.</summary>
internal sealed class MatchStream(OpenedPack pack, IReadOnlyList<FeatureId> targets, int top, Func<Place, IReadOnlyList<Place>> keysOf)
{
    /// <summary>Features asked about at once: enough to be bound by arithmetic, few enough to stream and to stay small.</summary>
    private const int Block = 2048;

    private readonly Answer?[] _answers = new Answer?[targets.Count];

    /// <summary>The stream. Rows are made when they are asked for.</summary>
    public IEnumerable<FeatureMatch> Read(IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        for (var t = 0; t < targets.Count; t++)
        {
            cancel.ThrowIfCancellationRequested();
            if (_answers[t] is null) Compute(t, progress, cancel);
            foreach (var match in _answers[t]!.Rows(pack, targets[t])) yield return match;
            _answers[t] = null;
        }

        progress?.Report(new FlowProgress("done", 1));
    }

    private void Compute(int first, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        var place = Place.Of(targets[first]);
        var block = Enumerable.Range(first, targets.Count - first)
            .Where(i => _answers[i] is null && Place.Of(targets[i]) == place)
            .Take(Block)
            .ToArray();
        var query = new MatchQuery(place, [.. block.Select(i => targets[i].Index)]);
        var places = keysOf(place);
        foreach (var keys in places) pack.Matches.Prefetch(keys, [place], top);
        var within = progress is null ? null : new GatherProgress(progress, places.Count * ((targets.Count + Block - 1) / Block), start: (double)first / targets.Count);
        var results = places.Select(keys => (keys, pack.Matches.Match(keys, [query], top, within?.Step(keys), cancel)[0])).ToArray();
        for (var i = 0; i < block.Length; i++) _answers[block[i]] = new Answer(results, i);
    }

    private sealed record Answer((Place Keys, TopKResult Result)[] Results, int Row)
    {
        public IEnumerable<FeatureMatch> Rows(OpenedPack pack, FeatureId target)
        {
            var description = pack.Descriptions.Text(target);
            foreach (var (keys, result) in Results)
            {
                var row = new MatchRow(result.Indices_QK.AsMemory(Row * result.K, result.K), result.Scores_QK.AsMemory(Row * result.K, result.K));
                var rank = 0;
                foreach (var (index, similarity) in row.Kept(double.NegativeInfinity))
                {
                    var id = keys.Feature(index);
                    yield return new FeatureMatch
                    {
                        Pack = pack.Pack.Source,
                        Layer = target.Layer,
                        Site = target.Site.Name(),
                        Index = target.Index,
                        SourceLayer = id.Layer,
                        SourceSite = id.Site.Name(),
                        SourceIndex = id.Index,
                        Rank = ++rank,
                        Similarity = similarity,
                        Description = description,
                        SourceDescription = pack.Descriptions.Text(id),
                    };
                }
            }
        }
    }
}
