using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>AVX-512: 24 accumulators, two vectors of b, one broadcast; 27 of 32 registers. Twelve rows because 12 divides the usual widths.</summary>
internal sealed unsafe class MicroKernel512 : MicroKernel
{
    public override int Rows => 12;

    public override int Columns => 32;

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(float* a, float* b, int k, float* c, long stride, bool accumulate)
    {
        // the tile of c arrives while the product runs
        Sse.Prefetch0(c + 0 * stride);
        Sse.Prefetch0(c + 0 * stride + 16);
        Sse.Prefetch0(c + 1 * stride);
        Sse.Prefetch0(c + 1 * stride + 16);
        Sse.Prefetch0(c + 2 * stride);
        Sse.Prefetch0(c + 2 * stride + 16);
        Sse.Prefetch0(c + 3 * stride);
        Sse.Prefetch0(c + 3 * stride + 16);
        Sse.Prefetch0(c + 4 * stride);
        Sse.Prefetch0(c + 4 * stride + 16);
        Sse.Prefetch0(c + 5 * stride);
        Sse.Prefetch0(c + 5 * stride + 16);
        Sse.Prefetch0(c + 6 * stride);
        Sse.Prefetch0(c + 6 * stride + 16);
        Sse.Prefetch0(c + 7 * stride);
        Sse.Prefetch0(c + 7 * stride + 16);
        Sse.Prefetch0(c + 8 * stride);
        Sse.Prefetch0(c + 8 * stride + 16);
        Sse.Prefetch0(c + 9 * stride);
        Sse.Prefetch0(c + 9 * stride + 16);
        Sse.Prefetch0(c + 10 * stride);
        Sse.Prefetch0(c + 10 * stride + 16);
        Sse.Prefetch0(c + 11 * stride);
        Sse.Prefetch0(c + 11 * stride + 16);
        var c0_0 = Vector512<float>.Zero;
        var c0_1 = Vector512<float>.Zero;
        var c1_0 = Vector512<float>.Zero;
        var c1_1 = Vector512<float>.Zero;
        var c2_0 = Vector512<float>.Zero;
        var c2_1 = Vector512<float>.Zero;
        var c3_0 = Vector512<float>.Zero;
        var c3_1 = Vector512<float>.Zero;
        var c4_0 = Vector512<float>.Zero;
        var c4_1 = Vector512<float>.Zero;
        var c5_0 = Vector512<float>.Zero;
        var c5_1 = Vector512<float>.Zero;
        var c6_0 = Vector512<float>.Zero;
        var c6_1 = Vector512<float>.Zero;
        var c7_0 = Vector512<float>.Zero;
        var c7_1 = Vector512<float>.Zero;
        var c8_0 = Vector512<float>.Zero;
        var c8_1 = Vector512<float>.Zero;
        var c9_0 = Vector512<float>.Zero;
        var c9_1 = Vector512<float>.Zero;
        var c10_0 = Vector512<float>.Zero;
        var c10_1 = Vector512<float>.Zero;
        var c11_0 = Vector512<float>.Zero;
        var c11_1 = Vector512<float>.Zero;
        for (; k > 0; k--)
        {
            var b0 = Vector512.Load(b + 0);
            var b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c0_0 = Avx512F.FusedMultiplyAdd(x, b0, c0_0);
            c0_1 = Avx512F.FusedMultiplyAdd(x, b1, c0_1);
            x = Vector512.Create(a[1]);
            c1_0 = Avx512F.FusedMultiplyAdd(x, b0, c1_0);
            c1_1 = Avx512F.FusedMultiplyAdd(x, b1, c1_1);
            x = Vector512.Create(a[2]);
            c2_0 = Avx512F.FusedMultiplyAdd(x, b0, c2_0);
            c2_1 = Avx512F.FusedMultiplyAdd(x, b1, c2_1);
            x = Vector512.Create(a[3]);
            c3_0 = Avx512F.FusedMultiplyAdd(x, b0, c3_0);
            c3_1 = Avx512F.FusedMultiplyAdd(x, b1, c3_1);
            x = Vector512.Create(a[4]);
            c4_0 = Avx512F.FusedMultiplyAdd(x, b0, c4_0);
            c4_1 = Avx512F.FusedMultiplyAdd(x, b1, c4_1);
            x = Vector512.Create(a[5]);
            c5_0 = Avx512F.FusedMultiplyAdd(x, b0, c5_0);
            c5_1 = Avx512F.FusedMultiplyAdd(x, b1, c5_1);
            x = Vector512.Create(a[6]);
            c6_0 = Avx512F.FusedMultiplyAdd(x, b0, c6_0);
            c6_1 = Avx512F.FusedMultiplyAdd(x, b1, c6_1);
            x = Vector512.Create(a[7]);
            c7_0 = Avx512F.FusedMultiplyAdd(x, b0, c7_0);
            c7_1 = Avx512F.FusedMultiplyAdd(x, b1, c7_1);
            x = Vector512.Create(a[8]);
            c8_0 = Avx512F.FusedMultiplyAdd(x, b0, c8_0);
            c8_1 = Avx512F.FusedMultiplyAdd(x, b1, c8_1);
            x = Vector512.Create(a[9]);
            c9_0 = Avx512F.FusedMultiplyAdd(x, b0, c9_0);
            c9_1 = Avx512F.FusedMultiplyAdd(x, b1, c9_1);
            x = Vector512.Create(a[10]);
            c10_0 = Avx512F.FusedMultiplyAdd(x, b0, c10_0);
            c10_1 = Avx512F.FusedMultiplyAdd(x, b1, c10_1);
            x = Vector512.Create(a[11]);
            c11_0 = Avx512F.FusedMultiplyAdd(x, b0, c11_0);
            c11_1 = Avx512F.FusedMultiplyAdd(x, b1, c11_1);
            a += 12;
            b += 32;
        }

        if (accumulate)
        {
            c0_0 += Vector512.Load(c);
            c0_1 += Vector512.Load(c + 16);
            c1_0 += Vector512.Load(c + 1 * stride);
            c1_1 += Vector512.Load(c + 1 * stride + 16);
            c2_0 += Vector512.Load(c + 2 * stride);
            c2_1 += Vector512.Load(c + 2 * stride + 16);
            c3_0 += Vector512.Load(c + 3 * stride);
            c3_1 += Vector512.Load(c + 3 * stride + 16);
            c4_0 += Vector512.Load(c + 4 * stride);
            c4_1 += Vector512.Load(c + 4 * stride + 16);
            c5_0 += Vector512.Load(c + 5 * stride);
            c5_1 += Vector512.Load(c + 5 * stride + 16);
            c6_0 += Vector512.Load(c + 6 * stride);
            c6_1 += Vector512.Load(c + 6 * stride + 16);
            c7_0 += Vector512.Load(c + 7 * stride);
            c7_1 += Vector512.Load(c + 7 * stride + 16);
            c8_0 += Vector512.Load(c + 8 * stride);
            c8_1 += Vector512.Load(c + 8 * stride + 16);
            c9_0 += Vector512.Load(c + 9 * stride);
            c9_1 += Vector512.Load(c + 9 * stride + 16);
            c10_0 += Vector512.Load(c + 10 * stride);
            c10_1 += Vector512.Load(c + 10 * stride + 16);
            c11_0 += Vector512.Load(c + 11 * stride);
            c11_1 += Vector512.Load(c + 11 * stride + 16);
        }

        c0_0.Store(c);
        c0_1.Store(c + 16);
        c1_0.Store(c + 1 * stride);
        c1_1.Store(c + 1 * stride + 16);
        c2_0.Store(c + 2 * stride);
        c2_1.Store(c + 2 * stride + 16);
        c3_0.Store(c + 3 * stride);
        c3_1.Store(c + 3 * stride + 16);
        c4_0.Store(c + 4 * stride);
        c4_1.Store(c + 4 * stride + 16);
        c5_0.Store(c + 5 * stride);
        c5_1.Store(c + 5 * stride + 16);
        c6_0.Store(c + 6 * stride);
        c6_1.Store(c + 6 * stride + 16);
        c7_0.Store(c + 7 * stride);
        c7_1.Store(c + 7 * stride + 16);
        c8_0.Store(c + 8 * stride);
        c8_1.Store(c + 8 * stride + 16);
        c9_0.Store(c + 9 * stride);
        c9_1.Store(c + 9 * stride + 16);
        c10_0.Store(c + 10 * stride);
        c10_1.Store(c + 10 * stride + 16);
        c11_0.Store(c + 11 * stride);
        c11_1.Store(c + 11 * stride + 16);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void RunFew(int first, int rows, float* a, float* b, int k, float* c, long stride, bool accumulate)
    {
        if (rows == 1) RunOne(a + first, b, k, c, accumulate);
        else RunFour(rows, a + first, b, k, c, stride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunOne(float* a, float* b, int k, float* c, bool accumulate)
    {
        var c0 = Vector512<float>.Zero;
        var c1 = Vector512<float>.Zero;
        for (; k > 0; k--)
        {
            var x = Vector512.Create(a[0]);
            c0 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(b), c0);
            c1 = Avx512F.FusedMultiplyAdd(x, Vector512.Load(b + 16), c1);
            a += 12;
            b += 32;
        }

        Store(c0, c1, c, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunFour(int rows, float* a, float* b, int k, float* c, long stride, bool accumulate)
    {
        Vector512<float> c0_0 = Vector512<float>.Zero, c0_1 = c0_0, c1_0 = c0_0, c1_1 = c0_0, c2_0 = c0_0, c2_1 = c0_0, c3_0 = c0_0, c3_1 = c0_0;
        for (; k > 0; k--)
        {
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c0_0 = Avx512F.FusedMultiplyAdd(x, b0, c0_0);
            c0_1 = Avx512F.FusedMultiplyAdd(x, b1, c0_1);
            x = Vector512.Create(a[1]);
            c1_0 = Avx512F.FusedMultiplyAdd(x, b0, c1_0);
            c1_1 = Avx512F.FusedMultiplyAdd(x, b1, c1_1);
            x = Vector512.Create(a[2]);
            c2_0 = Avx512F.FusedMultiplyAdd(x, b0, c2_0);
            c2_1 = Avx512F.FusedMultiplyAdd(x, b1, c2_1);
            x = Vector512.Create(a[3]);
            c3_0 = Avx512F.FusedMultiplyAdd(x, b0, c3_0);
            c3_1 = Avx512F.FusedMultiplyAdd(x, b1, c3_1);
            a += 12;
            b += 32;
        }

        Store(c0_0, c0_1, c, accumulate);
        Store(c1_0, c1_1, c + stride, accumulate);
        if (rows > 2) Store(c2_0, c2_1, c + 2 * stride, accumulate);
        if (rows > 3) Store(c3_0, c3_1, c + 3 * stride, accumulate);
    }

    /// <summary>c[32] = or += a row of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> low, Vector512<float> high, float* c, bool accumulate)
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
