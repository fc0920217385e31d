using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// One to eight rows times weights stored [out, in]: sixteen of their rows are read side by side, turned in registers and used at once, so that memory is the limit (more
/// than four rows go over them twice, the second time in the first-level cache). Every
/// element is summed as <see cref="Gemm"/> sums it: one chain over k within a slab, then slab after slab.
/// </summary>
internal static unsafe class Narrow
{
    private const int MaxRows = 24;
    private const int RowsAtOnce = 4;
    private const int Block = 128; // of k, turned at once for more rows
    private const int Together = 32; // columns turned at once for more rows

    /// <summary>Columns of b that one piece of work takes.</summary>
    public const int Piece = 256;

    /// <summary>True where it is the fastest way.</summary>
    public static bool Suits(int m, in Operand b) => m <= MaxRows && Avx512F.IsSupported && b.ColumnsAreDense && b.Columns >= 16;

    /// <summary>c[m, columns] = a·b for some columns of b; a is dense float32 [m, k].</summary>
    public static void Product(float* a, int m, int k, in Operand b, int column, int columns, Scratch scratch, float* c, long stride, bool accumulate)
    {
        switch (b.Type)
        {
            case DType.F32: Product<LoadF32>(a, m, k, b, column, columns, scratch, c, stride, accumulate); break;
            case DType.BF16: Product<LoadBF16>(a, m, k, b, column, columns, scratch, c, stride, accumulate); break;
            default: Product<LoadF16>(a, m, k, b, column, columns, scratch, c, stride, accumulate); break;
        }
    }

    /// <summary>
    /// Scores of one to four float32 queries with some keys, key j at <paramref name="keys"/> + j·step: the same chain over k for every score. Up to fifteen keys past
    /// the last one are read where <paramref name="readable"/> allows, and their scores are left out.
    /// </summary>
    public static void Scores(float* queries, int m, int k, float* keys, long step, int count, int readable, float* scores, long stride)
    {
        var sums = stackalloc float[RowsAtOnce * 16];
        var j = 0;
        for (; j < count && j + 16 <= readable; j += 16)
        {
            Sixteen<LoadF32>(queries, m, k, (byte*)(keys + j * step), step * sizeof(float), k, (byte*)(keys + (j + 16) * step), step * sizeof(float), 64, sums);
            for (var i = 0; i < m; i++) new Span<float>(sums + i * 16, Math.Min(16, count - j)).CopyTo(new Span<float>(scores + i * stride + j, Math.Min(16, count - j)));
        }

        for (; j < count; j++)
        {
            for (var i = 0; i < m; i++)
            {
                float sum = 0;
                for (var p = 0; p < k; p++) sum = MathF.FusedMultiplyAdd(queries[(long)i * k + p], keys[j * step + p], sum);
                scores[i * stride + j] = sum;
            }
        }
    }

    private static void Product<TLoad>(float* a, int m, int k, in Operand b, int column, int columns, Scratch scratch, float* c, long stride, bool accumulate)
        where TLoad : struct, ILoad
    {
        if (m > RowsAtOnce)
        {
            ByBlocks<TLoad>(a, m, k, b, column, columns, scratch, c, stride, accumulate);
            return;
        }

        var sums = stackalloc float[RowsAtOnce * 16];
        var (depth, slabs) = Gemm.Slabs(k);
        for (var j = 0; j < columns; j += 16)
        {
            // the last sixteen may overlap those before: they are computed again and left out
            var first = Math.Min(column + j, b.Columns - 16);
            var skip = column + j - first;
            var live = Math.Min(16 - skip, columns - j);
            for (var slab = 0; slab < slabs; slab++)
            {
                var k0 = slab * depth;
                Sixteen<TLoad>(a + k0, m, k, b.At(k0, first), b.ColumnStep, Math.Max(0, Math.Min(depth, k - k0)), b.At(0, first + 16) + (long)k0 * 16 * TLoad.Size, 64, 1024, sums);
                for (var i = 0; i < m; i++)
                {
                    float* from = sums + i * 16 + skip, to = c + i * stride + column + j;
                    for (var x = 0; x < live; x++) to[x] = slab > 0 || accumulate ? from[x] + to[x] : from[x];
                }
            }
        }
    }

