namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>One token of every row, drawn where the logits are.</summary>
public sealed partial class TorchEngine
{
    /// <inheritdoc/>
    public void SampleRows(Tensor logits_TV, ReadOnlySpan<SamplingRow> rows, Span<int> ids)
    {
        var width = Width("SampleRows", logits_TV);
        if (rows.Length != logits_TV.Shape[0] || ids.Length != rows.Length) throw TensorErrors.Shape("SampleRows", $"{rows.Length} rows and {ids.Length} ids are not one for each row", logits_TV);
        CheckRows("SampleRows", logits_TV, rows.Length, width);
        if (rows.Length == 0) return;
        var how = rows.ToArray();
        var drawn = new long[how.Length];
        _thread.Run(() =>
        {
            var x = View(logits_TV);
            Draw(r => r.Temperature <= 0 || r.TopK == 1, (part, _) => part.argmax(1));
            Draw(r => r.Temperature > 0 && r.TopK <= 0 && r.TopP >= 1, DrawFromAll);
            Draw(r => r.Temperature > 0 && r.TopK != 1 && (r.TopK > 0 || r.TopP < 1), DrawFromBest);

            void Draw(Func<SamplingRow, bool> which, Func<TorchTensor, SamplingRow[], TorchTensor> draw)
            {
                var chosen = Enumerable.Range(0, how.Length).Where(t => which(how[t])).ToArray();
                if (chosen.Length == 0) return;
                Blocks("SampleRows", chosen.Length, width * 48L, default, (at, n) =>
                {
                    var part = chosen.AsSpan(at, n).ToArray();
                    var logits = Ranked(IsRun(part) ? x.narrow(0, part[0], n) : x.index_select(0, Indices(part)));
                    var found = _transfers.Read<long>(draw(logits, Array.ConvertAll(part, t => how[t])));
                    for (var i = 0; i < n; i++) drawn[part[i]] = found[i];
                });
            }
        });
        for (var t = 0; t < ids.Length; t++) ids[t] = (int)drawn[t];
    }

    // the whole distribution, in the order of the vocabulary
    private TorchTensor DrawFromAll(TorchTensor logits, SamplingRow[] rows) => Draw(Weights(logits, rows), rows);

    // best first, as far as the cuts allow
    private TorchTensor DrawFromBest(TorchTensor logits, SamplingRow[] rows)
    {
        var n = logits.shape[1];
        var (sorted, ids) = logits.sort(1, descending: true, stable: true);
        var weights = Weights(sorted, rows);
        var limit = Column(rows, r => r.TopK > 0 ? r.TopK : n);
        var place = Numbers.Range(0, n, _device).unsqueeze(0);
        weights = weights.Mul(place.Less(limit)); // the cut by probability is of what the first cut has left
        var sums = weights.cumsum(1);
        var enough = Column(rows, r => r.TopP < 1 ? Math.Max(0, r.TopP) : double.PositiveInfinity).Mul(sums.narrow(1, n - 1, 1));
        var kept = sums.Sub(weights).Less(enough).logical_or(place.Same(0));
        return ids.gather(1, Draw(weights.Mul(kept), rows).unsqueeze(1)).squeeze(1);
    }

    // the first place whose running sum passes the row's own number; where rounding leaves none, the last that has weight
    private TorchTensor Draw(TorchTensor weights, SamplingRow[] rows)
    {
        var n = weights.shape[1];
        var sums = weights.cumsum(1);
        var wanted = Column(rows, r => r.Uniform).Mul(sums.narrow(1, n - 1, 1));
        var place = Numbers.Range(0, n, _device).unsqueeze(0);
        var last = weights.Greater(0).to(ScalarType.Int64).Mul(place).amax([1]);
        return Torch.minimum(sums.AtMost(wanted).sum(1, type: ScalarType.Int64), last);
    }

    private TorchTensor Weights(TorchTensor logits, SamplingRow[] rows) =>
        logits.Sub(logits.amax([1], keepdim: true)).to(ScalarType.Float64).Mul_(Column(rows, r => 1f / r.Temperature)).exp_();

    private TorchTensor Column(SamplingRow[] rows, Func<SamplingRow, double> value) => _transfers.Numbers<double>(Array.ConvertAll(rows, r => value(r))).unsqueeze(1);
}
