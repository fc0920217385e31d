namespace FeatureFlow.Tensors;

/// <summary>
/// A strided view of numbers: an element type, a shape and a <see cref="Storage"/>. Views share storage; only the tensor that
/// an engine allocated gives it back when disposed. Weights read from files are views of the mapped file, in their stored type.
/// </summary>
public sealed class Tensor : IDisposable
{
    private readonly int[] _shape;
    private readonly long[] _strides;
    private readonly bool _owner;

    /// <summary>What the built-in engine keeps of a constant weight, or null.</summary>
    internal Cpu.PackedWeights? Packed;

    /// <summary>A contiguous (row-major) tensor at <paramref name="byteOffset"/> of <paramref name="storage"/>.</summary>
    /// <param name="owner">True when disposing the tensor gives the storage back.</param>
    public Tensor(Storage storage, DType type, ReadOnlySpan<int> shape, long byteOffset = 0, bool owner = false)
        : this(storage, type, shape.ToArray(), RowMajor(shape), byteOffset, owner)
    {
    }

    private Tensor(Storage storage, DType type, int[] shape, long[] strides, long byteOffset, bool owner)
    {
        Storage = storage;
        DType = type;
        _shape = shape;
        _strides = strides;
        ByteOffset = byteOffset;
        _owner = owner;
    }

    /// <summary>The bytes behind it.</summary>
    public Storage Storage { get; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Where the first element is, in bytes from the start of the storage.</summary>
    public long ByteOffset { get; }

    /// <summary>Extent of each axis.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>Step of each axis, in elements.</summary>
    public ReadOnlySpan<long> Strides => _strides;

    /// <summary>Number of axes.</summary>
    public int Rank => _shape.Length;

    /// <summary>Number of elements.</summary>
    public long Count
    {
        get
        {
            long n = 1;
            foreach (var s in _shape) n *= s;
            return n;
        }
    }

    /// <summary>True when elements lie row-major without gaps.</summary>
    public bool IsContiguous => _strides.AsSpan().SequenceEqual(RowMajor(_shape));

    /// <summary>A new host tensor, zeroed, that owns its memory.</summary>
    public static Tensor Allocate(DType type, params ReadOnlySpan<int> shape)
    {
        long n = type.Size();
        foreach (var s in shape) n = checked(n * s);
        return new Tensor(HostStorage.Allocate(n), type, shape, owner: true);
    }

    /// <summary>A new host float32 tensor with these values.</summary>
    public static Tensor From(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        var t = Allocate(DType.F32, shape);
        values.CopyTo(t.AsSpan<float>());
        return t;
    }

    /// <summary>[M,N] seen as [N,M], without moving anything.</summary>
    public Tensor Transpose()
    {
        if (Rank != 2) throw TensorErrors.Rank("Transpose", 2, _shape);
        return new Tensor(Storage, DType, [_shape[1], _shape[0]], [_strides[1], _strides[0]], ByteOffset, owner: false);
    }

    /// <summary>Rows <paramref name="start"/> ... of the first axis.</summary>
    public Tensor Rows(int start, int count)
    {
        if ((uint)start > (uint)_shape[0] || (uint)count > (uint)(_shape[0] - start)) throw TensorErrors.RowRange(start, count, _shape);
        return new Tensor(Storage, DType, [count, .. _shape[1..]], _strides, ByteOffset + start * _strides[0] * DType.Size(), owner: false);
    }

    /// <summary>Entries <paramref name="start"/> ... of one axis: columns of a matrix, one of several interleaved parts.</summary>
    public Tensor Slice(int axis, int start, int count)
    {
        if ((uint)axis >= (uint)Rank || (uint)start > (uint)_shape[axis] || (uint)count > (uint)(_shape[axis] - start)) throw TensorErrors.Slice(axis, start, count, _shape);
        int[] shape = [.. _shape];
        shape[axis] = count;
        return new Tensor(Storage, DType, shape, _strides, ByteOffset + start * _strides[axis] * DType.Size(), owner: false);
    }

    /// <summary>One entry of an axis, which then is gone from the shape.</summary>
    public Tensor Select(int axis, int index)
    {
        var one = Slice(axis, index, 1);
        return new Tensor(Storage, DType, [.. one._shape[..axis], .. one._shape[(axis + 1)..]], [.. _strides[..axis], .. _strides[(axis + 1)..]], one.ByteOffset, owner: false);
    }

    /// <summary>The same elements under another shape; the tensor must be contiguous.</summary>
    public Tensor Reshape(params ReadOnlySpan<int> shape)
    {
        var view = new Tensor(Storage, DType, shape, ByteOffset);
        if (!IsContiguous || view.Count != Count) throw TensorErrors.Reshape(_shape, shape);
        return view;
    }

    /// <summary>Holds the host memory; the pointer is that of the first element.</summary>
    public HostPin Pin() => Host().Pin();

    /// <summary>
    /// The elements of a contiguous host tensor of up to 2^31 elements. The span keeps allocated memory alive; a mapped file must
    /// stay open as long as it is read.
    /// </summary>
    public unsafe Span<T> AsSpan<T>()
        where T : unmanaged
    {
        if (sizeof(T) != DType.Size() || !IsContiguous) throw TensorErrors.NotASpan(DType, typeof(T).Name, IsContiguous);
        return Host().Span<T>(ByteOffset, checked((int)Count));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_owner) Storage.Dispose();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{DType}[{string.Join(",", _shape)}]";

    internal HostStorage Host() => Storage as HostStorage ?? throw TensorErrors.NotHost(ToString());

    private static long[] RowMajor(ReadOnlySpan<int> shape)
    {
        var strides = new long[shape.Length];
        long step = 1;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = step;
            step *= shape[i];
        }

        return strides;
    }
}
