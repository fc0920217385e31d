using System.Buffers.Binary;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>Big-endian numbers turned into the order that everything else uses.</summary>
internal static unsafe class ByteOrder
{
    public static HostStorage Turned(HostStorage source, long offset, long bytes, int size)
    {
        var turned = HostStorage.Allocate(bytes);
        using var from = source.Pin();
        using var to = turned.Pin();
        const int block = 1 << 20;
        for (long at = 0; at < bytes; at += block)
        {
            var n = (int)Math.Min(block, bytes - at);
            var x = from.Pointer + offset + at;
            var y = to.Pointer + at;
            switch (size)
            {
                case 2: BinaryPrimitives.ReverseEndianness(new ReadOnlySpan<ushort>(x, n / 2), new Span<ushort>(y, n / 2)); break;
                case 4: BinaryPrimitives.ReverseEndianness(new ReadOnlySpan<uint>(x, n / 4), new Span<uint>(y, n / 4)); break;
                default: BinaryPrimitives.ReverseEndianness(new ReadOnlySpan<ulong>(x, n / 8), new Span<ulong>(y, n / 8)); break;
            }
        }

        return turned;
    }
}
