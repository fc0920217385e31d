using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>AVX2 with FMA: 12 accumulators, two vectors of b, one broadcast; 15 of 16 registers.</summary>
internal sealed unsafe class MicroKernel256 : MicroKernel
{
    public override int Rows => 6;

    public override int Columns => 16;

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(float* a, float* b, int k, float* c, long stride, bool accumulate)
    {
        var c0_0 = Vector256<float>.Zero;
        var c0_1 = Vector256<float>.Zero;
        var c1_0 = Vector256<float>.Zero;
        var c1_1 = Vector256<float>.Zero;
        var c2_0 = Vector256<float>.Zero;
        var c2_1 = Vector256<float>.Zero;
        var c3_0 = Vector256<float>.Zero;
        var c3_1 = Vector256<float>.Zero;
        var c4_0 = Vector256<float>.Zero;
        var c4_1 = Vector256<float>.Zero;
        var c5_0 = Vector256<float>.Zero;
        var c5_1 = Vector256<float>.Zero;
        for (; k > 0; k--)
        {
            var b0 = Vector256.Load(b + 0);
            var b1 = Vector256.Load(b + 8);
            var x = Vector256.Create(a[0]);
            c0_0 = Fma.MultiplyAdd(x, b0, c0_0);
            c0_1 = Fma.MultiplyAdd(x, b1, c0_1);
            x = Vector256.Create(a[1]);
            c1_0 = Fma.MultiplyAdd(x, b0, c1_0);
            c1_1 = Fma.MultiplyAdd(x, b1, c1_1);
            x = Vector256.Create(a[2]);
            c2_0 = Fma.MultiplyAdd(x, b0, c2_0);
            c2_1 = Fma.MultiplyAdd(x, b1, c2_1);
            x = Vector256.Create(a[3]);
            c3_0 = Fma.MultiplyAdd(x, b0, c3_0);
            c3_1 = Fma.MultiplyAdd(x, b1, c3_1);
            x = Vector256.Create(a[4]);
            c4_0 = Fma.MultiplyAdd(x, b0, c4_0);
            c4_1 = Fma.MultiplyAdd(x, b1, c4_1);
            x = Vector256.Create(a[5]);
            c5_0 = Fma.MultiplyAdd(x, b0, c5_0);
            c5_1 = Fma.MultiplyAdd(x, b1, c5_1);
            a += 6;
            b += 16;
        }

        if (accumulate)
        {
            c0_0 += Vector256.Load(c);
            c0_1 += Vector256.Load(c + 8);
            c1_0 += Vector256.Load(c + 1 * stride);
            c1_1 += Vector256.Load(c + 1 * stride + 8);
            c2_0 += Vector256.Load(c + 2 * stride);
            c2_1 += Vector256.Load(c + 2 * stride + 8);
            c3_0 += Vector256.Load(c + 3 * stride);
            c3_1 += Vector256.Load(c + 3 * stride + 8);
            c4_0 += Vector256.Load(c + 4 * stride);
            c4_1 += Vector256.Load(c + 4 * stride + 8);
            c5_0 += Vector256.Load(c + 5 * stride);
            c5_1 += Vector256.Load(c + 5 * stride + 8);
        }

        c0_0.Store(c);
        c0_1.Store(c + 8);
        c1_0.Store(c + 1 * stride);
        c1_1.Store(c + 1 * stride + 8);
        c2_0.Store(c + 2 * stride);
        c2_1.Store(c + 2 * stride + 8);
        c3_0.Store(c + 3 * stride);
        c3_1.Store(c + 3 * stride + 8);
        c4_0.Store(c + 4 * stride);
        c4_1.Store(c + 4 * stride + 8);
        c5_0.Store(c + 5 * stride);
        c5_1.Store(c + 5 * stride + 8);
    }
}
