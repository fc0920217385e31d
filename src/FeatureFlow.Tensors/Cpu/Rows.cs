using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>What is done to one row of numbers at a time; sources and destination may be the same row.</summary>
internal static unsafe class Rows
{
    /// <summary>y = x ∘ s.</summary>
    public static void Multiply(float* x, float* s, float* y, int n)
    {
        var i = 0;
        for (; i + 8 <= n; i += 8) (Vector256.Load(x + i) * Vector256.Load(s + i)).Store(y + i);
        for (; i < n; i++) y[i] = x[i] * s[i];
    }

    /// <summary>y = x + factor · r.</summary>
    public static void Add(float* x, float* r, float factor, float* y, int n)
    {
        var f = Vector256.Create(factor);
        var i = 0;
        for (; i + 8 <= n; i += 8) (Vector256.Load(x + i) + f * Vector256.Load(r + i)).Store(y + i);
        for (; i < n; i++) y[i] = x[i] + factor * r[i];
    }

    /// <summary>y = (x − shift) · factor.</summary>
    public static void ShiftScale(float* x, float shift, float factor, float* y, int n)
    {
        var s = Vector256.Create(shift);
        var i = 0;
        for (; i + 8 <= n; i += 8) ((Vector256.Load(x + i) - s) * factor).Store(y + i);
        for (; i < n; i++) y[i] = (x[i] - shift) * factor;
    }

    /// <summary>z = max(x, 0), NaN kept.</summary>
    public static void Relu(float* x, float* z, int n)
    {
        var i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var v = Vector256.Load(x + i);
            Vector256.AndNot(v, Vector256.LessThanOrEqual(v, Vector256<float>.Zero)).Store(z + i);
        }

