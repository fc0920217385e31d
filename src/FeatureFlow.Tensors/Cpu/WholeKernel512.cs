using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// AVX-512 on whole numbers: a 32-bit element of a strip is a pair of 16-bit numbers, neighbours in k; products of pairs are added in 32 bits. An instruction multiplies twice
/// as many numbers as one of float32. <see cref="WholeNumbers"/> makes the pairs and keeps sums from overflowing.
/// </summary>
internal static unsafe class WholeKernel512
{
    public const int Rows = 12;

    public const int Columns = 32;

    /// <summary>c[Rows, Columns] = or += aᵀ·b, k in pairs; <paramref name="stride"/> is that of c in elements.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int* a, int* b, int k, int* c, long stride, bool accumulate)
    {
        var c0_0 = Vector512<int>.Zero;
        var c0_1 = Vector512<int>.Zero;
        var c1_0 = Vector512<int>.Zero;
        var c1_1 = Vector512<int>.Zero;
        var c2_0 = Vector512<int>.Zero;
        var c2_1 = Vector512<int>.Zero;
        var c3_0 = Vector512<int>.Zero;
        var c3_1 = Vector512<int>.Zero;
        var c4_0 = Vector512<int>.Zero;
        var c4_1 = Vector512<int>.Zero;
        var c5_0 = Vector512<int>.Zero;
        var c5_1 = Vector512<int>.Zero;
        var c6_0 = Vector512<int>.Zero;
        var c6_1 = Vector512<int>.Zero;
        var c7_0 = Vector512<int>.Zero;
        var c7_1 = Vector512<int>.Zero;
        var c8_0 = Vector512<int>.Zero;
        var c8_1 = Vector512<int>.Zero;
        var c9_0 = Vector512<int>.Zero;
        var c9_1 = Vector512<int>.Zero;
        var c10_0 = Vector512<int>.Zero;
        var c10_1 = Vector512<int>.Zero;
        var c11_0 = Vector512<int>.Zero;
        var c11_1 = Vector512<int>.Zero;
        for (; k > 0; k--)
        {
            var b0 = Vector512.Load(b).AsInt16();
            var b1 = Vector512.Load(b + 16).AsInt16();
            Vector512<short> x;
            x = Vector512.Create(a[0]).AsInt16();
            c0_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c0_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[1]).AsInt16();
            c1_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c1_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[2]).AsInt16();
            c2_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c2_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[3]).AsInt16();
            c3_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c3_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[4]).AsInt16();
            c4_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c4_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[5]).AsInt16();
            c5_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c5_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[6]).AsInt16();
            c6_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c6_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[7]).AsInt16();
            c7_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c7_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[8]).AsInt16();
            c8_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c8_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[9]).AsInt16();
            c9_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c9_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[10]).AsInt16();
            c10_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c10_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            x = Vector512.Create(a[11]).AsInt16();
            c11_0 += Avx512BW.MultiplyAddAdjacent(x, b0);
            c11_1 += Avx512BW.MultiplyAddAdjacent(x, b1);
            a += Rows;
            b += Columns;
        }

        Store(c0_0, c0_1, c, accumulate);
        Store(c1_0, c1_1, c + 1 * stride, accumulate);
        Store(c2_0, c2_1, c + 2 * stride, accumulate);
        Store(c3_0, c3_1, c + 3 * stride, accumulate);
        Store(c4_0, c4_1, c + 4 * stride, accumulate);
        Store(c5_0, c5_1, c + 5 * stride, accumulate);
        Store(c6_0, c6_1, c + 6 * stride, accumulate);
        Store(c7_0, c7_1, c + 7 * stride, accumulate);
        Store(c8_0, c8_1, c + 8 * stride, accumulate);
        Store(c9_0, c9_1, c + 9 * stride, accumulate);
        Store(c10_0, c10_1, c + 10 * stride, accumulate);
        Store(c11_0, c11_1, c + 11 * stride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<int> low, Vector512<int> high, int* c, bool accumulate)
    {
        if (accumulate)
        {
            low += Vector512.Load(c);
            high += Vector512.Load(c + 16);
        }

        low.Store(c);
        high.Store(c + 16);
    }
}
