using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Products with few rows on the left and a right-hand matrix whose rows are dense: bounded by reading it once, so nothing is packed. Sums are
/// made slab by slab as <see cref="Gemm"/> makes them: the bits do not depend on how many rows come together.
/// </summary>
internal static unsafe class Streaming
{
    private const int MaxRows = 16;
    private const int Lane = 4096; // numbers of c that stay in L1

    /// <summary>True for as many rows as reading b costs more than multiplying; above it the blocked product is faster.</summary>
    public static bool Suits(int m, in Operand b) => m <= MaxRows && b.RowsAreDense && !b.ColumnsAreDense;

    /// <summary>c[m, n] = a[m]·bᵀ[n] for the columns n of one piece; a is dense float32 [M,K].</summary>
    public static void Product(float* a, int m, int k, in Operand b, int column, int columns, float* c, long stride, bool accumulate)
    {
        switch (b.Type)
        {
            case DType.F32: Product<LoadF32>(a, m, k, b, column, columns, c, stride, accumulate); break;
            case DType.BF16: Product<LoadBF16>(a, m, k, b, column, columns, c, stride, accumulate); break;
            default: Product<LoadF16>(a, m, k, b, column, columns, c, stride, accumulate); break;
        }
    }

    /// <summary>Dot products of <paramref name="m"/> dense float32 rows with one stored row, and that row's squared norm: one pass over it.</summary>
    public static void DotsAndNorm(float* a, int m, int k, byte* row, DType type, long step, float* dots, out double squaredNorm)
    {
        switch (type)
        {
            case DType.F32: DotsAndNorm<LoadF32>(a, m, k, row, step, dots, out squaredNorm); break;
            case DType.BF16: DotsAndNorm<LoadBF16>(a, m, k, row, step, dots, out squaredNorm); break;
            default: DotsAndNorm<LoadF16>(a, m, k, row, step, dots, out squaredNorm); break;
        }
    }

    /// <summary>Sums of float32 rows with weights, row j at <paramref name="rows"/> + j·step: sums[m, n] = weights[m, count]·rows, one chain over the rows.</summary>
    public static void Weighted(float* weights, int m, int stride, float* rows, long step, int count, float* sums, int n)
    {
        new Span<float>(sums, m * n).Clear();
        var p = 0;
        for (; p + 8 <= count; p += 8) AddEight<LoadF32>(weights + p, m, stride, (byte*)(rows + p * step), step * sizeof(float), sums, n, n);
        for (; p < count; p++)
        {
            for (var i = 0; i < m; i++) AddMultiple<LoadF32>(weights[(long)i * stride + p], (byte*)(rows + p * step), sums + i * n, n);
        }
    }

