using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers;

/// <summary>y = x·W + b; the weight is seen as [in,out], however it is stored.</summary>
internal sealed record Linear(Tensor Weight_IO, Tensor? Bias_O = null)
{
    public int Outputs => Weight_IO.Shape[1];

    public void Apply(ITensorEngine engine, Tensor x_TI, Tensor y_TO, CancellationToken cancel) =>
        engine.MatMul(x_TI, Weight_IO, y_TO, new MatMulEpilogue(Bias_N: Bias_O), cancel);
}

/// <summary>A norm of rows.</summary>
internal abstract record Norm
{
    public abstract void Apply(ITensorEngine engine, Tensor x_TD, Tensor y_TD);
}

/// <summary>x / rms ∘ (offset + gain).</summary>
internal sealed record RmsNorm(Tensor Gain_D, float Epsilon, float Offset = 0) : Norm
{
    public override void Apply(ITensorEngine engine, Tensor x_TD, Tensor y_TD) => engine.RmsNorm(x_TD, Gain_D, Epsilon, Offset, y_TD);
}

/// <summary>(x − mean) / √(variance + ε) ∘ gain + bias.</summary>
internal sealed record LayerNorm(Tensor Gain_D, Tensor Bias_D, float Epsilon) : Norm
{
    public override void Apply(ITensorEngine engine, Tensor x_TD, Tensor y_TD) => engine.LayerNorm(x_TD, Gain_D, Bias_D, Epsilon, y_TD);
}

/// <summary>Queries, keys and values of tokens, side by side in one row [q | k | v].</summary>
internal abstract record QueryKeyValue
{
    /// <summary>Writes [T, (H + 2G)·S].</summary>
    public abstract void Apply(ITensorEngine engine, Tensor x_TD, Tensor qkv_TN, Workspace space, CancellationToken cancel);
}

/// <summary>Three weights (Llama, Gemma).</summary>
internal sealed record SeparateQkv(Linear Query, Linear Key, Linear Value) : QueryKeyValue
{
    public override void Apply(ITensorEngine engine, Tensor x_TD, Tensor qkv_TN, Workspace space, CancellationToken cancel)
    {
        var at = 0;
        foreach (var part in new[] { Query, Key, Value })
        {
            part.Apply(engine, x_TD, qkv_TN.Slice(1, at, part.Outputs), cancel);
            at += part.Outputs;
        }
    }
}

/// <summary>One weight, all queries first, then all keys, then all values (GPT-2).</summary>
internal sealed record FusedQkv(Linear All) : QueryKeyValue
{
    public override void Apply(ITensorEngine engine, Tensor x_TD, Tensor qkv_TN, Workspace space, CancellationToken cancel) => All.Apply(engine, x_TD, qkv_TN, cancel);
}

/// <summary>One weight, head by head: query, key and value of head 0, then of head 1, ... (GPT-NeoX).</summary>
internal sealed record InterleavedQkv(Linear All, int Heads, int HeadWidth) : QueryKeyValue
{
    public override void Apply(ITensorEngine engine, Tensor x_TD, Tensor qkv_TN, Workspace space, CancellationToken cancel)
    {
        var tokens = x_TD.Shape[0];
        var mixed_TN = space.Take("mixed", tokens, 3 * Heads * HeadWidth);
        All.Apply(engine, x_TD, mixed_TN, cancel);
        var from = mixed_TN.Reshape(tokens, Heads, 3, HeadWidth);
        var to = qkv_TN.Reshape(tokens, 3, Heads, HeadWidth);
        for (var part = 0; part < 3; part++)
            engine.Copy(from.Select(2, part), to.Select(1, part));
    }
}

/// <summary>Causal attention of one layer, without its norms and its output projection.</summary>
/// <param name="Qkv">Projections.</param>
/// <param name="Heads">H.</param>
/// <param name="KeyValueHeads">G.</param>
/// <param name="Options">Head width, scale, window, soft cap.</param>
/// <param name="Output">Projection of the concatenated heads back to the residual stream.</param>
internal sealed record AttentionBlock(QueryKeyValue Qkv, int Heads, int KeyValueHeads, AttentionOptions Options, Linear Output)
{
    public int QueryWidth => Heads * Options.HeadWidth;

    public int KeyValueWidth => KeyValueHeads * Options.HeadWidth;

