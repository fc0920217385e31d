namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>Element types of both sides.</summary>
internal static class Dtypes
{
    public static ScalarType Scalar(this DType type) => type switch
    {
        DType.F32 => ScalarType.Float32,
        DType.BF16 => ScalarType.BFloat16,
        DType.F16 => ScalarType.Float16,
        DType.F64 => ScalarType.Float64,
        DType.I64 => ScalarType.Int64,
        DType.I32 => ScalarType.Int32,
        _ => ScalarType.Byte,
    };
}
