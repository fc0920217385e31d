using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Training;

/// <summary>
/// The forward and backward pass of a Llama-shaped model over B rows of T tokens, written out by hand. Dense products are the engine's; what lies
/// between them is done row by row. The same bits for any number of threads: rows are independent, and sums over rows are taken in fixed
/// pieces, in order. N = B·T.
/// </summary>
internal sealed unsafe class LlamaNetwork : IDisposable
{
    private const int Piece = 64; // rows that one piece of work takes, and that one partial sum covers

    private readonly LlamaShape _shape;
    private readonly ITensorEngine _engine;
    private readonly Sharing _sharing;
    private readonly TrainingAttention _attention;
    private readonly int _rows;
    private readonly int _n;
    private readonly List<IDisposable> _owned = [];
    private readonly Trace[] _layers;
    private readonly Tensor _last_ND, _final_ND, _finalRoot_N, _logits_NV;
    private readonly Tensor _dx_ND, _dy_ND, _dz_ND, _dm_NF, _dGateUp_N2F, _dQkv_N3D, _partial_PD;
    private readonly Heads _o, _dO, _dq, _dk, _dv;
    private readonly float[] _cos;
    private readonly float[] _sin;
    private readonly double[] _losses;

    public LlamaNetwork(LlamaShape shape, int rows, ITensorEngine engine)
    {
        (_shape, _rows, _engine, _n) = (shape, rows, engine, rows * shape.Context);
        _sharing = new Sharing(engine.Info.Threads);
        _attention = Own(new TrainingAttention(shape, rows, _sharing));
        var (d, f, n) = (shape.Width, shape.Inner, _n);
        _layers = [.. Enumerable.Range(0, shape.Layers).Select(_ => new Trace(
            New(n, d), New(n, d), New(n), NewHeads(), NewHeads(), NewHeads(), New(rows * shape.Heads, TrainingAttention.PerHead(shape)), New(n, d),
            New(n, d), New(n, d), New(n), New(n, 2 * f), New(n, f)))];
        (_last_ND, _final_ND, _finalRoot_N, _logits_NV) = (New(n, d), New(n, d), New(n), New(n, shape.Vocabulary));
        (_dx_ND, _dy_ND, _dz_ND, _dm_NF, _dGateUp_N2F, _dQkv_N3D) = (New(n, d), New(n, d), New(n, d), New(n, f), New(n, 2 * f), New(n, 3 * d));
        _partial_PD = New(Pieces, d);
        (_o, _dO, _dq, _dk, _dv) = (NewHeads(), NewHeads(), NewHeads(), NewHeads(), NewHeads());
        _losses = new double[n];
        var half = shape.HeadWidth / 2;
        _cos = new float[shape.Context * half];
        _sin = new float[shape.Context * half];
        for (var t = 0; t < shape.Context; t++)
        {
            for (var i = 0; i < half; i++)
            {
                var angle = t * Math.Pow(shape.RopeTheta, -2.0 * i / shape.HeadWidth);
                _cos[(t * half) + i] = (float)Math.Cos(angle);
                _sin[(t * half) + i] = (float)Math.Sin(angle);
            }
        }
    }

    private int Pieces => (_n + Piece - 1) / Piece;

