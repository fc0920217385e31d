namespace FeatureFlow.Tensors.Cpu;

/// <summary>Element-wise copies between any two types and layouts; rows of equal type that are dense on both sides move as bytes.</summary>
internal static unsafe class Conversion
{
    public static void Copy(Tensor source, byte* from, Tensor destination, byte* to) =>
        Walk(0, source, from, destination, to);

    private static void Walk(int axis, Tensor source, byte* from, Tensor destination, byte* to)
    {
        if (axis == source.Rank)
        {
            Store(destination.DType, to, Load(source.DType, from));
            return;
        }

        long stepFrom = source.Strides[axis] * source.DType.Size(), stepTo = destination.Strides[axis] * destination.DType.Size();
        var n = source.Shape[axis];
        if (axis == source.Rank - 1 && Line(source.DType, from, stepFrom, destination.DType, to, stepTo, n)) return;
        for (var i = 0; i < n; i++, from += stepFrom, to += stepTo) Walk(axis + 1, source, from, destination, to);
    }

    private static bool Line(DType typeFrom, byte* from, long stepFrom, DType typeTo, byte* to, long stepTo, int n)
    {
        if (stepTo != typeTo.Size()) return false;
        if (typeFrom == typeTo && stepFrom == stepTo)
        {
            Buffer.MemoryCopy(from, to, n * stepTo, n * stepTo);
            return true;
        }

        if (typeTo != DType.F32 || !typeFrom.IsComputable()) return false;
        Rows.ToFloat(from, typeFrom, stepFrom, (float*)to, n);
        return true;
    }

    private static double Load(DType type, byte* p) => type switch
    {
        DType.F32 => LoadF32.One(p),
        DType.BF16 => LoadBF16.One(p),
        DType.F16 => LoadF16.One(p),
        DType.F64 => System.Runtime.CompilerServices.Unsafe.ReadUnaligned<double>(p),
        DType.I64 => System.Runtime.CompilerServices.Unsafe.ReadUnaligned<long>(p),
        DType.I32 => System.Runtime.CompilerServices.Unsafe.ReadUnaligned<int>(p),
        _ => *p,
    };

    private static void Store(DType type, byte* p, double value)
    {
        switch (type)
        {
            case DType.F32: System.Runtime.CompilerServices.Unsafe.WriteUnaligned(p, (float)value); break;
            case DType.BF16: System.Runtime.CompilerServices.Unsafe.WriteUnaligned(p, RoundToBF16((float)value)); break;
            case DType.F16: System.Runtime.CompilerServices.Unsafe.WriteUnaligned(p, (Half)value); break;
            case DType.F64: System.Runtime.CompilerServices.Unsafe.WriteUnaligned(p, value); break;
            case DType.I64: System.Runtime.CompilerServices.Unsafe.WriteUnaligned(p, (long)value); break;
            case DType.I32: System.Runtime.CompilerServices.Unsafe.WriteUnaligned(p, (int)value); break;
            default: *p = (byte)value; break;
        }
    }

    // to nearest, ties to even; a NaN keeps its quiet bit
    private static ushort RoundToBF16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
