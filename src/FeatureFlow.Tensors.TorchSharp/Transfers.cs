using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// Bytes between host memory and the device, piece by piece. Towards a card they pass through buffers that the driver has pinned: while some are on their way and the card
/// computes, the next is read from the file.
/// </summary>
internal sealed unsafe class Transfers(Torch.Device device) : IDisposable
{
    private const int PieceBytes = 32 << 20, Buffers = 8, RingBytes = 1 << 20;

    private readonly Dictionary<DType, TorchTensor[]> _staging = [];
    private readonly Dictionary<DType, TorchTensor> _rings = [];
    private readonly Dictionary<DType, int> _ringAt = [];
    private int _turn;

    /// <summary>Bytes that have gone to the device so far.</summary>
    public long Uploaded { get; private set; }

    /// <summary>Bytes that have come back.</summary>
    public long Downloaded { get; private set; }

    public Torch.Device Device => device;

    private bool OnCard => device.type != global::TorchSharp.DeviceType.CPU;

    /// <summary>The host tensor's bytes, from its first element to its last, as a flat tensor on the device, in the stored type.</summary>
    public TorchTensor Upload(Tensor host, long elements)
    {
        var flat = Torch.empty([elements], host.DType.Scalar(), device);
        using var pin = host.Pin();
        Fill(flat, pin.Pointer + host.ByteOffset, host.DType);
        return flat;
    }

    /// <summary>Writes a flat device tensor from host memory.</summary>
    public void Fill(TorchTensor flat, byte* from, DType type)
    {
        long elements = flat.numel(), piece = PieceBytes / type.Size();
        Uploaded += elements * type.Size();
        for (long at = 0; at < elements; at += piece)
        {
            var n = Math.Min(piece, elements - at);
            using var target = flat.narrow(0, at, n);
            var source = new ReadOnlySpan<byte>(from + at * type.Size(), checked((int)(n * type.Size())));
            if (!OnCard)
            {
                source.CopyTo(target.bytes);
                continue;
            }

            if (elements <= 4096)
            {
                using var little = Torch.empty([n], type.Scalar());
                source.CopyTo(little.bytes);
                target.copy_(little);
                continue;
            }

            // nobody waits for the card: what is asked of it next comes after. A buffer is free again a round later
            if (_turn == Buffers)
            {
                Torch.cuda.synchronize(device);
                _turn = 0;
            }

            using var buffer = Staging(type, piece)[_turn++].narrow(0, 0, n);
            source.CopyTo(buffer.bytes);
            target.copy_(buffer, nonBlocking: true);
        }
    }

    /// <summary>Writes contiguous host memory from a tensor of the same type and number of elements.</summary>
    public void Download(TorchTensor source, byte* to, DType type)
    {
        using var dense = source.contiguous();
        using var host = dense.cpu();
        using var flat = host.view(-1);
        long elements = flat.numel(), piece = PieceBytes / type.Size();
        Downloaded += elements * type.Size();
        for (long at = 0; at < elements; at += piece)
        {
            var n = Math.Min(piece, elements - at);
            using var part = flat.narrow(0, at, n);
            part.bytes.CopyTo(new Span<byte>(to + at * type.Size(), checked((int)(n * type.Size()))));
        }
    }

    /// <summary>A small tensor of these numbers on the device. Towards a card it passes through pinned memory, so that nobody waits for what the card is doing.</summary>
    public TorchTensor Numbers<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        var type = typeof(T) == typeof(long) ? DType.I64 : typeof(T) == typeof(double) ? DType.F64 : throw new NotSupportedException(typeof(T).Name);
        var bytes = MemoryMarshal.AsBytes(values);
        Uploaded += bytes.Length;
        if (!OnCard || bytes.Length > RingBytes / 4)
        {
            var host = Torch.empty([values.Length], type.Scalar());
            bytes.CopyTo(host.bytes);
            return OnCard ? host.to(device) : host;
        }

        if (!_rings.TryGetValue(type, out var ring)) _rings[type] = ring = Pinned(type, RingBytes / sizeof(T));
        var at = _ringAt.GetValueOrDefault(type);
        if (at + values.Length > RingBytes / sizeof(T))
        {
            Torch.cuda.synchronize(device); // what was written a round ago has left
            at = 0;
        }

        _ringAt[type] = at + values.Length;
        using var place = ring.narrow(0, at, values.Length);
        bytes.CopyTo(place.bytes);
        return Torch.empty([values.Length], type.Scalar(), device).copy_(place, nonBlocking: true);
    }

    /// <summary>The numbers of a small tensor, row by row.</summary>
    public T[] Read<T>(TorchTensor there)
        where T : unmanaged
    {
        using var dense = there.contiguous();
        using var host = dense.cpu();
        var values = host.data<T>().ToArray();
        Downloaded += values.Length * sizeof(T);
        return values;
    }

    public void Dispose()
    {
        if (OnCard && _staging.Count + _rings.Count > 0) Torch.cuda.synchronize(device);
        foreach (var tensor in _staging.Values.SelectMany(buffers => buffers).Concat(_rings.Values)) tensor.Dispose();
        _staging.Clear();
        _rings.Clear();
    }

    private TorchTensor[] Staging(DType type, long elements)
    {
        if (!_staging.TryGetValue(type, out var buffers)) _staging[type] = buffers = [.. Enumerable.Range(0, Buffers).Select(_ => Pinned(type, elements))];
        return buffers;
    }

    private static TorchTensor Pinned(DType type, long elements)
    {
        using var plain = Torch.empty([elements], type.Scalar());
        return plain.pin_memory().DetachFromDisposeScope();
    }
}