    /// <summary>The sum of the cross-entropies, in nats, of <paramref name="targets"/> (−1: not counted); adds gradients, times <paramref name="scale"/>, when given.</summary>
    /// <param name="ids">[N] row after row.</param>
    /// <param name="targets">[N].</param>
    public double Run(LlamaParameters w, ReadOnlySpan<int> ids, ReadOnlySpan<int> targets, LlamaParameters? gradient = null, float scale = 1)
    {
        Forward(w, ids);
        var loss = Loss(targets.ToArray(), gradient is null ? 0 : scale);
        if (gradient is not null) Backward(w, gradient, ids);
        return loss;
    }

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private void Forward(LlamaParameters w, ReadOnlySpan<int> ids)
    {
        var table = w.Embedding_VD.AsSpan<float>();
        var x = _layers[0].X_ND.AsSpan<float>();
        var d = _shape.Width;
        for (var t = 0; t < _n; t++) table.Slice(ids[t] * d, d).CopyTo(x[(t * d)..]);
        for (var l = 0; l < _layers.Length; l++)
        {
            var (layer, at) = (w.Layers[l], _layers[l]);
            var next_ND = l + 1 < _layers.Length ? _layers[l + 1].X_ND : _last_ND;
            Norm(at.X_ND, layer.AttentionGain_D, at.A_ND, at.Root1_N);
            _engine.MatMul(at.A_ND, layer.Qkv.Transpose(), _dQkv_N3D);
            Split(at);
            _attention.Forward(at.Q, at.K, at.V, at.P, _o);
            Join(_o, at.Z_ND);
            Add(at.X_ND, at.Z_ND, layer.O, at.Mid_ND);
            Norm(at.Mid_ND, layer.MlpGain_D, at.B_ND, at.Root2_N);
            _engine.MatMul(at.B_ND, layer.GateUp.Transpose(), at.GateUp_N2F);
            Each((float* gateUp, float* m) => RowKernels.SwiGlu(gateUp, gateUp + _shape.Inner, m, _shape.Inner), at.GateUp_N2F, at.M_NF);
            Add(at.Mid_ND, at.M_NF, layer.Down, next_ND);
        }

        Norm(_last_ND, w.FinalGain_D, _final_ND, _finalRoot_N);
        _engine.MatMul(_final_ND, w.Embedding_VD.Transpose(), _logits_NV);
    }

    // the losses; logits become their own gradient when scale is not 0
    private double Loss(int[] targets, float scale)
    {
        var v = _shape.Vocabulary;
        var logits = Pointers.Of(_logits_NV);
        _sharing.Run(Pieces, piece =>
        {
            for (var t = piece * Piece; t < Math.Min(_n, (piece + 1) * Piece); t++)
            {
                var row = logits + ((long)t * v);
                _losses[t] = 0;
                if (targets[t] < 0)
                {
                    new Span<float>(row, v).Clear();
                    continue;
                }

                var own = row[targets[t]];
                var sum = RowKernels.Exponentials(row, v, out var max);
                _losses[t] = Math.Log(sum) + max - own;
                if (scale == 0) continue;
                RowKernels.Scale(row, scale / sum, v);
                row[targets[t]] -= scale;
            }
        });
        double total = 0;
        foreach (var loss in _losses) total += loss;
        return total;
    }

    private void Backward(LlamaParameters w, LlamaParameters g, ReadOnlySpan<int> ids)
    {
        var add = new MatMulEpilogue(Accumulate: true);
        _engine.MatMul(_logits_NV, w.Embedding_VD, _dy_ND);
        _engine.MatMul(_logits_NV.Transpose(), _final_ND, g.Embedding_VD, add);
        _dx_ND.AsSpan<float>().Clear();
        NormBackward(_last_ND, _finalRoot_N, w.FinalGain_D, g.FinalGain_D);
        for (var l = _layers.Length - 1; l >= 0; l--)
        {
            var (layer, grad, at) = (w.Layers[l], g.Layers[l], _layers[l]);
            _engine.MatMul(_dx_ND, layer.Down, _dm_NF);
            _engine.MatMul(_dx_ND.Transpose(), at.M_NF, grad.Down, add);
            var f = _shape.Inner;
            Each((float* gateUp, float* dm, float* d) => RowKernels.SwiGluBackward(gateUp, gateUp + f, dm, d, d + f, f), at.GateUp_N2F, _dm_NF, _dGateUp_N2F);
            _engine.MatMul(_dGateUp_N2F.Transpose(), at.B_ND, grad.GateUp, add);
            _engine.MatMul(_dGateUp_N2F, layer.GateUp, _dy_ND);
            NormBackward(at.Mid_ND, at.Root2_N, layer.MlpGain_D, grad.MlpGain_D);

            _engine.MatMul(_dx_ND, layer.O, _dz_ND);
            _engine.MatMul(_dx_ND.Transpose(), at.Z_ND, grad.O, add);
            Part(_dz_ND, _dO);
            _attention.Backward(at.Q, at.K, at.V, at.P, _dO, _dq, _dk, _dv);
            Merge();
            _engine.MatMul(_dQkv_N3D.Transpose(), at.A_ND, grad.Qkv, add);
            _engine.MatMul(_dQkv_N3D, layer.Qkv, _dy_ND);
            NormBackward(at.X_ND, at.Root1_N, layer.AttentionGain_D, grad.AttentionGain_D);
        }

        float* dx = Pointers.Of(_dx_ND), table = Pointers.Of(g.Embedding_VD);
        for (var t = 0; t < _n; t++) RowKernels.Add(dx + ((long)t * _shape.Width), table + ((long)ids[t] * _shape.Width), _shape.Width);
    }