        for (; i < n; i++) z[i] = x[i] <= 0 ? 0 : x[i];
    }

    /// <summary>z = x where x > θ and x > 0, else 0.</summary>
    public static void JumpRelu(float* x, float* threshold, float* z, int n)
    {
        var i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var v = Vector256.Load(x + i);
            var active = Vector256.GreaterThan(v, Vector256.Load(threshold + i)) & Vector256.GreaterThan(v, Vector256<float>.Zero);
            (v & active).Store(z + i);
        }

        for (; i < n; i++) z[i] = x[i] > threshold[i] && x[i] > 0 ? x[i] : 0;
    }

    /// <summary>z = magnitude where gate > 0 and magnitude > 0, else 0.</summary>
    public static void Gate(float* gate, float* magnitude, float* z, int n)
    {
        var i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var v = Vector256.Load(magnitude + i);
            var open = Vector256.GreaterThan(Vector256.Load(gate + i), Vector256<float>.Zero) & Vector256.GreaterThan(v, Vector256<float>.Zero);
            (v & open).Store(z + i);
        }

        for (; i < n; i++) z[i] = gate[i] > 0 && magnitude[i] > 0 ? magnitude[i] : 0;
    }

    /// <summary>y = (x − shift) · factor ∘ (offset + gain) + bias; bias may be null.</summary>
    public static void Normalise(float* x, float shift, float factor, float* gain, float offset, float* bias, float* y, int n)
    {
        Vector256<float> s = Vector256.Create(shift), f = Vector256.Create(factor), o = Vector256.Create(offset);
        var i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var v = (Vector256.Load(x + i) - s) * f * (o + Vector256.Load(gain + i));
            if (bias != null) v += Vector256.Load(bias + i);
            v.Store(y + i);
        }

        for (; i < n; i++) y[i] = (x[i] - shift) * factor * (offset + gain[i]) + (bias == null ? 0 : bias[i]);
    }

    /// <summary>Turns the pairs (a, b) by angles: (a·cos − b·sin, b·cos + a·sin).</summary>
    public static void Turn(float* a, float* b, float* cosine, float* sine, int n)
    {
        var i = 0;
        for (; i + 8 <= n; i += 8)
        {
            Vector256<float> x = Vector256.Load(a + i), y = Vector256.Load(b + i), c = Vector256.Load(cosine + i), s = Vector256.Load(sine + i);
            (x * c - y * s).Store(a + i);
            (y * c + x * s).Store(b + i);
        }

        for (; i < n; i++) (a[i], b[i]) = (a[i] * cosine[i] - b[i] * sine[i], b[i] * cosine[i] + a[i] * sine[i]);
    }

    /// <summary>Σ x in float64.</summary>
    public static double Sum64(float* x, int n)
    {
        var sums = Vector512<double>.Zero;
        var i = 0;
        for (; i + 8 <= n; i += 8) sums += Wide(x + i);
        var sum = Vector512.Sum(sums);
        for (; i < n; i++) sum += x[i];
        return sum;
    }

    /// <summary>Σ (x − mean)² in float64.</summary>
    public static double Squares64(float* x, double mean, int n)
    {
        Vector512<double> sums = Vector512<double>.Zero, m = Vector512.Create(mean);
        var i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var d = Wide(x + i) - m;
            sums += d * d;
        }

        var sum = Vector512.Sum(sums);
        for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
        return sum;
    }

    /// <summary>Stored elements, a step apart, as float32.</summary>
    public static void ToFloat(byte* x, DType type, long step, float* y, int n)
    {
        switch (type)
        {
            case DType.F32: ToFloat<LoadF32>(x, step, y, n); break;
            case DType.BF16: ToFloat<LoadBF16>(x, step, y, n); break;
            default: ToFloat<LoadF16>(x, step, y, n); break;
        }
    }

    /// <summary>Some columns of a matrix with dense rows, as rows of float32, sixteen numbers of each in turn so that what is near in memory is read together.</summary>
    /// <param name="x">The matrix.</param>
    /// <param name="type">Its type.</param>
    /// <param name="step">Bytes from one of its rows to the next.</param>
    /// <param name="columns">Which columns.</param>
    /// <param name="y">Row i is column columns[i].</param>
    /// <param name="stride">Floats from one row of y to the next.</param>
    /// <param name="n">Rows of the matrix.</param>
    public static void GatherColumns(byte* x, DType type, long step, ReadOnlySpan<int> columns, float* y, long stride, int n)
    {
        switch (type)
        {
            case DType.F32: GatherColumns<LoadF32>(x, step, columns, y, stride, n); break;
            case DType.BF16: GatherColumns<LoadBF16>(x, step, columns, y, stride, n); break;
            default: GatherColumns<LoadF16>(x, step, columns, y, stride, n); break;
        }
    }

    /// <summary>Sum of x∘y in float64, rows of any stored type; a fixed order of summation.</summary>
    public static double Dot64(byte* x, DType typeX, long stepX, byte* y, DType typeY, long stepY, int n) => (typeX, typeY) switch
    {
        (DType.F32, DType.F32) => Dot64<LoadF32, LoadF32>(x, stepX, y, stepY, n),
        (DType.BF16, DType.BF16) => Dot64<LoadBF16, LoadBF16>(x, stepX, y, stepY, n),
        (DType.F16, DType.F16) => Dot64<LoadF16, LoadF16>(x, stepX, y, stepY, n),
        (DType.F32, DType.BF16) => Dot64<LoadF32, LoadBF16>(x, stepX, y, stepY, n),
        (DType.BF16, DType.F32) => Dot64<LoadBF16, LoadF32>(x, stepX, y, stepY, n),
        (DType.F32, _) => Dot64<LoadF32, LoadF16>(x, stepX, y, stepY, n),
        (_, DType.F32) => Dot64<LoadF16, LoadF32>(x, stepX, y, stepY, n),
        (DType.BF16, _) => Dot64<LoadBF16, LoadF16>(x, stepX, y, stepY, n),
        _ => Dot64<LoadF16, LoadBF16>(x, stepX, y, stepY, n),
    };

    private static Vector512<double> Wide(float* x)
    {
        var (low, high) = Vector256.Widen(Vector256.Load(x));
        return Vector512.Create(low, high);
    }

    private static void ToFloat<TLoad>(byte* x, long step, float* y, int n)
        where TLoad : struct, ILoad
    {
        var i = 0;
        if (step == TLoad.Size)
        {
            for (; i + 8 <= n; i += 8) TLoad.Eight(x + (long)i * TLoad.Size).Store(y + i);
        }

        for (; i < n; i++) y[i] = TLoad.One(x + i * step);
    }

    private static void GatherColumns<TLoad>(byte* x, long step, ReadOnlySpan<int> columns, float* y, long stride, int n)
        where TLoad : struct, ILoad
    {
        const int together = 16;
        var sixteen = stackalloc byte[together * sizeof(float)];
        for (var start = 0; start < n; start += together)
        {
            var count = Math.Min(together, n - start);
            for (var c = 0; c < columns.Length; c++)
            {
                var from = x + (start * step) + ((long)columns[c] * TLoad.Size);
                var to = y + (c * stride) + start;
                if (count < together)
                {
                    for (var i = 0; i < count; i++) to[i] = TLoad.One(from + (i * step));
                    continue;
                }

                for (var i = 0; i < together; i++, from += step)
                {
                    if (TLoad.Size == sizeof(float)) ((uint*)sixteen)[i] = Unsafe.ReadUnaligned<uint>(from);
                    else ((ushort*)sixteen)[i] = Unsafe.ReadUnaligned<ushort>(from);
                }

                TLoad.Sixteen(sixteen).Store(to);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Dot64<TX, TY>(byte* x, long stepX, byte* y, long stepY, int n)
        where TX : struct, ILoad
        where TY : struct, ILoad
    {
        // sixteen partial sums whatever the layout, so that a strided row gives the bits of a dense one
        var s0 = Vector256<double>.Zero;
        var s1 = Vector256<double>.Zero;
        var s2 = Vector256<double>.Zero;
        var s3 = Vector256<double>.Zero;
        var i = 0;
        if (stepX == TX.Size && stepY == TY.Size)
        {
            for (; i + 16 <= n; i += 16)
            {
                var (a0, a1) = Vector256.Widen(TX.Eight(x));
                var (b0, b1) = Vector256.Widen(TY.Eight(y));
                var (a2, a3) = Vector256.Widen(TX.Eight(x + 8 * TX.Size));
                var (b2, b3) = Vector256.Widen(TY.Eight(y + 8 * TY.Size));
                s0 += a0 * b0;
                s1 += a1 * b1;
                s2 += a2 * b2;
                s3 += a3 * b3;
                x += 16 * TX.Size;
                y += 16 * TY.Size;
            }
        }
        else
        {
            for (; i + 16 <= n; i += 16, x += 16 * stepX, y += 16 * stepY)
            {
                s0 += Products<TX, TY>(x, stepX, y, stepY, 0);
                s1 += Products<TX, TY>(x, stepX, y, stepY, 4);
                s2 += Products<TX, TY>(x, stepX, y, stepY, 8);
                s3 += Products<TX, TY>(x, stepX, y, stepY, 12);
            }
        }

        var sum = Vector256.Sum((s0 + s1) + (s2 + s3));
        for (; i < n; i++, x += stepX, y += stepY) sum += (double)TX.One(x) * TY.One(y);
        return sum;
    }

    private static Vector256<double> Products<TX, TY>(byte* x, long stepX, byte* y, long stepY, int at)
        where TX : struct, ILoad
        where TY : struct, ILoad
    {
        x += at * stepX;
        y += at * stepY;
        return Vector256.Create(
            (double)TX.One(x) * TY.One(y),
            (double)TX.One(x + stepX) * TY.One(y + stepY),
            (double)TX.One(x + 2 * stepX) * TY.One(y + 2 * stepY),
            (double)TX.One(x + 3 * stepX) * TY.One(y + 3 * stepY));
    }
}
