using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>
/// Batches of shuffled activations: the buffer is filled, shuffled by the seed and its own number, dealt out, and filled again. Which tokens batch n
/// holds follows from n alone, so a checkpoint needs no more than the number of its step: the buffer is then filled once more.
/// </summary>
internal sealed class ActivationStream : IDisposable
{
    private readonly ITensorEngine _engine;
    private readonly IActivationSource _source;
    private readonly int _batch;
    private readonly int _batchesOfBuffer;
    private readonly long _batchesOfEpoch;
    private readonly ulong _seed;
    private readonly Tensor?[] _buffer_ND;
    private readonly Tensor?[] _batch_ND;
    private (long Epoch, long Buffer)? _held;
    private int[] _order = [];

    public ActivationStream(ITensorEngine engine, IActivationSource source, IReadOnlySet<int> wanted, int batch, int bufferTokens, ulong seed)
    {
        (_engine, _source, _batch, _seed) = (engine, source, batch, seed);
        _batchesOfEpoch = source.RowsPerEpoch / batch;
        if (_batchesOfEpoch == 0) throw SaeErrors.TooFewTokens(source.RowsPerEpoch, batch);
        _batchesOfBuffer = (int)Math.Min(bufferTokens / batch, _batchesOfEpoch);
        _buffer_ND = [.. source.Sites.Select((s, i) => wanted.Contains(i) ? engine.Allocate(DType.F32, _batchesOfBuffer * batch, s.Width) : null)];
        _batch_ND = [.. source.Sites.Select((s, i) => wanted.Contains(i) ? engine.Allocate(DType.F32, batch, s.Width) : null)];
    }

    /// <summary>Batch <paramref name="number"/> from 0: [batch,d] for every wanted site, valid until the next call.</summary>
    public IReadOnlyList<Tensor?> Batch(long number, CancellationToken cancel)
    {
        var (epoch, inEpoch) = Math.DivRem(number, _batchesOfEpoch);
        var (buffer, inBuffer) = Math.DivRem(inEpoch, _batchesOfBuffer);
        Hold(epoch, buffer, cancel);
        var rows = _order.AsSpan((int)inBuffer * _batch, _batch);
        for (var i = 0; i < _buffer_ND.Length; i++)
        {
            if (_buffer_ND[i] is { } from) _engine.GatherRows(from, rows, _batch_ND[i]!);
        }

        return _batch_ND;
    }

    /// <summary>The first tokens of the run, at most <paramref name="most"/>: what SAEs are initialised from.</summary>
    public IReadOnlyList<Tensor?> First(int most, CancellationToken cancel)
    {
        Hold(0, 0, cancel);
        return [.. _buffer_ND.Select(x => x?.Rows(0, Math.Min(most, x.Shape[0])))];
    }

    public void Dispose()
    {
        foreach (var tensor in _buffer_ND.Concat(_batch_ND)) tensor?.Dispose();
    }

    private void Hold(long epoch, long buffer, CancellationToken cancel)
    {
        if (_held == (epoch, buffer)) return;
        _held = null;
        var first = buffer * _batchesOfBuffer;
        var rows = (int)Math.Min(_batchesOfBuffer, _batchesOfEpoch - first) * _batch;
        _source.Read((int)epoch, first * _batch, [.. _buffer_ND.Select(x => x?.Rows(0, rows))], cancel);
        _order = [.. Enumerable.Range(0, rows)];
        new Prng(_seed, (ulong)epoch, (ulong)buffer).Shuffle(_order.AsSpan());
        _held = (epoch, buffer);
    }
}
