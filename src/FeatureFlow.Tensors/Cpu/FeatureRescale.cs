using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Reads a few features of a row and adds what is to be changed of them: one pass, and of every row only the features that it rescales.</summary>
internal static unsafe class FeatureRescale
{
    /// <summary>y += Σ_u factor[u]·σ(x·encoder[u] + bias[u])·decoder[u]; all activations are read before anything is written.</summary>
    public static void Row(float* x, int d, float* encoder, long strideE, float* bias, float* threshold, float* factor, int features, float* decoder, long strideD, float* y, int o, float* change)
    {
        for (var u = 0; u < features; u++)
        {
            change[u] = 0;
            if (factor[u] == 0) continue;
            var pre = Dot(x, encoder + u * strideE, d) + bias[u];
            if (pre > threshold[u] && pre > 0) change[u] = factor[u] * pre;
        }

        for (var u = 0; u < features; u++)
        {
            if (change[u] != 0) Rows.Add(y, decoder + u * strideD, change[u], y, o);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(float* a, float* b, int n)
    {
        Vector512<float> s0 = Vector512<float>.Zero, s1 = s0, s2 = s0, s3 = s0;
        var i = 0;
        for (; i + 64 <= n; i += 64)
        {
            s0 = Vector512.MultiplyAddEstimate(Vector512.Load(a + i), Vector512.Load(b + i), s0);
            s1 = Vector512.MultiplyAddEstimate(Vector512.Load(a + i + 16), Vector512.Load(b + i + 16), s1);
            s2 = Vector512.MultiplyAddEstimate(Vector512.Load(a + i + 32), Vector512.Load(b + i + 32), s2);
            s3 = Vector512.MultiplyAddEstimate(Vector512.Load(a + i + 48), Vector512.Load(b + i + 48), s3);
        }

        for (; i + 16 <= n; i += 16) s0 = Vector512.MultiplyAddEstimate(Vector512.Load(a + i), Vector512.Load(b + i), s0);
        var sum = Vector512.Sum((s0 + s1) + (s2 + s3));
        for (; i < n; i++) sum = MathF.FusedMultiplyAdd(a[i], b[i], sum);
        return sum;
    }
}