    private void Norm(Tensor x_ND, Tensor gain_D, Tensor y_ND, Tensor root_N)
    {
        float* gain = Pointers.Of(gain_D), root = Pointers.Of(root_N);
        var (n, epsilon) = (_shape.Width, _shape.Epsilon);
        Each((float* x, float* y, float* r) => *r = RowKernels.Norm(x, gain, y, n, epsilon), x_ND, y_ND, root_N);
    }

    // dx += through the norm, from _dy
    private void NormBackward(Tensor x_ND, Tensor root_N, Tensor gain_D, Tensor dGain_D)
    {
        var n = _shape.Width;
        float* x = Pointers.Of(x_ND), root = Pointers.Of(root_N), gain = Pointers.Of(gain_D), dy = Pointers.Of(_dy_ND), dx = Pointers.Of(_dx_ND), partial = Pointers.Of(_partial_PD), dGain = Pointers.Of(dGain_D);
        _sharing.Run(Pieces, piece =>
        {
            var own = partial + ((long)piece * n);
            new Span<float>(own, n).Clear();
            for (var t = piece * Piece; t < Math.Min(_n, (piece + 1) * Piece); t++)
                RowKernels.NormBackward(x + ((long)t * n), root[t], gain, dy + ((long)t * n), dx + ((long)t * n), own, n);
        });
        for (var piece = 0; piece < Pieces; piece++) RowKernels.Add(partial + ((long)piece * n), dGain, n);
    }

    // y = x + a·wᵀ
    private void Add(Tensor x_ND, Tensor a, Tensor w, Tensor y_ND)
    {
        x_ND.AsSpan<float>().CopyTo(y_ND.AsSpan<float>());
        _engine.MatMul(a, w.Transpose(), y_ND, new MatMulEpilogue(Accumulate: true));
    }

    // queries, keys and values by heads; queries and keys turned, queries scaled
    private void Split(Trace at)
    {
        float* qkv = Pointers.Of(_dQkv_N3D), q = Pointers.Of(at.Q.All), k = Pointers.Of(at.K.All), v = Pointers.Of(at.V.All);
        var (d, s) = (_shape.Width, _shape.HeadWidth);
        var scale = 1 / MathF.Sqrt(s);
        EachHead((token, cos, sin, at) =>
        {
            RowKernels.Rotate(qkv + token, cos, sin, 1, scale, q + at, s);
            RowKernels.Rotate(qkv + token + d, cos, sin, 1, 1, k + at, s);
            new Span<float>(qkv + token + (2 * d), s).CopyTo(new Span<float>(v + at, s));
        });
    }

