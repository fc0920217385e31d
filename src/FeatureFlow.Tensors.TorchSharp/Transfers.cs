using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// Bytes between host memory and the device, piece by piece. Towards a card they pass through two buffers that the driver has pinned: while one is on its way, the next
/// is read from the file.
/// </summary>
internal sealed unsafe class Transfers(Torch.Device device) : IDisposable
{
    private const int PieceBytes = 32 << 20;

    private readonly Dictionary<DType, TorchTensor[]> _staging = [];

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
        var turn = 0;
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

            // a buffer is free again when the card has caught up with it: two pieces back
            if (turn >= 2 && turn % 2 == 0) Torch.cuda.synchronize(device);
            using var buffer = Staging(type, piece)[turn++ % 2].narrow(0, 0, n);
            source.CopyTo(buffer.bytes);
            target.copy_(buffer, nonBlocking: true);
        }

        if (turn > 0) Torch.cuda.synchronize(device);
    }

    /// <summary>Writes contiguous host memory from a tensor of the same type and number of elements.</summary>
    public static void Download(TorchTensor source, byte* to, DType type)
    {
        using var dense = source.contiguous();
        using var host = dense.cpu();
        using var flat = host.view(-1);
        long elements = flat.numel(), piece = PieceBytes / type.Size();
        for (long at = 0; at < elements; at += piece)
        {
            var n = Math.Min(piece, elements - at);
            using var part = flat.narrow(0, at, n);
            part.bytes.CopyTo(new Span<byte>(to + at * type.Size(), checked((int)(n * type.Size()))));
        }
    }

    /// <summary>A small tensor of these numbers on the device.</summary>
    public TorchTensor Numbers<T>(ReadOnlySpan<T> values, ScalarType type)
        where T : unmanaged
    {
        using var host = Torch.empty([values.Length], type);
        MemoryMarshal.AsBytes(values).CopyTo(host.bytes);
        return host.to(device, copy: true);
    }

    public void Dispose()
    {
        foreach (var tensor in _staging.Values.SelectMany(pair => pair)) tensor.Dispose();
        _staging.Clear();
    }

    private TorchTensor[] Staging(DType type, long elements)
    {
        if (_staging.TryGetValue(type, out var pair)) return pair;
        pair = [Pinned(type, elements), Pinned(type, elements)];
        return _staging[type] = pair;
    }

    private static TorchTensor Pinned(DType type, long elements)
    {
        using var plain = Torch.empty([elements], type.Scalar());
        return plain.pin_memory().DetachFromDisposeScope();
    }
}
