using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// Keys and values of every layer, [rows, capacity, G·S] float32 each, growing as it fills. Rows are of their own lengths; a row can be
/// copied to others (samples that share a prompt) and cut back (a token computed anew). Belongs to one caller at a time.
/// </summary>
public sealed class KvCache : IDisposable
{
    private const int Step = 64;

    private readonly ITensorEngine _engine;
    private readonly int _width;
    private readonly int[] _lengths;
    private Tensor[] _keys;
    private Tensor[] _values;

    internal KvCache(ITensorEngine engine, int layers, int width, int rows, int capacity)
    {
        _engine = engine;
        _width = width;
        _lengths = new int[rows];
        Capacity = Math.Max(1, capacity + 15 & ~15); // attention reads keys sixteen at a time
        _keys = [.. Enumerable.Range(0, layers).Select(_ => engine.Allocate(DType.F32, rows, Capacity, width))];
        _values = [.. Enumerable.Range(0, layers).Select(_ => engine.Allocate(DType.F32, rows, Capacity, width))];
    }

    /// <summary>Positions filled, by row.</summary>
    public IReadOnlyList<int> Lengths => _lengths;

    /// <summary>Rows.</summary>
    public int Rows => _lengths.Length;

    /// <summary>Positions that fit before it grows.</summary>
    public int Capacity { get; private set; }

    /// <summary>Copies what <paramref name="from"/> holds to other rows of this cache.</summary>
    public void CopyRow(int from, params ReadOnlySpan<int> to)
    {
        foreach (var row in to)
        {
            if (row == from) continue;
            foreach (var layer in _keys.Concat(_values)) _engine.Copy(Part(layer, from, 0, _lengths[from]), Part(layer, row, 0, _lengths[from]));
            _lengths[row] = _lengths[from];
        }
    }

    /// <summary>Copies the first <paramref name="length"/> positions of a row of another cache of the same model to a row of this one.</summary>
    /// <param name="other">The other cache.</param>
    /// <param name="otherRow">Its row.</param>
    /// <param name="row">The row of this one.</param>
    /// <param name="length">How many positions.</param>
    /// <param name="firstLayer">From this layer on; what is below is left, and must not be read.</param>
    public void CopyFrom(KvCache other, int otherRow, int row, int length, int firstLayer = 0)
    {
        if (other._keys.Length != _keys.Length || other._width != _width || length > other._lengths[otherRow]) throw ModelErrors.CacheMismatch("it is of another model, or shorter");
        Reserve(length);
        for (var l = firstLayer; l < _keys.Length; l++)
        {
            _engine.Copy(Part(other._keys[l], otherRow, 0, length), Part(_keys[l], row, 0, length));
            _engine.Copy(Part(other._values[l], otherRow, 0, length), Part(_values[l], row, 0, length));
        }

        _lengths[row] = length;
    }

    /// <summary>Forgets all positions of a row from <paramref name="length"/> on.</summary>
    public void Truncate(int row, int length) => _lengths[row] = Math.Min(_lengths[row], length);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _keys.Concat(_values)) layer.Dispose();
    }

    internal (Tensor Keys, Tensor Values) Layer(int layer) => (_keys[layer], _values[layer]);

    internal void Reserve(int positions)
    {
        if (positions <= Capacity) return;
        var wider = Math.Max((positions + Step - 1) / Step * Step, Math.Min(2 * Capacity, Capacity + 4096));
        _keys = [.. _keys.Select(Grown)];
        _values = [.. _values.Select(Grown)];
        Capacity = wider;

        Tensor Grown(Tensor old)
        {
            var grown = _engine.Allocate(DType.F32, Rows, wider, _width);
            for (var row = 0; row < Rows; row++)
            {
                if (_lengths[row] > 0) _engine.Copy(Part(old, row, 0, _lengths[row]), Part(grown, row, 0, _lengths[row]));
            }

            old.Dispose();
            return grown;
        }
    }

    internal void Advance(ReadOnlySpan<TokenRun> rows)
    {
        foreach (var row in rows) _lengths[row.Row] = row.Position + row.Count;
    }

    private static Tensor Part(Tensor layer, int row, int start, int count) => layer.Slice(0, row, 1).Slice(1, start, count);
}
