using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>A 16 x 16 block of 32-bit elements turned in AVX-512 registers, in two steps that each handle a quarter of it: 64 shuffles in all.</summary>
internal static class Transpose16
{
    /// <summary>Sixteen columns of four rows: result j holds in its quarter q the four rows at column 4q + j.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FourRows(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, out Vector512<float> r0, out Vector512<float> r1, out Vector512<float> r2, out Vector512<float> r3)
    {
        var ab = Avx512F.UnpackLow(a, b).AsDouble();
        var cd = Avx512F.UnpackLow(c, d).AsDouble();
        var abHigh = Avx512F.UnpackHigh(a, b).AsDouble();
        var cdHigh = Avx512F.UnpackHigh(c, d).AsDouble();
        r0 = Avx512F.UnpackLow(ab, cd).AsSingle();
        r1 = Avx512F.UnpackHigh(ab, cd).AsSingle();
        r2 = Avx512F.UnpackLow(abHigh, cdHigh).AsSingle();
        r3 = Avx512F.UnpackHigh(abHigh, cdHigh).AsSingle();
    }

    /// <summary>Result j of rows 0-3, 4-7, 8-11 and 12-15: the sixteen rows at columns j, j + 4, j + 8 and j + 12.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Quarters(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, out Vector512<float> q0, out Vector512<float> q1, out Vector512<float> q2, out Vector512<float> q3)
    {
        var ab = Avx512F.Shuffle4x128(a, b, 0b01_00_01_00);
        var abHigh = Avx512F.Shuffle4x128(a, b, 0b11_10_11_10);
        var cd = Avx512F.Shuffle4x128(c, d, 0b01_00_01_00);
        var cdHigh = Avx512F.Shuffle4x128(c, d, 0b11_10_11_10);
        q0 = Avx512F.Shuffle4x128(ab, cd, 0b10_00_10_00);
        q1 = Avx512F.Shuffle4x128(ab, cd, 0b11_01_11_01);
        q2 = Avx512F.Shuffle4x128(abHigh, cdHigh, 0b10_00_10_00);
        q3 = Avx512F.Shuffle4x128(abHigh, cdHigh, 0b11_01_11_01);
    }
}
