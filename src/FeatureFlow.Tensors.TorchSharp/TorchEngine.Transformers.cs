namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>What transformers need beside products. Token ids alone come back to the host.</summary>
public sealed partial class TorchEngine
{
    /// <inheritdoc/>
    public void RmsNorm(Tensor x_TD, Tensor gain_D, float epsilon, float offset, Tensor y_TD)
    {
        CheckVector("RmsNorm", gain_D, Width("RmsNorm", x_TD));
        EachRow("RmsNorm", x_TD, y_TD, () => offset == 0 ? Float(gain_D) : Float(gain_D).Add(offset), (x, gain, y) =>
        {
            var scale = x.Squared().mean([1], keepdim: true).Add_(epsilon).rsqrt_();
            y.copy_(x.Mul(scale).Mul_(gain));
        });
    }

    /// <inheritdoc/>
    public void LayerNorm(Tensor x_TD, Tensor gain_D, Tensor bias_D, float epsilon, Tensor y_TD)
    {
        var width = Width("LayerNorm", x_TD);
        CheckVector("LayerNorm", gain_D, width);
        CheckVector("LayerNorm", bias_D, width);
        EachRow("LayerNorm", x_TD, y_TD, null, (x, _, y) => y.copy_(Torch.nn.functional.layer_norm(x, [width], Float(gain_D), Float(bias_D), epsilon)));
    }

    /// <inheritdoc/>
    public void Rotary(Tensor x_TN, int headWidth, ReadOnlySpan<int> positions, Tensor cosine_PR, Tensor sine_PR)
    {
        var width = Width("Rotary", x_TN);
        if (headWidth < 1 || width % headWidth != 0 || positions.Length != x_TN.Shape[0]) throw TensorErrors.Shape("Rotary", $"heads of {headWidth} and {positions.Length} positions do not fit", x_TN);
        if (cosine_PR.Rank != 2 || 2 * cosine_PR.Shape[1] > headWidth || !cosine_PR.Shape.SequenceEqual(sine_PR.Shape))
            throw TensorErrors.Shape("Rotary", $"the tables must be of one shape, no wider than half a head of {headWidth}", cosine_PR, sine_PR);
        CheckRows("Rotary", x_TN, positions.Length, width);
        CheckRows("Rotary", cosine_PR, cosine_PR.Shape[0], cosine_PR.Shape[1]);
        CheckRows("Rotary", sine_PR, cosine_PR.Shape[0], cosine_PR.Shape[1]);
        foreach (var position in positions)
        {
            if ((uint)position >= (uint)cosine_PR.Shape[0]) throw TensorErrors.RowRange(position, 1, cosine_PR.Shape);
        }

        if (x_TN.Count == 0) return;
        var (at, half) = (positions.ToArray(), cosine_PR.Shape[1]);
        _thread.Run(() =>
        {
            var (x, places) = (Target(x_TN, read: true), Indices(at));
            TorchTensor cosine = View(cosine_PR).index_select(0, places).unsqueeze(1), sine = View(sine_PR).index_select(0, places).unsqueeze(1);
            Blocks("Rotary", at.Length, width * 16L, default, (first, n) =>
            {
                var heads = x.narrow(0, first, n).unflatten(1, [width / headWidth, headWidth]);
                TorchTensor c = cosine.narrow(0, first, n), s = sine.narrow(0, first, n), low = heads.narrow(2, 0, half), high = heads.narrow(2, half, half);
                var turned = low.Mul(c).sub_(high.Mul(s));
                high.copy_(high.Mul(c).Add_(low.Mul(s)));
                low.copy_(turned);
            });
            Commit(x, x_TN);
        });
    }

    /// <inheritdoc/>
    public void Activate(Tensor x_TN, Activation activation, Tensor y_TN) => EachRow("Activate", x_TN, y_TN, null, (x, _, y) => y.copy_(Activated(x, activation)));