    private static void Product<TLoad>(float* a, int m, int k, in Operand b, int column, int columns, float* c, long stride, bool accumulate)
        where TLoad : struct, ILoad
    {
        // add multiples of pieces of eight rows at a time, each read once. The sums lie together in L1: rows of c are often a power of two
        // apart, where a cache keeps few of them
        var lane = Math.Max(256, Lane / Math.Max(1, m) & ~15);
        var apart = lane + 16 * 3;
        var space = stackalloc float[apart * m + 16];
        var sums = (float*)(((nint)space + 63) & ~63); // every vector in one cache line
        var (depth, slabs) = Gemm.Slabs(k);
        for (var n = 0; n < columns; n += lane)
        {
            var width = Math.Min(lane, columns - n);
            for (var slab = 0; slab < slabs; slab++)
            {
                new Span<float>(sums, apart * m).Clear();
                int p = slab * depth, end = Math.Min(k, p + depth);
                for (; p + 8 <= end; p += 8) AddEight<TLoad>(a + p, m, k, b.At(p, column + n), b.RowStep, sums, apart, width);
                for (; p < end; p++)
                {
                    for (var i = 0; i < m; i++) AddMultiple<TLoad>(a[(long)i * k + p], b.At(p, column + n), sums + i * apart, width);
                }

                for (var i = 0; i < m; i++)
                {
                    var target = c + i * stride + column + n;
                    if (slab > 0 || accumulate) Rows.Add(sums + i * apart, target, 1f, target, width);
                    else new Span<float>(sums + i * apart, width).CopyTo(new Span<float>(target, width));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddEight<TLoad>(float* a, int m, int k, byte* row, long step, float* target, long stride, int n)
        where TLoad : struct, ILoad
    {
        var j = 0;
        for (; j + 32 <= n; j += 32, row += 32 * TLoad.Size)
        {
            Ahead(row + 8 * step, step);
            if (TLoad.Size == 4) Ahead(row + 8 * step + 64, step);
            var b0 = TLoad.Sixteen(row);
            var b1 = TLoad.Sixteen(row + step);
            var b2 = TLoad.Sixteen(row + 2 * step);
            var b3 = TLoad.Sixteen(row + 3 * step);
            var b4 = TLoad.Sixteen(row + 4 * step);
            var b5 = TLoad.Sixteen(row + 5 * step);
            var b6 = TLoad.Sixteen(row + 6 * step);
            var b7 = TLoad.Sixteen(row + 7 * step);
            var next = row + 16 * TLoad.Size;
            var d0 = TLoad.Sixteen(next);
            var d1 = TLoad.Sixteen(next + step);
            var d2 = TLoad.Sixteen(next + 2 * step);
            var d3 = TLoad.Sixteen(next + 3 * step);
            var d4 = TLoad.Sixteen(next + 4 * step);
            var d5 = TLoad.Sixteen(next + 5 * step);
            var d6 = TLoad.Sixteen(next + 6 * step);
            var d7 = TLoad.Sixteen(next + 7 * step);
            var c = target + j;
            var x = a;
            for (var i = 0; i < m; i++, c += stride, x += k)
            {
                var low = Vector512.Load(c);
                var high = Vector512.Load(c + 16);
                var f = Vector512.Create(x[0]);
                low = Vector512.MultiplyAddEstimate(f, b0, low);
                high = Vector512.MultiplyAddEstimate(f, d0, high);
                f = Vector512.Create(x[1]);
                low = Vector512.MultiplyAddEstimate(f, b1, low);
                high = Vector512.MultiplyAddEstimate(f, d1, high);
                f = Vector512.Create(x[2]);
                low = Vector512.MultiplyAddEstimate(f, b2, low);
                high = Vector512.MultiplyAddEstimate(f, d2, high);
                f = Vector512.Create(x[3]);
                low = Vector512.MultiplyAddEstimate(f, b3, low);
                high = Vector512.MultiplyAddEstimate(f, d3, high);
                f = Vector512.Create(x[4]);
                low = Vector512.MultiplyAddEstimate(f, b4, low);
                high = Vector512.MultiplyAddEstimate(f, d4, high);
                f = Vector512.Create(x[5]);
                low = Vector512.MultiplyAddEstimate(f, b5, low);
                high = Vector512.MultiplyAddEstimate(f, d5, high);
                f = Vector512.Create(x[6]);
                low = Vector512.MultiplyAddEstimate(f, b6, low);
                high = Vector512.MultiplyAddEstimate(f, d6, high);
                f = Vector512.Create(x[7]);
                low = Vector512.MultiplyAddEstimate(f, b7, low);
                high = Vector512.MultiplyAddEstimate(f, d7, high);
                low.Store(c);
                high.Store(c + 16);
            }
        }

        for (; j < n; j++, row += TLoad.Size)
        {
            for (var i = 0; i < m; i++)
            {
                var c = target + i * stride + j;
                for (var r = 0; r < 8; r++) *c = MathF.FusedMultiplyAdd(a[(long)i * k + r], TLoad.One(row + r * step), *c);
            }
        }
    }

    // the same cache line of the next eight rows: a stretch of a row is too short for the machine to see where it goes on
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ahead(byte* row, long step)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(row);
        Sse.Prefetch0(row + step);
        Sse.Prefetch0(row + 2 * step);
        Sse.Prefetch0(row + 3 * step);
        Sse.Prefetch0(row + 4 * step);
        Sse.Prefetch0(row + 5 * step);
        Sse.Prefetch0(row + 6 * step);
        Sse.Prefetch0(row + 7 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddMultiple<TLoad>(float factor, byte* row, float* target, int n)
        where TLoad : struct, ILoad
    {
        var f = Vector512.Create(factor);
        var i = 0;
        for (; i + 16 <= n; i += 16)
            Vector512.MultiplyAddEstimate(f, TLoad.Sixteen(row + (long)i * TLoad.Size), Vector512.Load(target + i)).Store(target + i);
        for (; i < n; i++) target[i] = MathF.FusedMultiplyAdd(factor, TLoad.One(row + (long)i * TLoad.Size), target[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotsAndNorm<TLoad>(float* a, int m, int k, byte* row, long step, float* dots, out double squaredNorm)
        where TLoad : struct, ILoad
    {
        if (step != TLoad.Size)
        {
            squaredNorm = 0;
            new Span<float>(dots, m).Clear();
            for (var p = 0; p < k; p++)
            {
                var v = TLoad.One(row + p * step);
                squaredNorm += (double)v * v;
                for (var i = 0; i < m; i++) dots[i] = MathF.FusedMultiplyAdd(a[(long)i * k + p], v, dots[i]);
            }

            return;
        }

        Vector512<float> n0 = Vector512<float>.Zero, n1 = n0, n2 = n0, n3 = n0, d0 = n0, d1 = n0, d2 = n0, d3 = n0;
        var q = 0;
        for (; q + 64 <= k; q += 64)
        {
            var p = row + (long)q * TLoad.Size;
            var v0 = TLoad.Sixteen(p);
            var v1 = TLoad.Sixteen(p + 16 * TLoad.Size);
            var v2 = TLoad.Sixteen(p + 32 * TLoad.Size);
            var v3 = TLoad.Sixteen(p + 48 * TLoad.Size);
            n0 = Vector512.MultiplyAddEstimate(v0, v0, n0);
            n1 = Vector512.MultiplyAddEstimate(v1, v1, n1);
            n2 = Vector512.MultiplyAddEstimate(v2, v2, n2);
            n3 = Vector512.MultiplyAddEstimate(v3, v3, n3);
            d0 = Vector512.MultiplyAddEstimate(v0, Vector512.Load(a + q), d0);
            d1 = Vector512.MultiplyAddEstimate(v1, Vector512.Load(a + q + 16), d1);
            d2 = Vector512.MultiplyAddEstimate(v2, Vector512.Load(a + q + 32), d2);
            d3 = Vector512.MultiplyAddEstimate(v3, Vector512.Load(a + q + 48), d3);
        }

        double norm = Vector512.Sum((n0 + n1) + (n2 + n3));
        var dot = Vector512.Sum((d0 + d1) + (d2 + d3));
        for (; q < k; q++)
        {
            var v = TLoad.One(row + (long)q * TLoad.Size);
            norm += (double)v * v;
            dot = MathF.FusedMultiplyAdd(v, a[q], dot);
        }

        squaredNorm = norm;
        dots[0] = dot;
        for (var i = 1; i < m; i++) dots[i] = Dot<TLoad>(a + (long)i * k, row, k); // the row is in L1 by now
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<TLoad>(float* a, byte* row, int k)
        where TLoad : struct, ILoad
    {
        Vector512<float> d0 = Vector512<float>.Zero, d1 = d0, d2 = d0, d3 = d0;
        var q = 0;
        for (; q + 64 <= k; q += 64)
        {
            var p = row + (long)q * TLoad.Size;
            d0 = Vector512.MultiplyAddEstimate(TLoad.Sixteen(p), Vector512.Load(a + q), d0);
            d1 = Vector512.MultiplyAddEstimate(TLoad.Sixteen(p + 16 * TLoad.Size), Vector512.Load(a + q + 16), d1);
            d2 = Vector512.MultiplyAddEstimate(TLoad.Sixteen(p + 32 * TLoad.Size), Vector512.Load(a + q + 32), d2);
            d3 = Vector512.MultiplyAddEstimate(TLoad.Sixteen(p + 48 * TLoad.Size), Vector512.Load(a + q + 48), d3);
        }

        var dot = Vector512.Sum((d0 + d1) + (d2 + d3));
        for (; q < k; q++) dot = MathF.FusedMultiplyAdd(TLoad.One(row + (long)q * TLoad.Size), a[q], dot);
        return dot;
    }
}
