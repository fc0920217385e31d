using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Dense float32 rows multiplied and added, sixteen numbers at a time; sums in one order whatever calls.</summary>
internal static unsafe class Vectors
{
    /// <summary>Σ x∘y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(float* x, float* y, int n)
    {
        Vector512<float> s0 = Vector512<float>.Zero, s1 = s0, s2 = s0, s3 = s0;
        var i = 0;
        for (; i + 64 <= n; i += 64)
        {
            s0 = Vector512.MultiplyAddEstimate(Vector512.Load(x + i), Vector512.Load(y + i), s0);
            s1 = Vector512.MultiplyAddEstimate(Vector512.Load(x + i + 16), Vector512.Load(y + i + 16), s1);
            s2 = Vector512.MultiplyAddEstimate(Vector512.Load(x + i + 32), Vector512.Load(y + i + 32), s2);
            s3 = Vector512.MultiplyAddEstimate(Vector512.Load(x + i + 48), Vector512.Load(y + i + 48), s3);
        }

        for (; i + 16 <= n; i += 16) s0 = Vector512.MultiplyAddEstimate(Vector512.Load(x + i), Vector512.Load(y + i), s0);
        var sum = Vector512.Sum((s0 + s1) + (s2 + s3));
        for (; i < n; i++) sum = MathF.FusedMultiplyAdd(x[i], y[i], sum);
        return sum;
    }

    /// <summary>y += factor · x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddMultiple(float factor, float* x, float* y, int n)
    {
        var f = Vector512.Create(factor);
        var i = 0;
        for (; i + 16 <= n; i += 16) Vector512.MultiplyAddEstimate(f, Vector512.Load(x + i), Vector512.Load(y + i)).Store(y + i);
        for (; i < n; i++) y[i] = MathF.FusedMultiplyAdd(factor, x[i], y[i]);
    }

    /// <summary>y += Σ factors[r] · row r of x for the rows named, four read together so that y is touched once for all four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddMultiples(float* factors, int* rows, int count, float* x, long stride, float* y, int n)
    {
        var r = 0;
        for (; r + 4 <= count; r += 4)
        {
            float* x0 = x + rows[r] * stride, x1 = x + rows[r + 1] * stride, x2 = x + rows[r + 2] * stride, x3 = x + rows[r + 3] * stride;
            Vector512<float> f0 = Vector512.Create(factors[r]), f1 = Vector512.Create(factors[r + 1]), f2 = Vector512.Create(factors[r + 2]), f3 = Vector512.Create(factors[r + 3]);
            var i = 0;
            for (; i + 16 <= n; i += 16)
            {
                var sum = Vector512.MultiplyAddEstimate(f0, Vector512.Load(x0 + i), Vector512.Load(y + i));
                sum = Vector512.MultiplyAddEstimate(f1, Vector512.Load(x1 + i), sum);
                sum = Vector512.MultiplyAddEstimate(f2, Vector512.Load(x2 + i), sum);
                Vector512.MultiplyAddEstimate(f3, Vector512.Load(x3 + i), sum).Store(y + i);
            }

            for (; i < n; i++)
            {
                var sum = MathF.FusedMultiplyAdd(factors[r], x0[i], y[i]);
                sum = MathF.FusedMultiplyAdd(factors[r + 1], x1[i], sum);
                sum = MathF.FusedMultiplyAdd(factors[r + 2], x2[i], sum);
                y[i] = MathF.FusedMultiplyAdd(factors[r + 3], x3[i], sum);
            }
        }

        for (; r < count; r++) AddMultiple(factors[r], x + rows[r] * stride, y, n);
    }

    /// <summary>The elements that are not zero: their places and values; returns how many.</summary>
    public static int NonZeros(float* x, int n, int* places, float* values)
    {
        var count = 0;
        var i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var bits = (uint)Vector512.ExtractMostSignificantBits(~Vector512.Equals(Vector512.Load(x + i), Vector512<float>.Zero));
            for (; bits != 0; bits &= bits - 1)
            {
                var p = i + System.Numerics.BitOperations.TrailingZeroCount(bits);
                places[count] = p;
                values[count++] = x[p];
            }
        }

        for (; i < n; i++)
        {
            if (x[i] == 0) continue;
            places[count] = i;
            values[count++] = x[i];
        }

        return count;
    }
}
