using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Functions of sixteen float32 at a time, each within a few units in the last place.</summary>
internal static class VectorMath
{
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693359375f; // few bits, so that its product with a small whole number is exact
    private const float Ln2Low = -2.12194440e-4f;
    private const float Lowest = -87.33f; // below it the result is no normal number: 0

    /// <summary>eˣ: x = n·ln 2 + r, the series of eʳ to the seventh power, n added to the exponent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        var bounded = Vector512.Min(Vector512.Max(x, Vector512.Create(Lowest)), Vector512.Create(88.72f));
        var n = Vector512.Round(bounded * Log2E);
        var r = Vector512.MultiplyAddEstimate(n, Vector512.Create(-Ln2High), bounded);
        r = Vector512.MultiplyAddEstimate(n, Vector512.Create(-Ln2Low), r);
        var y = Vector512.Create(1f / 5040);
        y = Vector512.MultiplyAddEstimate(y, r, Vector512.Create(1f / 720));
        y = Vector512.MultiplyAddEstimate(y, r, Vector512.Create(1f / 120));
        y = Vector512.MultiplyAddEstimate(y, r, Vector512.Create(1f / 24));
        y = Vector512.MultiplyAddEstimate(y, r, Vector512.Create(1f / 6));
        y = Vector512.MultiplyAddEstimate(y, r, Vector512.Create(0.5f));
        y = Vector512.MultiplyAddEstimate(y, r, Vector512<float>.One);
        y = Vector512.MultiplyAddEstimate(y, r, Vector512<float>.One);

        if (Avx512F.IsSupported) return Vector512.AndNot(Avx512F.Scale(y, n), Vector512.LessThan(x, Vector512.Create(Lowest)));

        // 2ⁿ in two steps: n may be 128, which one exponent cannot hold
        var half = Vector512.ConvertToInt32Native(n) >> 1;
        var rest = Vector512.ConvertToInt32Native(n) - half;
        y = y * Power(half) * Power(rest);
        return Vector512.AndNot(y, Vector512.LessThan(x, Vector512.Create(Lowest)));

