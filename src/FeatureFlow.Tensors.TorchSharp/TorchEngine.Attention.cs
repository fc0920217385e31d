namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// Attention over the cache. Query heads that share a key-value head stand below one another, as more queries of it. libtorch's fused attention where scores are plain; products and a
/// softmax where they are capped, and on processors for single tokens. The cache is read where it lies: neither copies it.
/// </summary>
public sealed partial class TorchEngine
{
    private readonly List<(MaskKey Key, TorchTensor Mask)> _masks = [];

    /// <inheritdoc/>
    public void Attention(Tensor queries_TN, Tensor keys_BPM, Tensor values_BPM, ReadOnlySpan<TokenRun> runs, AttentionOptions options, Tensor output_TN, CancellationToken cancel = default)
    {
        int tokens = queries_TN.Shape[0], width = Width("Attention", queries_TN);
        if (keys_BPM.Rank != 3 || !keys_BPM.Shape.SequenceEqual(values_BPM.Shape)) throw TensorErrors.Shape("Attention", "keys and values must be [B,P,G·S] alike", keys_BPM, values_BPM);
        int rows = keys_BPM.Shape[0], positions = keys_BPM.Shape[1], kvWidth = keys_BPM.Shape[2], head = options.HeadWidth;
        if (head < 1 || width % head != 0 || kvWidth % head != 0 || width / head % (kvWidth / head) != 0)
            throw TensorErrors.Shape("Attention", $"heads of {head} do not divide them, or key-value heads do not divide query heads", queries_TN, keys_BPM);
        foreach (var run in runs)
        {
            if (run.Count < 0 || run.Token < 0 || run.Token + run.Count > tokens || (uint)run.Row >= (uint)rows || run.Position < 0 || run.Position + run.Count > positions)
                throw TensorErrors.Shape("Attention", $"{run} is outside of them", queries_TN, keys_BPM);
        }

        CheckRows("Attention", queries_TN, tokens, width);
        CheckRows("Attention", output_TN, tokens, width);
        CheckRows("Attention", keys_BPM.Reshape(rows * positions, kvWidth), rows * positions, kvWidth);
        CheckRows("Attention", values_BPM.Reshape(rows * positions, kvWidth), rows * positions, kvWidth);
        if (tokens == 0) return;

        // runs of one length side by side: a step of generation is one batch
        var batches = runs.ToArray().Where(r => r.Count > 0).GroupBy(r => r.Count).Select(g => g.ToArray()).ToArray();
        _thread.Run(() =>
        {
            var (q, k, v, o) = (View(queries_TN), View(keys_BPM), View(values_BPM), Target(output_TN, read: true));
            foreach (var batch in batches) Attend(q, k, v, o, batch, options, cancel);
            Commit(o, output_TN);
        });
    }

