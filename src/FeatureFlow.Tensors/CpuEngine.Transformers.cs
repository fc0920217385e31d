using FeatureFlow.Tensors.Cpu;

namespace FeatureFlow.Tensors;

/// <summary>What transformers need beside products: norms, rotary positions, attention, activations, losses and sampling.</summary>
public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public void ScatterRows(Tensor x_RD, ReadOnlySpan<int> rows, Tensor y_ND)
    {
        using var pinX = x_RD.Pin();
        using var pinY = y_ND.Pin();
        var n = Width("ScatterRows", x_RD);
        var x = Output("ScatterRows", x_RD, pinX, rows.Length, n, out var strideX);
        if (y_ND.Rank != 2) throw TensorErrors.Rank("ScatterRows", 2, y_ND.Shape);
        var y = Output("ScatterRows", y_ND, pinY, y_ND.Shape[0], n, out var strideY);
        for (var i = 0; i < rows.Length; i++)
        {
            if ((uint)rows[i] >= (uint)y_ND.Shape[0]) throw TensorErrors.RowRange(rows[i], 1, y_ND.Shape);
            new Span<float>(x + i * strideX, n).CopyTo(new Span<float>(y + rows[i] * strideY, n));
        }
    }

    /// <inheritdoc/>
    public void Add(Tensor x_TD, Tensor y_TD, Tensor z_TD) => EachPair("Add", x_TD, y_TD, z_TD, new Maps.Sum());

    /// <inheritdoc/>
    public void RmsNorm(Tensor x_TD, Tensor gain_D, float epsilon, float offset, Tensor y_TD)
    {
        using var row = Row("RmsNorm", gain_D, Width("RmsNorm", x_TD));
        var gain = row.Floats;
        EachRow("RmsNorm", x_TD, y_TD, (_, x, y, n) =>
        {
            var squares = Rows.Dot64((byte*)x, DType.F32, sizeof(float), (byte*)x, DType.F32, sizeof(float), n);
            Rows.Normalise(x, 0, (float)(1 / Math.Sqrt(squares / n + epsilon)), gain, offset, null, y, n);
        });
    }

    /// <inheritdoc/>
    public void LayerNorm(Tensor x_TD, Tensor gain_D, Tensor bias_D, float epsilon, Tensor y_TD)
    {
        using var row = Row("LayerNorm", gain_D, Width("LayerNorm", x_TD));
        using var second = Row("LayerNorm", bias_D, Width("LayerNorm", x_TD));
        float* gain = row.Floats, bias = second.Floats;
        EachRow("LayerNorm", x_TD, y_TD, (_, x, y, n) =>
        {
            var mean = Rows.Sum64(x, n) / n;
            var variance = Rows.Squares64(x, mean, n) / n;
            Rows.Normalise(x, (float)mean, (float)(1 / Math.Sqrt(variance + epsilon)), gain, 0, bias, y, n);
        });
    }

    /// <inheritdoc/>
    public void Rotary(Tensor x_TN, int headWidth, ReadOnlySpan<int> positions, Tensor cosine_PR, Tensor sine_PR)
    {
        var width = Width("Rotary", x_TN);
        if (headWidth < 1 || width % headWidth != 0 || positions.Length != x_TN.Shape[0]) throw TensorErrors.Shape("Rotary", $"heads of {headWidth} and {positions.Length} positions do not fit", x_TN);
        if (cosine_PR.Rank != 2 || 2 * cosine_PR.Shape[1] > headWidth || !cosine_PR.Shape.SequenceEqual(sine_PR.Shape))
            throw TensorErrors.Shape("Rotary", $"the tables must be of one shape, no wider than half a head of {headWidth}", cosine_PR, sine_PR);
        using var pin = x_TN.Pin();
        using var pinC = cosine_PR.Pin();
        using var pinS = sine_PR.Pin();
        var x = Output("Rotary", x_TN, pin, positions.Length, width, out var stride);
        int half = cosine_PR.Shape[1], last = cosine_PR.Shape[0];
        var cosine = Output("Rotary", cosine_PR, pinC, last, half, out var strideC);
        var sine = Output("Rotary", sine_PR, pinS, last, half, out _);
        for (var t = 0; t < positions.Length; t++)
        {
            if ((uint)positions[t] >= (uint)last) throw TensorErrors.RowRange(positions[t], 1, cosine_PR.Shape);
            float* c = cosine + positions[t] * strideC, s = sine + positions[t] * strideC, row = x + t * stride;
            for (var head = 0; head < width; head += headWidth) Rows.Turn(row + head, row + head + half, c, s, half);
        }
    }

    /// <inheritdoc/>
    public void Attention(Tensor queries_TN, Tensor keys_BPM, Tensor values_BPM, ReadOnlySpan<TokenRun> runs, AttentionOptions options, Tensor output_TN, CancellationToken cancel = default) =>
        Attend("Attention", queries_TN, null, null, keys_BPM, values_BPM, runs, options, output_TN, cancel);

    /// <inheritdoc/>
    public void BranchAttention(Tensor queries_TN, Tensor keys_TM, Tensor values_TM, Tensor keys_BPM, Tensor values_BPM, ReadOnlySpan<TokenRun> runs, AttentionOptions options, Tensor output_TN, CancellationToken cancel = default) =>
        Attend("BranchAttention", queries_TN, keys_TM, values_TM, keys_BPM, values_BPM, runs, options, output_TN, cancel);

    private void Attend(string name, Tensor queries_TN, Tensor? own_TM, Tensor? ownValues_TM, Tensor keys_BPM, Tensor values_BPM, ReadOnlySpan<TokenRun> runs, AttentionOptions options, Tensor output_TN, CancellationToken cancel)
    {
        int tokens = queries_TN.Shape[0], width = Width(name, queries_TN);
        if (keys_BPM.Rank != 3 || !keys_BPM.Shape.SequenceEqual(values_BPM.Shape)) throw TensorErrors.Shape(name, "keys and values must be [B,P,G·S] alike", keys_BPM, values_BPM);
        int rows = keys_BPM.Shape[0], positions = keys_BPM.Shape[1], kvWidth = keys_BPM.Shape[2], head = options.HeadWidth;
        if (head < 1 || width % head != 0 || kvWidth % head != 0 || width / head % (kvWidth / head) != 0)
            throw TensorErrors.Shape(name, $"heads of {head} do not divide them, or key-value heads do not divide query heads", queries_TN, keys_BPM);
        foreach (var run in runs)
        {
            // branches are one token of the text, whose own place need not be there
            var end = run.Position + (own_TM is null ? run.Count : 0);
            if (run.Count < 0 || run.Token < 0 || run.Token + run.Count > tokens || (uint)run.Row >= (uint)rows || run.Position < 0 || end > positions)
                throw TensorErrors.Shape(name, $"{run} is outside of them", queries_TN, keys_BPM);
        }

        using var pinQ = queries_TN.Pin();
        using var pinK = keys_BPM.Pin();
        using var pinV = values_BPM.Pin();
        using var pinO = output_TN.Pin();
        using var pinOwn = (own_TM ?? keys_BPM).Pin();
        using var pinOwnV = (ownValues_TM ?? values_BPM).Pin();
        var q = Output(name, queries_TN, pinQ, tokens, width, out var strideQ);
        var o = Output(name, output_TN, pinO, tokens, width, out var strideO);
        Tensor keys = keys_BPM.Reshape(rows * positions, kvWidth), values = values_BPM.Reshape(rows * positions, kvWidth);
        var k = Output(name, keys, pinK, rows * positions, kvWidth, out _);
        var v = Output(name, values, pinV, rows * positions, kvWidth, out _);
        (nint, long, nint, long)? own = null;
        if (own_TM is not null)
        {
            var ownK = Output(name, own_TM, pinOwn, tokens, kvWidth, out var strideK);
            var ownV = Output(name, ownValues_TM!, pinOwnV, tokens, kvWidth, out var strideV);
            own = ((nint)ownK, strideK, (nint)ownV, strideV);
        }

        if (own is null && _gemm.Kernel is MicroKernel512 && DecodingKernel.Suits(runs, _workers.Threads, head, width / kvWidth))
        {
            new DecodingKernel(_scratch, options, width / head, kvWidth / head, positions).Run(_workers, runs, q, strideQ, k, v, o, strideO, cancel);
            return;
        }

        new AttentionKernel(_gemm, _scratch, options, width / head, kvWidth / head, positions) { Own = own }.Run(_workers, runs, q, strideQ, k, v, o, strideO, cancel);
    }

    /// <inheritdoc/>
    public void Activate(Tensor x_TN, Activation activation, Tensor y_TN)
    {
        switch (activation)
        {
            case Activation.Gelu: EachPair("Activate", x_TN, x_TN, y_TN, new Maps.Gelu()); break;
            case Activation.GeluTanh: EachPair("Activate", x_TN, x_TN, y_TN, new Maps.GeluTanh()); break;
            case Activation.Silu: EachPair("Activate", x_TN, x_TN, y_TN, new Maps.Silu()); break;
            default: EachPair("Activate", x_TN, x_TN, y_TN, new Maps.Relu()); break;
        }
    }

    /// <inheritdoc/>
    public void GatedProduct(Tensor gate_TN, Tensor up_TN, Activation activation, Tensor y_TN)
    {
        switch (activation)
        {
            case Activation.Gelu: EachPair("GatedProduct", gate_TN, up_TN, y_TN, new Maps.Times<Maps.Gelu>()); break;
            case Activation.GeluTanh: EachPair("GatedProduct", gate_TN, up_TN, y_TN, new Maps.Times<Maps.GeluTanh>()); break;
            case Activation.Silu: EachPair("GatedProduct", gate_TN, up_TN, y_TN, new Maps.Times<Maps.Silu>()); break;
            default: EachPair("GatedProduct", gate_TN, up_TN, y_TN, new Maps.Times<Maps.Relu>()); break;
        }
    }

    /// <inheritdoc/>
    public void SoftCap(Tensor x_TN, float cap, Tensor y_TN) => EachPair("SoftCap", x_TN, x_TN, y_TN, new Maps.SoftCap(cap));

    /// <inheritdoc/>
    public void CrossEntropy(Tensor logits_TV, ReadOnlySpan<int> ids, Tensor loss_T)
    {
        int rows = logits_TV.Shape[0], n = Width("CrossEntropy", logits_TV);
        if (ids.Length != rows) throw TensorErrors.Shape("CrossEntropy", $"{ids.Length} ids are not one for each row", logits_TV);
        foreach (var id in ids)
        {
            if (id < -1 || id >= n) throw TensorErrors.RowRange(id, 1, logits_TV.Shape);
        }

        using var pin = logits_TV.Pin();
        using var pinL = loss_T.Pin();
        var x = Output("CrossEntropy", logits_TV, pin, rows, n, out var stride);
        var loss = Vector("CrossEntropy", loss_T, pinL, rows);
        var wanted = ids.ToArray();
        _workers.Run(rows, CancellationToken.None, t =>
        {
            var row = x + t * stride;
            loss[t] = wanted[t] < 0 ? 0 : (float)(Sampling.LogSumExp(row, n) - row[wanted[t]]);
        });
    }

    /// <inheritdoc/>
    public void Divergence(Tensor p_TV, Tensor q_TV, Tensor divergence_T)
    {
        int rows = p_TV.Shape[0], n = Width("Divergence", p_TV);
        using var pinP = p_TV.Pin();
        using var pinQ = q_TV.Pin();
        using var pinD = divergence_T.Pin();
        var p = Output("Divergence", p_TV, pinP, rows, n, out var strideP);
        var q = Output("Divergence", q_TV, pinQ, rows, n, out var strideQ);
        var divergence = Vector("Divergence", divergence_T, pinD, rows);
        _workers.Run(rows, CancellationToken.None, t => divergence[t] = (float)Sampling.Divergence(p + t * strideP, q + t * strideQ, n));
    }

    /// <inheritdoc/>
    public void SampleRows(Tensor logits_TV, ReadOnlySpan<SamplingRow> rows, Span<int> ids)
    {
        var n = Width("SampleRows", logits_TV);
        if (rows.Length != logits_TV.Shape[0] || ids.Length != rows.Length) throw TensorErrors.Shape("SampleRows", $"{rows.Length} rows and {ids.Length} ids are not one for each row", logits_TV);
        using var pin = logits_TV.Pin();
        var x = Output("SampleRows", logits_TV, pin, rows.Length, n, out var stride);
        var how = rows.ToArray();
        var drawn = new int[rows.Length];
        _workers.Run(rows.Length, CancellationToken.None, t => drawn[t] = Sampling.Draw(x + t * stride, n, how[t]));
        drawn.CopyTo(ids);
    }

    // y = f(x, other), pieces of rows shared out
    private void EachPair<TFunction>(string operation, Tensor x_TN, Tensor other_TN, Tensor y_TN, TFunction f)
        where TFunction : struct, IFunction
    {
        const int piece = 4096;
        int rows = x_TN.Shape[0], n = Width(operation, x_TN);
        using var pinX = x_TN.Pin();
        using var pinO = other_TN.Pin();
        using var pinY = y_TN.Pin();
        var x = Output(operation, x_TN, pinX, rows, n, out var strideX);
        var other = Output(operation, other_TN, pinO, rows, n, out var strideO);
        var y = Output(operation, y_TN, pinY, rows, n, out var strideY);
        var across = Math.Max(1, (n + piece - 1) / piece);
        if ((long)rows * n < WorthSharing)
        {
            for (var t = 0; t < rows; t++) Maps.Run(f, x + t * strideX, other + t * strideO, y + t * strideY, n);
            return;
        }

        var together = Math.Max(1, WorthSharing / 4 / Math.Max(1, n));
        if (across == 1)
        {
            _workers.Run((rows + together - 1) / together, CancellationToken.None, p =>
            {
                for (var t = p * together; t < Math.Min(rows, (p + 1) * together); t++) Maps.Run(f, x + t * strideX, other + t * strideO, y + t * strideY, n);
            });
            return;
        }

        _workers.Run(rows * across, CancellationToken.None, p =>
        {
            int t = p / across, j = p % across * piece;
            Maps.Run(f, x + t * strideX + j, other + t * strideO + j, y + t * strideY + j, Math.Min(piece, n - j));
        });
    }
}
