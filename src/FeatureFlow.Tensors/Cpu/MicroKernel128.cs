using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Portable: whatever 128-bit vectors the machine has, software where it has none.</summary>
internal sealed unsafe class MicroKernel128 : MicroKernel
{
    public override int Rows => 4;

    public override int Columns => 8;

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(float* a, float* b, int k, float* c, long stride, bool accumulate)
    {
        var c0_0 = Vector128<float>.Zero;
        var c0_1 = Vector128<float>.Zero;
        var c1_0 = Vector128<float>.Zero;
        var c1_1 = Vector128<float>.Zero;
        var c2_0 = Vector128<float>.Zero;
        var c2_1 = Vector128<float>.Zero;
        var c3_0 = Vector128<float>.Zero;
        var c3_1 = Vector128<float>.Zero;
        for (; k > 0; k--)
        {
            var b0 = Vector128.Load(b + 0);
            var b1 = Vector128.Load(b + 4);
            var x = Vector128.Create(a[0]);
            c0_0 = Vector128.MultiplyAddEstimate(x, b0, c0_0);
            c0_1 = Vector128.MultiplyAddEstimate(x, b1, c0_1);
            x = Vector128.Create(a[1]);
            c1_0 = Vector128.MultiplyAddEstimate(x, b0, c1_0);
            c1_1 = Vector128.MultiplyAddEstimate(x, b1, c1_1);
            x = Vector128.Create(a[2]);
            c2_0 = Vector128.MultiplyAddEstimate(x, b0, c2_0);
            c2_1 = Vector128.MultiplyAddEstimate(x, b1, c2_1);
            x = Vector128.Create(a[3]);
            c3_0 = Vector128.MultiplyAddEstimate(x, b0, c3_0);
            c3_1 = Vector128.MultiplyAddEstimate(x, b1, c3_1);
            a += 4;
            b += 8;
        }

        if (accumulate)
        {
            c0_0 += Vector128.Load(c);
            c0_1 += Vector128.Load(c + 4);
            c1_0 += Vector128.Load(c + 1 * stride);
            c1_1 += Vector128.Load(c + 1 * stride + 4);
            c2_0 += Vector128.Load(c + 2 * stride);
            c2_1 += Vector128.Load(c + 2 * stride + 4);
            c3_0 += Vector128.Load(c + 3 * stride);
            c3_1 += Vector128.Load(c + 3 * stride + 4);
        }

        c0_0.Store(c);
        c0_1.Store(c + 4);
        c1_0.Store(c + 1 * stride);
        c1_1.Store(c + 1 * stride + 4);
        c2_0.Store(c + 2 * stride);
        c2_1.Store(c + 2 * stride + 4);
        c3_0.Store(c + 3 * stride);
        c3_1.Store(c + 3 * stride + 4);
    }
}
