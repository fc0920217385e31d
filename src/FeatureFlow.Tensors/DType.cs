namespace FeatureFlow.Tensors;

/// <summary>Element types that tensors hold. Weights stay in their stored type; arithmetic is float32 unless an operation says otherwise.</summary>
public enum DType
{
    /// <summary>IEEE single.</summary>
    F32,

    /// <summary>bfloat16: the upper half of a single.</summary>
    BF16,

    /// <summary>IEEE half.</summary>
    F16,

    /// <summary>IEEE double (files and results; no kernel computes on it).</summary>
    F64,

    /// <summary>64-bit signed integer (token ids, permutations).</summary>
    I64,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>Unsigned byte.</summary>
    U8,
}

/// <summary>Sizes and names of element types.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType type) => type switch
    {
        DType.F32 or DType.I32 => 4,
        DType.BF16 or DType.F16 => 2,
        DType.U8 => 1,
        _ => 8,
    };

    /// <summary>True for the types that kernels take as operands: f32, bf16, f16.</summary>
    public static bool IsComputable(this DType type) => type is DType.F32 or DType.BF16 or DType.F16;
}