    /// <summary>Writes the concatenated heads z [T, H·S]; keys and values of the batch go into the cache first.</summary>
    public void Apply(ITensorEngine engine, Tensor x_TD, RotaryTable? rotary, TokenBatch batch, (Tensor Keys_BPM, Tensor Values_BPM) cache, Tensor z_TN, Workspace space, CancellationToken cancel)
    {
        var (q_TN, k_TM, v_TM) = Project(engine, x_TD, rotary, batch.Positions, space, cancel);
        int rows = cache.Keys_BPM.Shape[0], positions = cache.Keys_BPM.Shape[1];
        var places = new int[batch.Count];
        foreach (var run in batch.Rows)
        {
            for (var i = 0; i < run.Count; i++) places[run.Token + i] = run.Row * positions + run.Position + i;
        }

        engine.ScatterRows(k_TM, places, cache.Keys_BPM.Reshape(rows * positions, KeyValueWidth));
        engine.ScatterRows(v_TM, places, cache.Values_BPM.Reshape(rows * positions, KeyValueWidth));
        engine.Attention(q_TN, cache.Keys_BPM, cache.Values_BPM, batch.Rows, Options, z_TN, cancel);
    }

    /// <summary>The same for branches, many versions of single tokens: the cache stays as it is, and no version sees another.</summary>
    public void ApplyToBranches(ITensorEngine engine, Tensor x_TD, RotaryTable? rotary, ReadOnlySpan<int> positions, ReadOnlySpan<TokenRun> runs, (Tensor Keys_BPM, Tensor Values_BPM) cache, Tensor z_TN, Workspace space, CancellationToken cancel)
    {
        var (q_TN, k_TM, v_TM) = Project(engine, x_TD, rotary, positions, space, cancel);
        engine.BranchAttention(q_TN, k_TM, v_TM, cache.Keys_BPM, cache.Values_BPM, runs, Options, z_TN, cancel);
    }

    private (Tensor Q_TN, Tensor K_TM, Tensor V_TM) Project(ITensorEngine engine, Tensor x_TD, RotaryTable? rotary, ReadOnlySpan<int> positions, Workspace space, CancellationToken cancel)
    {
        var qkv_TN = space.Take("qkv", positions.Length, QueryWidth + 2 * KeyValueWidth);
        Qkv.Apply(engine, x_TD, qkv_TN, space, cancel);
        Tensor q_TN = qkv_TN.Slice(1, 0, QueryWidth), k_TM = qkv_TN.Slice(1, QueryWidth, KeyValueWidth), v_TM = qkv_TN.Slice(1, QueryWidth + KeyValueWidth, KeyValueWidth);
        if (rotary is not null)
        {
            var (cosine_PR, sine_PR) = rotary.UpTo(Last(positions) + 1);
            engine.Rotary(q_TN, Options.HeadWidth, positions, cosine_PR, sine_PR);
            engine.Rotary(k_TM, Options.HeadWidth, positions, cosine_PR, sine_PR);
        }

        return (q_TN, k_TM, v_TM);
    }

    private static int Last(ReadOnlySpan<int> positions)
    {
        var last = 0;
        foreach (var p in positions) last = Math.Max(last, p);
        return last;
    }
}

/// <summary>The MLP of one layer, without its norms: down(σ(up x)), or down(σ(gate x) ∘ up x) where there is a gate.</summary>
internal sealed record MlpBlock(Linear? Gate, Linear Up, Activation Activation, Linear Down)
{
    // bounds the memory of the wide rows inside
    private const int TokensTogether = 1024;

    public void Apply(ITensorEngine engine, Tensor x_TD, Tensor y_TD, Workspace space, CancellationToken cancel)
    {
        var tokens = x_TD.Shape[0];
        for (var t = 0; t < tokens; t += TokensTogether)
        {
            var n = Math.Min(TokensTogether, tokens - t);
            var up_TN = space.Take("up", n, Up.Outputs);
            Up.Apply(engine, x_TD.Rows(t, n), up_TN, cancel);
            if (Gate is null)
            {
                engine.Activate(up_TN, Activation, up_TN);
            }
            else
            {
                var gate_TN = space.Take("gate", n, Up.Outputs);
                Gate.Apply(engine, x_TD.Rows(t, n), gate_TN, cancel);
                engine.GatedProduct(gate_TN, up_TN, Activation, up_TN);
            }

            Down.Apply(engine, up_TN, y_TD.Rows(t, n), cancel);
        }
    }
}
