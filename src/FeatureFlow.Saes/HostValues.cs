using System.Buffers.Binary;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>The elements of small host tensors, whatever their stored type.</summary>
internal static unsafe class HostValues
{
    /// <summary>All elements of a tensor with at most one axis longer than 1, widened.</summary>
    public static double[] ToDoubles(Tensor vector)
    {
        var values = new double[checked((int)vector.Count)];
        var step = 1L;
        for (var axis = 0; axis < vector.Rank; axis++)
        {
            if (vector.Shape[axis] > 1) step = vector.Strides[axis];
        }

        using var pin = vector.Pin();
        var start = pin.Pointer + vector.ByteOffset;
        for (var i = 0; i < values.Length; i++) values[i] = At(start + i * step * vector.DType.Size(), vector.DType);
        return values;
    }

    /// <summary>A float32 copy of a matrix stored as float64, in the order of the axes as seen.</summary>
    public static Tensor ToFloat32(Tensor matrix_MN)
    {
        var copy = Tensor.Allocate(DType.F32, matrix_MN.Shape);
        using var from = matrix_MN.Pin();
        using var to = copy.Pin();
        var (rows, columns) = (matrix_MN.Shape[0], matrix_MN.Shape[1]);
        for (var r = 0; r < rows; r++)
        {
            var x = from.Pointer + matrix_MN.ByteOffset + r * matrix_MN.Strides[0] * matrix_MN.DType.Size();
            var y = (float*)to.Pointer + (long)r * columns;
            for (var c = 0; c < columns; c++) y[c] = (float)At(x + c * matrix_MN.Strides[1] * matrix_MN.DType.Size(), matrix_MN.DType);
        }

        ((HostStorage)copy.Storage).Seal();
        return copy;
    }

    /// <summary>All elements of a float32 vector that may live on a device, widened.</summary>
    public static double[] Read(ITensorEngine engine, Tensor values_N)
    {
        using var host = Tensor.Allocate(DType.F32, values_N.Shape);
        engine.Copy(values_N, host);
        return ToDoubles(host);
    }

    /// <summary>A host float32 vector with these values, rounded.</summary>
    public static Tensor ToTensor(double[] values)
    {
        var tensor = Tensor.Allocate(DType.F32, values.Length);
        var floats = tensor.AsSpan<float>();
        for (var i = 0; i < values.Length; i++) floats[i] = (float)values[i];
        return tensor;
    }

    private static double At(byte* p, DType type)
    {
        var bytes = new ReadOnlySpan<byte>(p, type.Size());
        return type switch
        {
            DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
            DType.BF16 => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16),
            DType.F16 => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes),
            DType.F64 => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
            DType.I64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            DType.I32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            _ => bytes[0],
        };
    }
}
