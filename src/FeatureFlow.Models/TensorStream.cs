using System.Buffers;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>Writes the elements of a tensor, strided or not, in row-major order.</summary>
internal static unsafe class TensorStream
{
    private const int BufferBytes = 1 << 20;

    public static void Write(Stream stream, Tensor tensor)
    {
        if (tensor.Storage is not HostStorage) throw ModelErrors.NotHost(tensor.ToString());
        using var pin = tensor.Pin();
        var start = pin.Pointer + tensor.ByteOffset;
        var size = tensor.DType.Size();
        if (tensor.IsContiguous)
        {
            var bytes = tensor.Count * size;
            for (long at = 0; at < bytes; at += BufferBytes) stream.Write(new ReadOnlySpan<byte>(start + at, (int)Math.Min(BufferBytes, bytes - at)));
            return;
        }

        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            var used = 0;
            foreach (var offset in Offsets(tensor.Shape.ToArray(), tensor.Strides.ToArray()))
            {
                if (used > BufferBytes - size)
                {
                    stream.Write(buffer, 0, used);
                    used = 0;
                }

                new ReadOnlySpan<byte>(start + offset * size, size).CopyTo(buffer.AsSpan(used));
                used += size;
            }

            stream.Write(buffer, 0, used);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Where each element lies, in elements from the first, in row-major order.</summary>
    internal static IEnumerable<long> Offsets(int[] shape, long[] strides)
    {
        if (System.Array.IndexOf(shape, 0) >= 0) yield break;
        var at = new int[shape.Length];
        long offset = 0;
        while (true)
        {
            yield return offset;
            var axis = shape.Length - 1;
            for (; axis >= 0; axis--)
            {
                offset += strides[axis];
                if (++at[axis] < shape[axis]) break;
                offset -= strides[axis] * shape[axis];
                at[axis] = 0;
            }

            if (axis < 0) yield break;
        }
    }
}