    // Runs of one length against their rows of the cache, in blocks of queries whose scores fit. Letters: b runs, n queries of a block, G key-value heads, f query heads of each, S head width
    private void Attend(TorchTensor q, TorchTensor k, TorchTensor v, TorchTensor o, TokenRun[] runs, AttentionOptions options, CancellationToken cancel)
    {
        int count = runs[0].Count, head = options.HeadWidth, b = runs.Length;
        long groups = k.shape[2] / head, fold = q.shape[1] / head / groups;
        var starts = Array.ConvertAll(runs, r => r.Position);
        int first = options.Window > 0 ? Math.Max(0, starts.Min() - options.Window + 1) : 0, last = starts.Max() + count;
        var rows = Array.ConvertAll(runs, r => r.Row);
        TorchTensor Cache(TorchTensor x) => (IsRun(rows) ? x.narrow(0, rows[0], b) : x.index_select(0, Indices(rows))).narrow(1, first, last - first).unflatten(2, [groups, head]).permute(0, 2, 1, 3); // [b,G,P,S]

        TorchTensor keys = Cache(k), values = Cache(v);
        var inOrder = Enumerable.Range(0, b).All(i => runs[i].Token == runs[0].Token + i * count);
        Blocks("Attention", count, (long)b * groups * fold * (last - first) * 12, cancel, (at, n) =>
        {
            var end = Math.Min(last, starts.Max() + at + n) - first;
            var straight = inOrder && (n == count || b == 1);
            var places = straight ? null : Indices([.. runs.SelectMany(r => Enumerable.Range(r.Token + at, n))]);
            TorchTensor Heads(TorchTensor x) => x.unflatten(1, [groups, fold, head]).unflatten(0, [b, n]).permute(0, 2, 3, 1, 4); // [b,G,f,n,S]

            var mine = Heads(places is null ? q.narrow(0, runs[0].Token + at, b * n) : q.index_select(0, places)).reshape(b, groups, fold * n, head);
            TorchTensor blockKeys = keys.narrow(2, 0, end), blockValues = values.narrow(2, 0, end);
            var result = (options.SoftCap > 0 || (n == 1 && (b == 1 || _card is null)) ? Plain() : Fused()).view(b, groups, fold, n, head);
            if (places is null) Heads(o.narrow(0, runs[0].Token + at, b * n)).copy_(result);
            else o.index_copy_(0, places, result.permute(0, 3, 1, 2, 4).reshape((long)b * n, -1));

            TorchTensor Plain()
            {
                var scores = Products(mine, blockKeys.transpose(2, 3)).Mul_(options.Scale);
                if (options.SoftCap > 0) scores = scores.Div_(options.SoftCap).tanh_().Mul_(options.SoftCap);
                if (Mask(starts, at, n, first, end, options.Window) is { } mask) scores.view(b, groups, fold, n, end).Add_(mask.unsqueeze(2));
                return Products(scores.softmax(-1), blockValues);
            }

            TorchTensor Fused()
            {
                // its own scale is 1/√S; its own causal mask is for queries from the first position on
                var scale = options.Scale * Math.Sqrt(head);
                var scaled = Math.Abs(scale - 1) < 1e-6 ? mine : mine.Mul((float)scale);
                var causal = fold == 1 && n == end && options.Window == 0 && n > 1 && starts.All(s => s == 0);
                var mask = causal ? null : Mask(starts, at, n, first, end, options.Window);
                if (mask is not null && fold > 1) mask = mask.unsqueeze(2).expand(b, 1, fold, n, end).reshape(b, 1, fold * n, end);
                return Torch.nn.functional.scaled_dot_product_attention(scaled, blockKeys, blockValues, mask, 0, causal);
            }
        });
    }

    // [b,G,m,k]·[b,G,k,n], the second seen in the cache: rows and heads are no single batch there, so it is one product for each row or for each head, whichever are fewer
    private static TorchTensor Products(TorchTensor x, TorchTensor y)
    {
        var along = x.shape[0] <= x.shape[1] ? 0 : 1;
        var parts = Enumerable.Range(0, (int)x.shape[along]).Select(i => x.select(along, i).bmm(y.select(along, i))).ToArray();
        return parts.Length == 1 ? parts[0].unsqueeze(along) : Torch.stack(parts, along);
    }

    // [b,1,n,P] of 0 and −∞: which positions from first to end the queries at starts + at .. + n see; null where they see all. Every layer asks for the same one or two.
    private TorchTensor? Mask(int[] starts, int at, int n, int first, int end, int window)
    {
        if (n == 1 && starts.All(s => s + at == first + end - 1 && (window == 0 || s + at - window < first))) return null;
        var key = new MaskKey(starts, at, n, first, end, window);
        var known = _masks.FindIndex(m => m.Key.Equals(key));
        if (known >= 0) return _masks[known].Mask.alias();
        TorchTensor place = Numbers.Range(first, first + end, _device).view(1, 1, 1, -1), query = Indices(starts).view(-1, 1, 1, 1).Add(Numbers.Range(at, at + n, _device).view(1, 1, -1, 1));
        var hidden = place.Greater(query);
        if (window > 0) hidden = hidden.logical_or(place.AtMost(query.Sub(window)));
        var mask = Torch.zeros([starts.Length, 1, n, end], ScalarType.Float32, _device).Fill_(hidden, float.NegativeInfinity);
        if (mask.numel() > 1 << 22) return mask;
        if (_masks.Count == 4) ForgetMasks();
        _masks.Add((key, mask.DetachFromDisposeScope()));
        return mask.alias();
    }

    private void ForgetMasks()
    {
        foreach (var (_, mask) in _masks) mask.Dispose();
        _masks.Clear();
    }

    private readonly record struct MaskKey(int[] Starts, int At, int Count, int First, int End, int Window)
    {
        public bool Equals(MaskKey other) => (At, Count, First, End, Window) == (other.At, other.Count, other.First, other.End, other.Window) && Starts.AsSpan().SequenceEqual(other.Starts);

        public override int GetHashCode() => HashCode.Combine(At, Count, First, End, Window, Starts.Length);
    }
}
