using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Training;

/// <summary>
/// Causal attention of training rows and its gradient. Every (row, head) is a piece of work of its own: small products on one thread, all pieces side by
/// side. Queries go in blocks, so that half of what the mask would throw away is never computed. Tensors are head-major, [B,H,T,S].
/// </summary>
internal sealed unsafe class TrainingAttention(LlamaShape shape, int rows, Sharing sharing) : IDisposable
{
    private const int MaxBlock = 128;

    private readonly CpuEngine _engine = new(threads: 1);
    private readonly int _block = shape.Context % MaxBlock == 0 ? MaxBlock : shape.Context;
    private readonly Tensor _dp = Tensor.Allocate(DType.F32, rows * shape.Heads, PerHead(shape));

    /// <summary>Numbers of attention weights kept of one head: each block of queries by the keys up to its end.</summary>
    public static int PerHead(LlamaShape shape)
    {
        var block = shape.Context % MaxBlock == 0 ? MaxBlock : shape.Context;
        return Enumerable.Range(1, shape.Context / block).Sum(b => block * b * block);
    }

    /// <summary>o = softmax(q·kᵀ)·v, weights kept in p; q is scaled already.</summary>
    public void Forward(Heads q, Heads k, Heads v, Tensor p, Heads o) => sharing.Run(rows * shape.Heads, piece =>
    {
        foreach (var (start, keys, offset) in Blocks())
        {
            var p_QK = Weights(p, piece, offset, keys);
            _engine.MatMul(q.Rows(piece, start, _block), k.Rows(piece, 0, keys).Transpose(), p_QK);
            var x = Pointers.Of(p_QK);
            for (var i = 0; i < _block; i++, x += keys)
            {
                var seen = start + i + 1;
                var sum = RowKernels.Exponentials(x, seen, out _);
                RowKernels.Scale(x, 1 / sum, seen);
                new Span<float>(x + seen, keys - seen).Clear();
            }

            _engine.MatMul(p_QK, v.Rows(piece, 0, keys), o.Rows(piece, start, _block));
        }
    });

    /// <summary>The gradients of q, k and v from that of o.</summary>
    public void Backward(Heads q, Heads k, Heads v, Tensor p, Heads dO, Heads dq, Heads dk, Heads dv) => sharing.Run(rows * shape.Heads, piece =>
    {
        foreach (var (start, keys, offset) in Blocks().Reverse())
        {
            // the last block has all keys: it writes what the others add to
            var add = new MatMulEpilogue(Accumulate: keys < shape.Context);
            var (p_QK, ds_QK, dO_QS) = (Weights(p, piece, offset, keys), Weights(_dp, piece, offset, keys), dO.Rows(piece, start, _block));
            _engine.MatMul(p_QK.Transpose(), dO_QS, dv.Rows(piece, 0, keys), add);
            _engine.MatMul(dO_QS, v.Rows(piece, 0, keys).Transpose(), ds_QK);
            float* x = Pointers.Of(p_QK), d = Pointers.Of(ds_QK);
            for (var i = 0; i < _block; i++, x += keys, d += keys)
            {
                var seen = start + i + 1;
                RowKernels.SoftmaxBackward(x, d, seen);
                new Span<float>(d + seen, keys - seen).Clear();
            }

            _engine.MatMul(ds_QK, k.Rows(piece, 0, keys), dq.Rows(piece, start, _block));
            _engine.MatMul(ds_QK.Transpose(), q.Rows(piece, start, _block), dk.Rows(piece, 0, keys), add);
        }
    });

    public void Dispose()
    {
        _engine.Dispose();
        _dp.Dispose();
    }

    private IEnumerable<(int Start, int Keys, int Offset)> Blocks()
    {
        for (var (start, offset) = (0, 0); start < shape.Context; start += _block)
        {
            var keys = start + _block;
            yield return (start, keys, offset);
            offset += _block * keys;
        }
    }

    private Tensor Weights(Tensor p, int piece, int offset, int keys) =>
        new(p.Storage, DType.F32, [_block, keys], p.ByteOffset + (sizeof(float) * (((long)piece * p.Shape[1]) + offset)));
}

/// <summary>[B·H,T,S] numbers of all heads of all rows.</summary>
internal sealed class Heads(int count, int length, int width) : IDisposable
{
    private readonly Tensor _all = Tensor.Allocate(DType.F32, count * length, width);

    public Tensor All => _all;

    public Tensor Rows(int head, int start, int rows) => _all.Rows((head * length) + start, rows);

    public void Dispose() => _all.Dispose();
}
