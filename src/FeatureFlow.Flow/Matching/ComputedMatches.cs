using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Matches computed from the decoders of a pack, in their stored type and place.</summary>
internal sealed class ComputedMatches(OpenedPack pack) : IMatchSource
{
    /// <summary>Queries taken at once: bound by arithmetic from a few hundred on, and 4,096 copies of rows are small beside any decoder.</summary>
    private const int Block = 4096;

    public PlaceInfo Info(Place place)
    {
        var info = pack.Info(place.Layer, place.Site);
        return new PlaceInfo(info.FeatureCount, info.OutputWidth, info.NeuronpediaId);
    }

    public IReadOnlyList<TopKResult> Match(Place keys, IReadOnlyList<MatchQuery> queries, int top, IProgress<double>? progress, CancellationToken cancel)
    {
        using var keyLease = Ready(keys, cancel);
        var results = queries.Select(q => Empty(q.Indices.Length, top)).ToArray();
        var total = queries.Sum(q => q.Indices.Length);
        for (var start = 0; start < total; start += Block)
        {
            var rows = Math.Min(Block, total - start);
            var share = progress is null ? null : new Share(progress, (double)start / total, (double)rows / total);
            Answer(keyLease.Sae, queries, start, rows, results, share, cancel);
        }

        return results;
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

    // every query gets rows of exactly `top` entries, whatever the number of keys
    private static TopKResult Empty(int rows, int top)
    {
        var empty = new TopKResult(top, new int[rows * top], new double[rows * top]);
        empty.Indices_QK.AsSpan().Fill(-1);
        empty.Scores_QK.AsSpan().Fill(double.NegativeInfinity);
        return empty;
    }

    // rows start..start+count of the queries laid end to end. Always through dense float32 copies: the same bits then come out for a
    // feature asked about alone and for one among all, whatever the layout of its file
    private void Answer(Sae keys, IReadOnlyList<MatchQuery> queries, int start, int count, TopKResult[] results, IProgress<double>? progress, CancellationToken cancel)
    {
        var engine = pack.Engine.Tensors;
        var keys_FD = keys.DecoderWeights_FD;
        using var queries_QD = engine.Allocate(DType.F32, count, keys_FD.Shape[1]);
        var pieces = Pieces(queries, start, count);
        foreach (var piece in pieces)
        {
            var from = queries[piece.Query];
            using var lease = Ready(from.From, cancel);
            engine.GatherRows(lease.Sae.DecoderWeights_FD, from.Indices.AsSpan(piece.First, piece.Count), queries_QD.Rows(piece.Row, piece.Count));
        }

        var found = engine.TopKInnerProduct(queries_QD, keys_FD, Math.Min(results[0].K, keys_FD.Shape[0]), new TopKOptions { Cosine = true, Progress = progress }, cancel);
        foreach (var piece in pieces)
        {
            var (to, k) = (results[piece.Query], found.K);
            for (var i = 0; i < piece.Count; i++)
            {
                found.Indices_QK.AsSpan((piece.Row + i) * k, k).CopyTo(to.Indices_QK.AsSpan((piece.First + i) * to.K));
                found.Scores_QK.AsSpan((piece.Row + i) * k, k).CopyTo(to.Scores_QK.AsSpan((piece.First + i) * to.K));
            }
        }
    }

    private static List<(int Query, int First, int Count, int Row)> Pieces(IReadOnlyList<MatchQuery> queries, int start, int count)
    {
        var pieces = new List<(int, int, int, int)>();
        var before = 0;
        for (var q = 0; q < queries.Count; before += queries[q++].Indices.Length)
        {
            var (first, last) = (Math.Max(start, before), Math.Min(start + count, before + queries[q].Indices.Length));
            if (first < last) pieces.Add((q, first - before, last - first, first - start));
        }

        return pieces;
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

    private sealed class Share(IProgress<double> whole, double from, double width) : IProgress<double>
    {
        public void Report(double value) => whole.Report(from + (width * value));
    }
}
