using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Models.Training;

/// <summary>
/// What happens to one row of numbers between the products, forward and backward: written with 512-bit vectors, which the runtime carries out
/// with what the processor has. Lengths are multiples of nothing; the rest is done one by one.
/// </summary>
internal static unsafe class RowKernels
{
    private const int Lanes = 16;

    /// <summary>y = x·r∘gain with r = 1/√(mean x² + ε); returns r.</summary>
    public static float Norm(float* x, float* gain, float* y, int n, float epsilon)
    {
        var r = 1 / MathF.Sqrt((Dot(x, x, n) / n) + epsilon);
        var i = 0;
        for (; i + Lanes <= n; i += Lanes) (Vector512.Load(x + i) * r * Vector512.Load(gain + i)).Store(y + i);
        for (; i < n; i++) y[i] = x[i] * r * gain[i];
        return r;
    }

    /// <summary>dx += the gradient through <see cref="Norm"/>; dGain += its gain's.</summary>
    public static void NormBackward(float* x, float r, float* gain, float* dy, float* dx, float* dGain, int n)
    {
        var sum = Vector512<float>.Zero;
        float rest = 0;
        var i = 0;
        for (; i + Lanes <= n; i += Lanes)
        {
            var along = Vector512.Load(dy + i) * Vector512.Load(x + i) * r;
            (Vector512.Load(dGain + i) + along).Store(dGain + i);
            sum += along * Vector512.Load(gain + i);
        }

        for (; i < n; i++)
        {
            var along = dy[i] * x[i] * r;
            dGain[i] += along;
            rest += along * gain[i];
        }

        var mean = (Vector512.Sum(sum) + rest) / n * r;
        for (i = 0; i + Lanes <= n; i += Lanes)
            (Vector512.Load(dx + i) + ((Vector512.Load(dy + i) * Vector512.Load(gain + i)) - (Vector512.Load(x + i) * mean)) * r).Store(dx + i);
        for (; i < n; i++) dx[i] += ((dy[i] * gain[i]) - (x[i] * mean)) * r;
    }

    /// <summary>m = silu(gate) ∘ up.</summary>
    public static void SwiGlu(float* gate, float* up, float* m, int n)
    {
        var i = 0;
        for (; i + Lanes <= n; i += Lanes)
        {
            var g = Vector512.Load(gate + i);
            (g / (Vector512<float>.One + Vector512.Exp(-g)) * Vector512.Load(up + i)).Store(m + i);
        }

        for (; i < n; i++) m[i] = gate[i] / (1 + MathF.Exp(-gate[i])) * up[i];
    }

    /// <summary>The gradients of gate and up from that of <see cref="SwiGlu"/>'s result.</summary>
    public static void SwiGluBackward(float* gate, float* up, float* dm, float* dGate, float* dUp, int n)
    {
        var i = 0;
        for (; i + Lanes <= n; i += Lanes)
        {
            var (g, d) = (Vector512.Load(gate + i), Vector512.Load(dm + i));
            var s = Vector512<float>.One / (Vector512<float>.One + Vector512.Exp(-g));
            (d * Vector512.Load(up + i) * s * (Vector512<float>.One + (g * (Vector512<float>.One - s)))).Store(dGate + i);
            (d * g * s).Store(dUp + i);
        }

        for (; i < n; i++)
        {
            var s = 1 / (1 + MathF.Exp(-gate[i]));
            dGate[i] = dm[i] * up[i] * s * (1 + (gate[i] * (1 - s)));
            dUp[i] = dm[i] * gate[i] * s;
        }
    }

    /// <summary>x = exp(x − max), returns the sum; <paramref name="max"/> is that of the row.</summary>
    public static float Exponentials(float* x, int n, out float max)
    {
        var top = Vector512.Create(float.NegativeInfinity);
        max = float.NegativeInfinity;
        var i = 0;
        for (; i + Lanes <= n; i += Lanes) top = Vector512.Max(top, Vector512.Load(x + i));
        for (; i < n; i++) max = MathF.Max(max, x[i]);
        for (var l = 0; l < Lanes; l++) max = MathF.Max(max, top[l]);
        var sum = Vector512<float>.Zero;
        float rest = 0;
        var shift = Vector512.Create(max);
        for (i = 0; i + Lanes <= n; i += Lanes)
        {
            var e = Vector512.Exp(Vector512.Load(x + i) - shift);
            e.Store(x + i);
            sum += e;
        }

        for (; i < n; i++) rest += x[i] = MathF.Exp(x[i] - max);
        return Vector512.Sum(sum) + rest;
    }

    /// <summary>x *= factor.</summary>
    public static void Scale(float* x, float factor, int n)
    {
        var i = 0;
        for (; i + Lanes <= n; i += Lanes) (Vector512.Load(x + i) * factor).Store(x + i);
        for (; i < n; i++) x[i] *= factor;
    }

    /// <summary>y += x.</summary>
    public static void Add(float* x, float* y, int n)
    {
        var i = 0;
        for (; i + Lanes <= n; i += Lanes) (Vector512.Load(y + i) + Vector512.Load(x + i)).Store(y + i);
        for (; i < n; i++) y[i] += x[i];
    }

    /// <summary>d = p ∘ (d − Σ p∘d): the gradient through a softmax.</summary>
    public static void SoftmaxBackward(float* p, float* d, int n)
    {
        var along = Dot(p, d, n);
        var i = 0;
        for (; i + Lanes <= n; i += Lanes) (Vector512.Load(p + i) * (Vector512.Load(d + i) - Vector512.Create(along))).Store(d + i);
        for (; i < n; i++) d[i] = p[i] * (d[i] - along);
    }

    /// <summary>Turns the pairs (i, i + n/2) by the angles of a position, times a factor; the angle's sign is <paramref name="turn"/>.</summary>
    public static void Rotate(float* x, float* cos, float* sin, float turn, float factor, float* y, int n)
    {
        var half = n / 2;
        var i = 0;
        for (; i + Lanes <= half; i += Lanes)
        {
            var (a, b, c, s) = (Vector512.Load(x + i), Vector512.Load(x + half + i), Vector512.Load(cos + i) * factor, Vector512.Load(sin + i) * (turn * factor));
            ((a * c) - (b * s)).Store(y + i);
            ((b * c) + (a * s)).Store(y + half + i);
        }

        for (; i < half; i++)
        {
            var (a, b, c, s) = (x[i], x[half + i], cos[i] * factor, sin[i] * (turn * factor));
            y[i] = (a * c) - (b * s);
            y[half + i] = (b * c) + (a * s);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(float* x, float* y, int n)
    {
        var sum = Vector512<float>.Zero;
        float rest = 0;
        var i = 0;
        for (; i + Lanes <= n; i += Lanes) sum += Vector512.Load(x + i) * Vector512.Load(y + i);
        for (; i < n; i++) rest += x[i] * y[i];
        return Vector512.Sum(sum) + rest;
    }
}
