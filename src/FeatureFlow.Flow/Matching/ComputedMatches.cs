using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Matches computed from the decoders of a pack, in their stored type and place.</summary>
internal sealed class ComputedMatches(OpenedPack pack) : IMatchSource
{
    public PlaceInfo Info(Place place)
    {
        var info = pack.Info(place.Layer, place.Site);
        return new PlaceInfo(info.FeatureCount, info.OutputWidth, info.NeuronpediaId);
    }

    public IReadOnlyList<TopKResult> Match(Place keys, IReadOnlyList<MatchQuery> queries, int top, IProgress<double>? progress, CancellationToken cancel)
    {
        var engine = pack.Engine.Tensors;
        using var keyLease = Ready(keys, cancel);
        var keys_FD = keyLease.Sae.DecoderWeights_FD;
        var k = Math.Min(top, keys_FD.Shape[0]);
        var options = new TopKOptions { Cosine = true, Progress = progress };
        TopKResult all;
        if (queries is [var one] && IsWhole(one.Indices, Info(one.From).FeatureCount))
        {
            using var lease = Ready(one.From, cancel);
            all = engine.TopKInnerProduct(lease.Sae.DecoderWeights_FD, keys_FD, k, options, cancel);
        }
        else
        {
            using var queries_QD = engine.Allocate(DType.F32, queries.Sum(q => q.Indices.Length), keys_FD.Shape[1]);
            var row = 0;
            foreach (var query in queries)
            {
                using var lease = Ready(query.From, cancel);
                engine.GatherRows(lease.Sae.DecoderWeights_FD, query.Indices, queries_QD.Rows(row, query.Indices.Length));
                row += query.Indices.Length;
            }

            all = engine.TopKInnerProduct(queries_QD, keys_FD, k, options, cancel);
        }

        return Split(all, queries, top);
    }

    public FeatureFacts Facts(Place place, int[] indices, CancellationToken cancel)
    {
        using var lease = Ready(place, cancel);
        var sae = lease.Sae;
        var thresholds = sae.Threshold_F?.ToFloats(pack.Engine.Tensors);
        return new FeatureFacts(
            DecoderRows.Norms(pack.Engine.Tensors, sae, indices, cancel),
            [.. indices.Select(i => (double?)thresholds?[i])]);
    }

    public void Prefetch(Place keys, IReadOnlyList<Place> queries, int top)
    {
        using var lease = pack.Lease(keys.Layer, keys.Site);
        _ = lease.Prepare();
    }

    private static bool IsWhole(int[] indices, int count)
    {
        if (indices.Length != count) return false;
        for (var i = 0; i < count; i++)
        {
            if (indices[i] != i) return false;
        }

        return true;
    }

    // every query gets rows of exactly `top` entries, whatever the number of keys
    private static TopKResult[] Split(TopKResult all, IReadOnlyList<MatchQuery> queries, int top)
    {
        var results = new TopKResult[queries.Count];
        var row = 0;
        for (var q = 0; q < results.Length; q++)
        {
            var n = queries[q].Indices.Length;
            var (indices, scores) = (new int[n * top], new double[n * top]);
            indices.AsSpan().Fill(-1);
            scores.AsSpan().Fill(double.NegativeInfinity);
            for (var i = 0; i < n; i++, row++)
            {
                all.Indices_QK.AsSpan(row * all.K, all.K).CopyTo(indices.AsSpan(i * top));
                all.Scores_QK.AsSpan(row * all.K, all.K).CopyTo(scores.AsSpan(i * top));
            }

            results[q] = new TopKResult(top, indices, scores);
        }

        return results;
    }

    private SaeLease Ready(Place place, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var lease = pack.Lease(place.Layer, place.Site);
        try
        {
            lease.Prepare().WaitAsync(cancel).GetAwaiter().GetResult();
            return lease;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }
}