    /// <inheritdoc/>
    public void GatedProduct(Tensor gate_TN, Tensor up_TN, Activation activation, Tensor y_TN) =>
        EachPair("GatedProduct", gate_TN, up_TN, y_TN, InPlace(up_TN, y_TN) ? (gate, up, _) => up.Mul_(Activated(gate, activation)) : (gate, up, y) => y.copy_(Activated(gate, activation).Mul_(up)));

    /// <inheritdoc/>
    public void SoftCap(Tensor x_TN, float cap, Tensor y_TN) => EachRow("SoftCap", x_TN, y_TN, null, (x, _, y) => y.copy_(x.Div(cap).tanh_().Mul_(cap)));

    /// <inheritdoc/>
    public void CrossEntropy(Tensor logits_TV, ReadOnlySpan<int> ids, Tensor loss_T)
    {
        int rows = logits_TV.Shape[0], n = Width("CrossEntropy", logits_TV);
        if (ids.Length != rows) throw TensorErrors.Shape("CrossEntropy", $"{ids.Length} ids are not one for each row", logits_TV);
        foreach (var id in ids)
        {
            if (id < -1 || id >= n) throw TensorErrors.RowRange(id, 1, logits_TV.Shape);
        }

        CheckRows("CrossEntropy", logits_TV, rows, n);
        CheckVectorTarget("CrossEntropy", loss_T, rows);
        if (rows == 0) return;
        var wanted = ids.ToArray();
        _thread.Run(() =>
        {
            var (x, loss, places) = (View(logits_TV), Target(loss_T), Indices(wanted));
            Blocks("CrossEntropy", rows, n * 24L, default, (at, count) =>
            {
                var wide = x.narrow(0, at, count).to(ScalarType.Float64);
                var id = places.narrow(0, at, count);
                var chosen = wide.gather(1, id.NoLess(0).unsqueeze(1)).squeeze(1);
                var value = wide.logsumexp(1).sub_(chosen);
                loss.narrow(0, at, count).copy_(Torch.where(id.Less(0), Torch.zeros_like(value), value));
            });
            Commit(loss, loss_T);
        });
    }

    /// <inheritdoc/>
    public void Divergence(Tensor p_TV, Tensor q_TV, Tensor divergence_T)
    {
        int rows = p_TV.Shape[0], n = Width("Divergence", p_TV);
        CheckRows("Divergence", p_TV, rows, n);
        CheckRows("Divergence", q_TV, rows, n);
        CheckVectorTarget("Divergence", divergence_T, rows);
        if (rows == 0) return;
        _thread.Run(() =>
        {
            var (p, q, divergence) = (View(p_TV), View(q_TV), Target(divergence_T));
            Blocks("Divergence", rows, n * 48L, default, (at, count) =>
            {
                var logP = Normalised(p.narrow(0, at, count));
                var logQ = Normalised(q.narrow(0, at, count));
                divergence.narrow(0, at, count).copy_(logP.exp().Mul(logP.Sub(logQ)).sum(1).NoLess(0));
            });
            Commit(divergence, divergence_T);
        });

        static TorchTensor Normalised(TorchTensor logits)
        {
            var wide = logits.to(ScalarType.Float64);
            return wide.Sub(wide.logsumexp(1).unsqueeze(1));
        }
    }

    private const float GeluSlope = 2 * 0.7978845608f, GeluCube = GeluSlope * 0.044715f;

    private TorchTensor Activated(TorchTensor x, Activation activation)
    {
        switch (activation)
        {
            case Activation.Gelu: return Torch.nn.functional.gelu(x);
            case Activation.GeluTanh: return x.Squared().Mul_(GeluCube).Add_(GeluSlope).Mul_(x).sigmoid_().Mul_(x); // (1 + tanh u) / 2 = sigmoid 2u
            case Activation.Silu: return Torch.nn.functional.silu(x);
            default: return Positive(x);
        }
    }
}