    // more rows than registers hold beside the turned weights: a block is turned into the first-level cache, and all rows are multiplied with it
    private static void ByBlocks<TLoad>(float* a, int m, int k, in Operand b, int column, int columns, Scratch scratch, float* c, long stride, bool accumulate)
        where TLoad : struct, ILoad
    {
        const int apart = Together + 16;
        using var rented = scratch.Rent(Together * Block + (m + 1) * apart);
        float* turned = rented.Floats, sums = turned + Together * Block;
        var bT = b.Transpose();
        var (depth, slabs) = Gemm.Slabs(k);
        for (var j = 0; j < columns; j += Together)
        {
            var live = Math.Min(Together, columns - j);
            for (var slab = 0; slab < slabs; slab++)
            {
                new Span<float>(sums, m * apart).Clear();
                int k0 = slab * depth, end = Math.Min(k, k0 + depth);
                for (; k0 < end; k0 += Block)
                {
                    var deep = Math.Min(Block, end - k0);
                    Packing.Pack(bT, column + j, live, k0, deep, Together, turned);
                    // meanwhile the next columns come, as they lie in memory
                    var later = j + Together < columns ? b.At(0, column + j + Together) + (long)k0 * Together * TLoad.Size : (byte*)turned;
                    Wide.Tiles<LoadF32>(a + k0, m, k, (byte*)turned, Together * sizeof(float), later, j + Together < columns ? Together * TLoad.Size : 0, deep, sums, Together, apart);
                }

                for (var i = 0; i < m; i++)
                {
                    float* from = sums + i * apart, to = c + i * stride + column + j;
                    if (slab > 0 || accumulate) Rows.Add(from, to, 1f, to, live);
                    else new Span<float>(from, live).CopyTo(new Span<float>(to, live));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sixteen<TLoad>(float* a, int m, long stride, byte* w, long step, int k, byte* later, long across, long along, float* sums)
        where TLoad : struct, ILoad
    {
        Vector512<float> s0 = Vector512<float>.Zero, s1 = s0, s2 = s0, s3 = s0;
        float* a1 = m > 1 ? a + stride : a, a2 = m > 2 ? a + 2 * stride : a, a3 = m > 3 ? a + 3 * stride : a;
        var p = 0;
        if (typeof(TLoad) == typeof(LoadBF16))
        {
            // two neighbours in one lane: turned together, parted by a shift and a mask
            for (; p + 32 <= k; p += 32, w += 64, later += along)
            {
                Ask(later, across);
                Quad<LoadF32>(w, step, out var r0, out var r1, out var r2, out var r3);
                Quad<LoadF32>(w + 4 * step, step, out var t0, out var t1, out var t2, out var t3);
                Quad<LoadF32>(w + 8 * step, step, out var u0, out var u1, out var u2, out var u3);
                Quad<LoadF32>(w + 12 * step, step, out var v0, out var v1, out var v2, out var v3);
                Transpose16.Quarters(r0, t0, u0, v0, out r0, out t0, out u0, out v0);
                Transpose16.Quarters(r1, t1, u1, v1, out r1, out t1, out u1, out v1);
                Transpose16.Quarters(r2, t2, u2, v2, out r2, out t2, out u2, out v2);
                Transpose16.Quarters(r3, t3, u3, v3, out r3, out t3, out u3, out v3);
                if (m == 1)
                {
                    Pairs(r0, r1, r2, r3, a + p, ref s0);
                    Pairs(t0, t1, t2, t3, a + p + 8, ref s0);
                    Pairs(u0, u1, u2, u3, a + p + 16, ref s0);
                    Pairs(v0, v1, v2, v3, a + p + 24, ref s0);
                    continue;
                }

                Pairs(r0, r1, r2, r3, a + p, a1 + p, a2 + p, a3 + p, ref s0, ref s1, ref s2, ref s3);
                Pairs(t0, t1, t2, t3, a + p + 8, a1 + p + 8, a2 + p + 8, a3 + p + 8, ref s0, ref s1, ref s2, ref s3);
                Pairs(u0, u1, u2, u3, a + p + 16, a1 + p + 16, a2 + p + 16, a3 + p + 16, ref s0, ref s1, ref s2, ref s3);
                Pairs(v0, v1, v2, v3, a + p + 24, a1 + p + 24, a2 + p + 24, a3 + p + 24, ref s0, ref s1, ref s2, ref s3);
            }
        }

        for (; p + 16 <= k; p += 16, w += 16 * TLoad.Size, later += along)
        {
            Ask(later, across);
            Quad<TLoad>(w, step, out var r0, out var r1, out var r2, out var r3);
            Quad<TLoad>(w + 4 * step, step, out var t0, out var t1, out var t2, out var t3);
            Quad<TLoad>(w + 8 * step, step, out var u0, out var u1, out var u2, out var u3);
            Quad<TLoad>(w + 12 * step, step, out var v0, out var v1, out var v2, out var v3);
            Transpose16.Quarters(r0, t0, u0, v0, out r0, out t0, out u0, out v0);
            Transpose16.Quarters(r1, t1, u1, v1, out r1, out t1, out u1, out v1);
            Transpose16.Quarters(r2, t2, u2, v2, out r2, out t2, out u2, out v2);
            Transpose16.Quarters(r3, t3, u3, v3, out r3, out t3, out u3, out v3);
            if (m == 1)
            {
                Singles(r0, r1, r2, r3, a + p, ref s0);
                Singles(t0, t1, t2, t3, a + p + 4, ref s0);
                Singles(u0, u1, u2, u3, a + p + 8, ref s0);
                Singles(v0, v1, v2, v3, a + p + 12, ref s0);
                continue;
            }

            Singles(r0, r1, r2, r3, a + p, a1 + p, a2 + p, a3 + p, ref s0, ref s1, ref s2, ref s3);
            Singles(t0, t1, t2, t3, a + p + 4, a1 + p + 4, a2 + p + 4, a3 + p + 4, ref s0, ref s1, ref s2, ref s3);
            Singles(u0, u1, u2, u3, a + p + 8, a1 + p + 8, a2 + p + 8, a3 + p + 8, ref s0, ref s1, ref s2, ref s3);
            Singles(v0, v1, v2, v3, a + p + 12, a1 + p + 12, a2 + p + 12, a3 + p + 12, ref s0, ref s1, ref s2, ref s3);
        }

        for (; p < k; p++, w += TLoad.Size)
        {
            var column = Vector512<float>.Zero;
            for (var r = 0; r < 16; r++) column = column.WithElement(r, TLoad.One(w + r * step));
            Single(column, a + p, a1 + p, a2 + p, a3 + p, 0, ref s0, ref s1, ref s2, ref s3);
        }

        s0.Store(sums);
        if (m > 1) s1.Store(sums + 16);
        if (m > 2) s2.Store(sums + 32);
        if (m > 3) s3.Store(sums + 48);
    }

    // sixteen cache lines for the second-level cache
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(byte* p, long across)
    {
        for (var half = 0; half < 2; half++, p += 8 * across)
        {
            Sse.Prefetch1(p);
            Sse.Prefetch1(p + across);
            Sse.Prefetch1(p + 2 * across);
            Sse.Prefetch1(p + 3 * across);
            Sse.Prefetch1(p + 4 * across);
            Sse.Prefetch1(p + 5 * across);
            Sse.Prefetch1(p + 6 * across);
            Sse.Prefetch1(p + 7 * across);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quad<TLoad>(byte* w, long step, out Vector512<float> r0, out Vector512<float> r1, out Vector512<float> r2, out Vector512<float> r3)
        where TLoad : struct, ILoad
    {
        Transpose16.FourRows(TLoad.Sixteen(w), TLoad.Sixteen(w + step), TLoad.Sixteen(w + 2 * step), TLoad.Sixteen(w + 3 * step), out r0, out r1, out r2, out r3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Even(Vector512<float> pair) => (pair.AsUInt32() << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Odd(Vector512<float> pair) => (pair.AsUInt32() & Vector512.Create(0xffff0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pairs(Vector512<float> x, Vector512<float> y, Vector512<float> z, Vector512<float> t, float* a, ref Vector512<float> s)
    {
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[0]), Even(x), s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[1]), Odd(x), s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[2]), Even(y), s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[3]), Odd(y), s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[4]), Even(z), s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[5]), Odd(z), s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[6]), Even(t), s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[7]), Odd(t), s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Singles(Vector512<float> x, Vector512<float> y, Vector512<float> z, Vector512<float> t, float* a, ref Vector512<float> s)
    {
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[0]), x, s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[1]), y, s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[2]), z, s);
        s = Avx512F.FusedMultiplyAdd(Vector512.Create(a[3]), t, s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pairs(
        Vector512<float> x, Vector512<float> y, Vector512<float> z, Vector512<float> t, float* a0, float* a1, float* a2, float* a3, ref Vector512<float> s0, ref Vector512<float> s1, ref Vector512<float> s2, ref Vector512<float> s3)
    {
        Single(Even(x), a0, a1, a2, a3, 0, ref s0, ref s1, ref s2, ref s3);
        Single(Odd(x), a0, a1, a2, a3, 1, ref s0, ref s1, ref s2, ref s3);
        Single(Even(y), a0, a1, a2, a3, 2, ref s0, ref s1, ref s2, ref s3);
        Single(Odd(y), a0, a1, a2, a3, 3, ref s0, ref s1, ref s2, ref s3);
        Single(Even(z), a0, a1, a2, a3, 4, ref s0, ref s1, ref s2, ref s3);
        Single(Odd(z), a0, a1, a2, a3, 5, ref s0, ref s1, ref s2, ref s3);
        Single(Even(t), a0, a1, a2, a3, 6, ref s0, ref s1, ref s2, ref s3);
        Single(Odd(t), a0, a1, a2, a3, 7, ref s0, ref s1, ref s2, ref s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Singles(
        Vector512<float> x, Vector512<float> y, Vector512<float> z, Vector512<float> t, float* a0, float* a1, float* a2, float* a3, ref Vector512<float> s0, ref Vector512<float> s1, ref Vector512<float> s2, ref Vector512<float> s3)
    {
        Single(x, a0, a1, a2, a3, 0, ref s0, ref s1, ref s2, ref s3);
        Single(y, a0, a1, a2, a3, 1, ref s0, ref s1, ref s2, ref s3);
        Single(z, a0, a1, a2, a3, 2, ref s0, ref s1, ref s2, ref s3);
        Single(t, a0, a1, a2, a3, 3, ref s0, ref s1, ref s2, ref s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Single(
        Vector512<float> x, float* a0, float* a1, float* a2, float* a3, int at, ref Vector512<float> s0, ref Vector512<float> s1, ref Vector512<float> s2, ref Vector512<float> s3)
    {
        s0 = Avx512F.FusedMultiplyAdd(Vector512.Create(a0[at]), x, s0);
        s1 = Avx512F.FusedMultiplyAdd(Vector512.Create(a1[at]), x, s1);
        s2 = Avx512F.FusedMultiplyAdd(Vector512.Create(a2[at]), x, s2);
        s3 = Avx512F.FusedMultiplyAdd(Vector512.Create(a3[at]), x, s3);
    }
}