    private void Merge()
    {
        float* qkv = Pointers.Of(_dQkv_N3D), q = Pointers.Of(_dq.All), k = Pointers.Of(_dk.All), v = Pointers.Of(_dv.All);
        var (d, s) = (_shape.Width, _shape.HeadWidth);
        var scale = 1 / MathF.Sqrt(s);
        EachHead((token, cos, sin, at) =>
        {
            RowKernels.Rotate(q + at, cos, sin, -1, scale, qkv + token, s);
            RowKernels.Rotate(k + at, cos, sin, -1, 1, qkv + token + d, s);
            new Span<float>(v + at, s).CopyTo(new Span<float>(qkv + token + (2 * d), s));
        });
    }

    private void Join(Heads o, Tensor z_ND) => Regroup(Pointers.Of(o.All), Pointers.Of(z_ND), toHeads: false);

    private void Part(Tensor z_ND, Heads o) => Regroup(Pointers.Of(o.All), Pointers.Of(z_ND), toHeads: true);

    private void Regroup(float* heads, float* z, bool toHeads)
    {
        var s = _shape.HeadWidth;
        _sharing.Run(_rows, row =>
        {
            for (var t = 0; t < _shape.Context; t++)
            {
                for (var h = 0; h < _shape.Heads; h++)
                {
                    var ofHead = new Span<float>(heads + (((((long)row * _shape.Heads) + h) * _shape.Context) + t) * s, s);
                    var ofToken = new Span<float>(z + ((((long)row * _shape.Context) + t) * _shape.Width) + ((long)h * s), s);
                    (toHeads ? ofToken : ofHead).CopyTo(toHeads ? ofHead : ofToken);
                }
            }
        });
    }

    private delegate void OfHead(long token, float* cos, float* sin, long head);

    // offsets of a head's numbers in the joined [N,3D] and in the head-major tensors
    private void EachHead(OfHead act)
    {
        var (s, half) = (_shape.HeadWidth, _shape.HeadWidth / 2);
        _sharing.Run(_rows, row =>
        {
            fixed (float* cos = _cos, sin = _sin)
            {
                for (var t = 0; t < _shape.Context; t++)
                {
                    for (var h = 0; h < _shape.Heads; h++)
                    {
                        var token = ((((long)row * _shape.Context) + t) * 3 * _shape.Width) + ((long)h * s);
                        var head = (((((long)row * _shape.Heads) + h) * _shape.Context) + t) * s;
                        act(token, cos + (t * half), sin + (t * half), head);
                    }
                }
            }
        });
    }

    private delegate void OfTwo(float* a, float* b);

    private delegate void OfThree(float* a, float* b, float* c);

    private void Each(OfTwo act, Tensor a, Tensor b) => Each((x, y, _) => act(x, y), a, b, b);

    private void Each(OfThree act, Tensor a, Tensor b, Tensor c)
    {
        float* x = Pointers.Of(a), y = Pointers.Of(b), z = Pointers.Of(c);
        long na = a.Count / _n, nb = b.Count / _n, nc = c.Count / _n;
        _sharing.Run(Pieces, piece =>
        {
            for (long t = piece * Piece; t < Math.Min(_n, (piece + 1) * Piece); t++) act(x + (t * na), y + (t * nb), z + (t * nc));
        });
    }

    private Tensor New(params ReadOnlySpan<int> shape) => Own(Tensor.Allocate(DType.F32, shape));

    private Heads NewHeads() => Own(new Heads(_rows * _shape.Heads, _shape.Context, _shape.HeadWidth));

    private T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>What a block keeps for its backward pass: inputs, normed inputs, roots, heads, attention weights, the inside of the MLP.</summary>
    private sealed record Trace(
        Tensor X_ND, Tensor A_ND, Tensor Root1_N, Heads Q, Heads K, Heads V, Tensor P, Tensor Z_ND,
        Tensor Mid_ND, Tensor B_ND, Tensor Root2_N, Tensor GateUp_N2F, Tensor M_NF);
}