        static Vector512<float> Power(Vector512<int> n) => ((n + Vector512.Create(127)) << 23).AsSingle();
    }

    /// <summary>tanh x; near 0, where the exponential would cancel, its series.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x)
    {
        var square = x * x;
        var series = Vector512.MultiplyAddEstimate(square, Vector512.Create(-17f / 315), Vector512.Create(2f / 15));
        series = Vector512.MultiplyAddEstimate(series, square, Vector512.Create(-1f / 3));
        series = Vector512.MultiplyAddEstimate(series * square, x, x);
        var exact = Vector512<float>.One - Vector512.Create(2f) / (Exp(x + x) + Vector512<float>.One);
        return Vector512.ConditionalSelect(Vector512.LessThan(Vector512.Abs(x), Vector512.Create(0.15f)), series, exact);
    }

    /// <summary>erfc x = 1 − erf x, with a relative error below 2e-7: the fit of Press et al., Numerical Recipes, section 6.2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Erfc(Vector512<float> x)
    {
        var z = Vector512.Abs(x);
        var t = Vector512<float>.One / Vector512.MultiplyAddEstimate(z, Vector512.Create(0.5f), Vector512<float>.One);
        var p = Vector512.MultiplyAddEstimate(t, Vector512.Create(0.17087277f), Vector512.Create(-0.82215223f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(1.48851587f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(-1.13520398f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(0.27886807f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(-0.18628806f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(0.09678418f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(0.37409196f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(1.00002368f));
        p = Vector512.MultiplyAddEstimate(p, t, Vector512.Create(-1.26551223f));
        var y = t * Exp(p - z * z);
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), Vector512.Create(2f) - y, y);
    }

    /// <summary>x / (1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Silu(Vector512<float> x) => x / (Vector512<float>.One + Exp(-x));

    /// <summary>x · Φ(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Gelu(Vector512<float> x) => x * 0.5f * Erfc(x * -0.70710678f);

    /// <summary>x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))), which is x · sigmoid of twice that argument.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> GeluTanh(Vector512<float> x)
    {
        var inner = Vector512.MultiplyAddEstimate(x * x * 0.044715f, x, x) * (2 * 0.79788456f);
        return x / (Vector512<float>.One + Exp(-inner));
    }
}

/// <summary>A function of one number, or of two, as kernels inline it.</summary>
internal interface IFunction
{
    Vector512<float> Of(Vector512<float> x, Vector512<float> other);
}

/// <summary>Functions applied along rows.</summary>
internal static unsafe class Maps
{
    /// <summary>y[i] = f(x[i], other[i]); other may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TFunction>(TFunction f, float* x, float* other, float* y, int n)
        where TFunction : struct, IFunction
    {
        var i = 0;
        for (; i + 16 <= n; i += 16) f.Of(Vector512.Load(x + i), Vector512.Load(other + i)).Store(y + i);
        if (i == n) return;
        var tail = stackalloc float[48];
        for (var j = i; j < n; j++) (tail[j - i], tail[16 + j - i]) = (x[j], other[j]);
        f.Of(Vector512.Load(tail), Vector512.Load(tail + 16)).Store(tail + 32);
        for (var j = i; j < n; j++) y[j] = tail[32 + j - i];
    }

    /// <summary>x = e^(x − shift) in place; returns the sum, in an order that depends on n alone.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float ExpAndSum(float* x, float shift, int n)
    {
        var s = Vector512.Create(shift);
        var sums = Vector512<float>.Zero;
        var i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var y = VectorMath.Exp(Vector512.Load(x + i) - s);
            sums += y;
            y.Store(x + i);
        }

        if (i == n) return Vector512.Sum(sums);
        var tail = stackalloc float[16];
        Vector512.Create(float.NegativeInfinity).Store(tail);
        new Span<float>(x + i, n - i).CopyTo(new Span<float>(tail, 16));
        var last = VectorMath.Exp(Vector512.Load(tail) - s);
        last.Store(tail);
        new Span<float>(tail, n - i).CopyTo(new Span<float>(x + i, n - i));
        return Vector512.Sum(sums + last);
    }

    /// <summary>The largest of sixteen; NaN if one is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector512<float> x)
    {
        var eight = Vector256.Max(x.GetLower(), x.GetUpper());
        var four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        var two = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(two[0], two[1]);
    }

    public readonly struct Gelu : IFunction
    {
        public Vector512<float> Of(Vector512<float> x, Vector512<float> other) => VectorMath.Gelu(x);
    }

    public readonly struct GeluTanh : IFunction
    {
        public Vector512<float> Of(Vector512<float> x, Vector512<float> other) => VectorMath.GeluTanh(x);
    }

    public readonly struct Silu : IFunction
    {
        public Vector512<float> Of(Vector512<float> x, Vector512<float> other) => VectorMath.Silu(x);
    }

    public readonly struct Relu : IFunction
    {
        public Vector512<float> Of(Vector512<float> x, Vector512<float> other) => Vector512.Max(x, Vector512<float>.Zero);
    }

    public readonly struct Times<TFunction>(TFunction f) : IFunction
        where TFunction : struct, IFunction
    {
        public Vector512<float> Of(Vector512<float> x, Vector512<float> other) => f.Of(x, x) * other;
    }

    public readonly struct SoftCap(float cap) : IFunction
    {
        private readonly Vector512<float> _cap = Vector512.Create(cap);

        public Vector512<float> Of(Vector512<float> x, Vector512<float> other) => _cap * VectorMath.Tanh(x / _cap);
    }

    public readonly struct Sum : IFunction
    {
        public Vector512<float> Of(Vector512<float> x, Vector512<float> other) => x + other;
    }
}
