using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// One to thirty-two rows times weights stored [in, out], with AVX-512 and without packing. The weights are gone through in blocks of some rows, which is how memory
/// likes to be read, and within a block strip by strip with the sums in registers, while the next block is on its way to the second-level cache.
/// Every element is summed as <see cref="Gemm"/> sums it: one chain over k within a slab, then slab after slab.
/// </summary>
internal static unsafe class Wide
{
    private const int MaxRows = 64;
    private const int MostRows = 12; // in registers at once
    private const int Block = 32; // rows of weights

    /// <summary>The widest strip; what one piece of work takes is a multiple of it.</summary>
    public const int Strip = 128;

    /// <summary>The most columns that one piece of work takes.</summary>
    public const int Most = 12 * Strip;

    /// <summary>True where it is the fastest way.</summary>
    public static bool Suits(int m, in Operand b) => m <= MaxRows && Avx512F.IsSupported && b.RowsAreDense && !b.ColumnsAreDense && b.Columns >= Strip;

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

    private static void Product<TLoad>(float* a, int m, int k, in Operand b, int column, int columns, Scratch scratch, float* c, long stride, bool accumulate)
        where TLoad : struct, ILoad
    {
        // strips are whole: the last may begin before its columns, and what it computes again is left out
        var width = Math.Min(Gemm.RoundUp(columns, Strip), b.Columns / Strip * Strip);
        if (width < columns)
        {
            Product<TLoad>(a, m, k, b, column + width, columns - width, scratch, c, stride, accumulate);
            columns = width;
        }

        var first = Math.Min(column, b.Columns - width);
        var skip = column - first;
        var apart = width + 48; // rows of sums must not be a power of two apart
        using var rented = scratch.Rent((long)apart * (m + 1));
        var sums = rented.Floats;
        var (depth, slabs) = Gemm.Slabs(k);
        for (var slab = 0; slab < slabs; slab++)
        {
            new Span<float>(sums, apart * m).Clear();
            int k0 = slab * depth, end = Math.Min(k, k0 + depth);
            for (; k0 < end; k0 += Block)
            {
                Tiles<TLoad>(a + k0, m, k, b.At(k0, first), b.RowStep, b.At(k0 + Block, first), b.RowStep, Math.Min(Block, end - k0), sums, width, apart);
            }

            for (var i = 0; i < m; i++)
            {
                float* from = sums + (long)i * apart, to = c + i * stride + column;
                if (Weaves<TLoad>()) Unweave(from, width);
                if (slab > 0 || accumulate) Rows.Add(from + skip, to, 1f, to, columns);
                else new Span<float>(from + skip, columns).CopyTo(new Span<float>(to, columns));
            }
        }
    }

    /// <summary>
    /// Adds a[m, k]·b[k, width] to sums, whose rows are <paramref name="apart"/> floats apart with one to spare after the last; width is a multiple of the widest strip, or
    /// of 32 for more than four rows. Sums of bfloat16 are woven: even columns, then odd ones, in every 32.
    /// For every row of b one of what comes later is asked for, at that distance.
    /// </summary>
    public static void Tiles<TLoad>(float* a, int m, long stride, byte* b, long step, byte* later, long pace, int k, float* sums, int width, long apart)
        where TLoad : struct, ILoad
    {
        var spare = sums + m * apart;
        for (int i = 0, rows; i < m; i += rows, a += rows * stride, sums += rows * apart)
        {
            rows = RowsAtOnce(m - i);
            if (rows == 1)
            {
                for (var j = 0; j < width; j += 128) One<TLoad>(a, rows, stride, b + j * TLoad.Size, step, later + j * TLoad.Size, pace, k, sums + j, apart, spare);
            }
            else if (rows <= 4)
            {
                for (var j = 0; j < width; j += 64) Four<TLoad>(a, rows, stride, b + j * TLoad.Size, step, later + j * TLoad.Size, pace, k, sums + j, apart, spare);
            }
            else if (rows <= 8)
            {
                for (var j = 0; j < width; j += 32) Eight<TLoad>(a, rows, stride, b + j * TLoad.Size, step, later + j * TLoad.Size, pace, k, sums + j, apart, spare);
            }
            else
            {
                for (var j = 0; j < width; j += 32) Twelve<TLoad>(a, rows, stride, b + j * TLoad.Size, step, later + j * TLoad.Size, pace, k, sums + j, apart, spare);
            }
        }
    }

    // never fewer than five of many: strips of one row are wider
    private static int RowsAtOnce(int left) => left <= MostRows ? left : left <= 16 ? (left + 1) / 2 : MostRows;

    // 32 numbers; of bfloat16 the even ones and the odd ones, which needs no shuffle
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Two<TLoad>(byte* b, byte* later, out Vector512<float> low, out Vector512<float> high)
        where TLoad : struct, ILoad
    {
        Sse.Prefetch1(later);
        if (Weaves<TLoad>())
        {
            var pair = Vector512.Load((uint*)b);
            low = (pair << 16).AsSingle();
            high = (pair & Vector512.Create(0xffff0000u)).AsSingle();
            return;
        }

        if (TLoad.Size == 4) Sse.Prefetch1(later + 64);
        low = TLoad.Sixteen(b);
        high = TLoad.Sixteen(b + 16 * TLoad.Size);
    }

    private static bool Weaves<TLoad>() => typeof(TLoad) == typeof(LoadBF16);

    private static void Unweave(float* sums, int count)
    {
        var low = Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        var high = Vector512.Create(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        for (var i = 0; i < count; i += 32)
        {
            Vector512<float> even = Vector512.Load(sums + i), odd = Vector512.Load(sums + i + 16);
            Avx512F.PermuteVar16x32x2(even, low, odd).Store(sums + i);
            Avx512F.PermuteVar16x32x2(even, high, odd).Store(sums + i + 16);
        }
    }

    // one row and 128 columns
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<TLoad>(float* a, int rows, long stride, byte* b, long step, byte* later, long pace, int k, float* sums, long apart, float* spare)
        where TLoad : struct, ILoad
    {
        Vector512<float> s0_0 = Vector512.Load(sums), s0_1 = Vector512.Load(sums + 16), s0_2 = Vector512.Load(sums + 32), s0_3 = Vector512.Load(sums + 48), s0_4 = Vector512.Load(sums + 64), s0_5 = Vector512.Load(sums + 80), s0_6 = Vector512.Load(sums + 96), s0_7 = Vector512.Load(sums + 112);
        for (var p = 0; p < k; p++, b += step, later += pace)
        {
            Two<TLoad>(b, later, out var b0, out var b1);
            Two<TLoad>(b + 32 * TLoad.Size, later + 32 * TLoad.Size, out var b2, out var b3);
            Two<TLoad>(b + 64 * TLoad.Size, later + 64 * TLoad.Size, out var b4, out var b5);
            Two<TLoad>(b + 96 * TLoad.Size, later + 96 * TLoad.Size, out var b6, out var b7);
            var x = Vector512.Create(a[p]);
            s0_0 = Avx512F.FusedMultiplyAdd(x, b0, s0_0);
            s0_1 = Avx512F.FusedMultiplyAdd(x, b1, s0_1);
            s0_2 = Avx512F.FusedMultiplyAdd(x, b2, s0_2);
            s0_3 = Avx512F.FusedMultiplyAdd(x, b3, s0_3);
            s0_4 = Avx512F.FusedMultiplyAdd(x, b4, s0_4);
            s0_5 = Avx512F.FusedMultiplyAdd(x, b5, s0_5);
            s0_6 = Avx512F.FusedMultiplyAdd(x, b6, s0_6);
            s0_7 = Avx512F.FusedMultiplyAdd(x, b7, s0_7);
        }

        s0_0.Store(sums);
        s0_1.Store(sums + 16);
        s0_2.Store(sums + 32);
        s0_3.Store(sums + 48);
        s0_4.Store(sums + 64);
        s0_5.Store(sums + 80);
        s0_6.Store(sums + 96);
        s0_7.Store(sums + 112);
    }

    // up to four rows and 64 columns; rows that are not there repeat the first, and their sums are nobody's
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<TLoad>(float* a, int rows, long stride, byte* b, long step, byte* later, long pace, int k, float* sums, long apart, float* spare)
        where TLoad : struct, ILoad
    {
        Vector512<float> s0_0 = Vector512.Load(sums), s0_1 = Vector512.Load(sums + 16), s0_2 = Vector512.Load(sums + 32), s0_3 = Vector512.Load(sums + 48);
        var t1 = rows > 1 ? sums + apart : spare;
        Vector512<float> s1_0 = Vector512.Load(t1), s1_1 = Vector512.Load(t1 + 16), s1_2 = Vector512.Load(t1 + 32), s1_3 = Vector512.Load(t1 + 48);
        var t2 = rows > 2 ? sums + 2 * apart : spare;
        Vector512<float> s2_0 = Vector512.Load(t2), s2_1 = Vector512.Load(t2 + 16), s2_2 = Vector512.Load(t2 + 32), s2_3 = Vector512.Load(t2 + 48);
        var t3 = rows > 3 ? sums + 3 * apart : spare;
        Vector512<float> s3_0 = Vector512.Load(t3), s3_1 = Vector512.Load(t3 + 16), s3_2 = Vector512.Load(t3 + 32), s3_3 = Vector512.Load(t3 + 48);
        float* a1 = rows > 1 ? a + stride : a, a2 = rows > 2 ? a + 2 * stride : a, a3 = rows > 3 ? a + 3 * stride : a;
        for (var p = 0; p < k; p++, b += step, later += pace)
        {
            Two<TLoad>(b, later, out var b0, out var b1);
            Two<TLoad>(b + 32 * TLoad.Size, later + 32 * TLoad.Size, out var b2, out var b3);
            var x = Vector512.Create(a[p]);
            s0_0 = Avx512F.FusedMultiplyAdd(x, b0, s0_0);
            s0_1 = Avx512F.FusedMultiplyAdd(x, b1, s0_1);
            s0_2 = Avx512F.FusedMultiplyAdd(x, b2, s0_2);
            s0_3 = Avx512F.FusedMultiplyAdd(x, b3, s0_3);
            x = Vector512.Create(a1[p]);
            s1_0 = Avx512F.FusedMultiplyAdd(x, b0, s1_0);
            s1_1 = Avx512F.FusedMultiplyAdd(x, b1, s1_1);
            s1_2 = Avx512F.FusedMultiplyAdd(x, b2, s1_2);
            s1_3 = Avx512F.FusedMultiplyAdd(x, b3, s1_3);
            x = Vector512.Create(a2[p]);
            s2_0 = Avx512F.FusedMultiplyAdd(x, b0, s2_0);
            s2_1 = Avx512F.FusedMultiplyAdd(x, b1, s2_1);
            s2_2 = Avx512F.FusedMultiplyAdd(x, b2, s2_2);
            s2_3 = Avx512F.FusedMultiplyAdd(x, b3, s2_3);
            x = Vector512.Create(a3[p]);
            s3_0 = Avx512F.FusedMultiplyAdd(x, b0, s3_0);
            s3_1 = Avx512F.FusedMultiplyAdd(x, b1, s3_1);
            s3_2 = Avx512F.FusedMultiplyAdd(x, b2, s3_2);
            s3_3 = Avx512F.FusedMultiplyAdd(x, b3, s3_3);
        }

        s0_0.Store(sums);
        s0_1.Store(sums + 16);
        s0_2.Store(sums + 32);
        s0_3.Store(sums + 48);
        s1_0.Store(t1);
        s1_1.Store(t1 + 16);
        s1_2.Store(t1 + 32);
        s1_3.Store(t1 + 48);
        s2_0.Store(t2);
        s2_1.Store(t2 + 16);
        s2_2.Store(t2 + 32);
        s2_3.Store(t2 + 48);
        s3_0.Store(t3);
        s3_1.Store(t3 + 16);
        s3_2.Store(t3 + 32);
        s3_3.Store(t3 + 48);
    }

    // five to eight rows and 32 columns
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight<TLoad>(float* a, int rows, long stride, byte* b, long step, byte* later, long pace, int k, float* sums, long apart, float* spare)
        where TLoad : struct, ILoad
    {
        Vector512<float> s0_0 = Vector512.Load(sums), s0_1 = Vector512.Load(sums + 16);
        var t1 = rows > 1 ? sums + apart : spare;
        Vector512<float> s1_0 = Vector512.Load(t1), s1_1 = Vector512.Load(t1 + 16);
        var t2 = rows > 2 ? sums + 2 * apart : spare;
        Vector512<float> s2_0 = Vector512.Load(t2), s2_1 = Vector512.Load(t2 + 16);
        var t3 = rows > 3 ? sums + 3 * apart : spare;
        Vector512<float> s3_0 = Vector512.Load(t3), s3_1 = Vector512.Load(t3 + 16);
        var t4 = rows > 4 ? sums + 4 * apart : spare;
        Vector512<float> s4_0 = Vector512.Load(t4), s4_1 = Vector512.Load(t4 + 16);
        var t5 = rows > 5 ? sums + 5 * apart : spare;
        Vector512<float> s5_0 = Vector512.Load(t5), s5_1 = Vector512.Load(t5 + 16);
        var t6 = rows > 6 ? sums + 6 * apart : spare;
        Vector512<float> s6_0 = Vector512.Load(t6), s6_1 = Vector512.Load(t6 + 16);
        var t7 = rows > 7 ? sums + 7 * apart : spare;
        Vector512<float> s7_0 = Vector512.Load(t7), s7_1 = Vector512.Load(t7 + 16);
        float* a1 = rows > 1 ? a + stride : a, a2 = rows > 2 ? a + 2 * stride : a, a3 = rows > 3 ? a + 3 * stride : a, a4 = rows > 4 ? a + 4 * stride : a, a5 = rows > 5 ? a + 5 * stride : a, a6 = rows > 6 ? a + 6 * stride : a, a7 = rows > 7 ? a + 7 * stride : a;
        for (var p = 0; p < k; p++, b += step, later += pace)
        {
            Two<TLoad>(b, later, out var b0, out var b1);
            var x = Vector512.Create(a[p]);
            s0_0 = Avx512F.FusedMultiplyAdd(x, b0, s0_0);
            s0_1 = Avx512F.FusedMultiplyAdd(x, b1, s0_1);
            x = Vector512.Create(a1[p]);
            s1_0 = Avx512F.FusedMultiplyAdd(x, b0, s1_0);
            s1_1 = Avx512F.FusedMultiplyAdd(x, b1, s1_1);
            x = Vector512.Create(a2[p]);
            s2_0 = Avx512F.FusedMultiplyAdd(x, b0, s2_0);
            s2_1 = Avx512F.FusedMultiplyAdd(x, b1, s2_1);
            x = Vector512.Create(a3[p]);
            s3_0 = Avx512F.FusedMultiplyAdd(x, b0, s3_0);
            s3_1 = Avx512F.FusedMultiplyAdd(x, b1, s3_1);
            x = Vector512.Create(a4[p]);
            s4_0 = Avx512F.FusedMultiplyAdd(x, b0, s4_0);
            s4_1 = Avx512F.FusedMultiplyAdd(x, b1, s4_1);
            x = Vector512.Create(a5[p]);
            s5_0 = Avx512F.FusedMultiplyAdd(x, b0, s5_0);
            s5_1 = Avx512F.FusedMultiplyAdd(x, b1, s5_1);
            x = Vector512.Create(a6[p]);
            s6_0 = Avx512F.FusedMultiplyAdd(x, b0, s6_0);
            s6_1 = Avx512F.FusedMultiplyAdd(x, b1, s6_1);
            x = Vector512.Create(a7[p]);
            s7_0 = Avx512F.FusedMultiplyAdd(x, b0, s7_0);
            s7_1 = Avx512F.FusedMultiplyAdd(x, b1, s7_1);
        }

        s0_0.Store(sums);
        s0_1.Store(sums + 16);
        s1_0.Store(t1);
        s1_1.Store(t1 + 16);
        s2_0.Store(t2);
        s2_1.Store(t2 + 16);
        s3_0.Store(t3);
        s3_1.Store(t3 + 16);
        s4_0.Store(t4);
        s4_1.Store(t4 + 16);
        s5_0.Store(t5);
        s5_1.Store(t5 + 16);
        s6_0.Store(t6);
        s6_1.Store(t6 + 16);
        s7_0.Store(t7);
        s7_1.Store(t7 + 16);
    }

    // nine to twelve rows and 32 columns
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Twelve<TLoad>(float* a, int rows, long stride, byte* b, long step, byte* later, long pace, int k, float* sums, long apart, float* spare)
        where TLoad : struct, ILoad
    {
        Vector512<float> s0_0 = Vector512.Load(sums), s0_1 = Vector512.Load(sums + 16);
        var t1 = rows > 1 ? sums + apart : spare;
        Vector512<float> s1_0 = Vector512.Load(t1), s1_1 = Vector512.Load(t1 + 16);
        var t2 = rows > 2 ? sums + 2 * apart : spare;
        Vector512<float> s2_0 = Vector512.Load(t2), s2_1 = Vector512.Load(t2 + 16);
        var t3 = rows > 3 ? sums + 3 * apart : spare;
        Vector512<float> s3_0 = Vector512.Load(t3), s3_1 = Vector512.Load(t3 + 16);
        var t4 = rows > 4 ? sums + 4 * apart : spare;
        Vector512<float> s4_0 = Vector512.Load(t4), s4_1 = Vector512.Load(t4 + 16);
        var t5 = rows > 5 ? sums + 5 * apart : spare;
        Vector512<float> s5_0 = Vector512.Load(t5), s5_1 = Vector512.Load(t5 + 16);
        var t6 = rows > 6 ? sums + 6 * apart : spare;
        Vector512<float> s6_0 = Vector512.Load(t6), s6_1 = Vector512.Load(t6 + 16);
        var t7 = rows > 7 ? sums + 7 * apart : spare;
        Vector512<float> s7_0 = Vector512.Load(t7), s7_1 = Vector512.Load(t7 + 16);
        var t8 = rows > 8 ? sums + 8 * apart : spare;
        Vector512<float> s8_0 = Vector512.Load(t8), s8_1 = Vector512.Load(t8 + 16);
        var t9 = rows > 9 ? sums + 9 * apart : spare;
        Vector512<float> s9_0 = Vector512.Load(t9), s9_1 = Vector512.Load(t9 + 16);
        var t10 = rows > 10 ? sums + 10 * apart : spare;
        Vector512<float> s10_0 = Vector512.Load(t10), s10_1 = Vector512.Load(t10 + 16);
        var t11 = rows > 11 ? sums + 11 * apart : spare;
        Vector512<float> s11_0 = Vector512.Load(t11), s11_1 = Vector512.Load(t11 + 16);
        float* a1 = rows > 1 ? a + stride : a, a2 = rows > 2 ? a + 2 * stride : a, a3 = rows > 3 ? a + 3 * stride : a, a4 = rows > 4 ? a + 4 * stride : a, a5 = rows > 5 ? a + 5 * stride : a, a6 = rows > 6 ? a + 6 * stride : a, a7 = rows > 7 ? a + 7 * stride : a, a8 = rows > 8 ? a + 8 * stride : a, a9 = rows > 9 ? a + 9 * stride : a, a10 = rows > 10 ? a + 10 * stride : a, a11 = rows > 11 ? a + 11 * stride : a;
        for (var p = 0; p < k; p++, b += step, later += pace)
        {
            Two<TLoad>(b, later, out var b0, out var b1);
            var x = Vector512.Create(a[p]);
            s0_0 = Avx512F.FusedMultiplyAdd(x, b0, s0_0);
            s0_1 = Avx512F.FusedMultiplyAdd(x, b1, s0_1);
            x = Vector512.Create(a1[p]);
            s1_0 = Avx512F.FusedMultiplyAdd(x, b0, s1_0);
            s1_1 = Avx512F.FusedMultiplyAdd(x, b1, s1_1);
            x = Vector512.Create(a2[p]);
            s2_0 = Avx512F.FusedMultiplyAdd(x, b0, s2_0);
            s2_1 = Avx512F.FusedMultiplyAdd(x, b1, s2_1);
            x = Vector512.Create(a3[p]);
            s3_0 = Avx512F.FusedMultiplyAdd(x, b0, s3_0);
            s3_1 = Avx512F.FusedMultiplyAdd(x, b1, s3_1);
            x = Vector512.Create(a4[p]);
            s4_0 = Avx512F.FusedMultiplyAdd(x, b0, s4_0);
            s4_1 = Avx512F.FusedMultiplyAdd(x, b1, s4_1);
            x = Vector512.Create(a5[p]);
            s5_0 = Avx512F.FusedMultiplyAdd(x, b0, s5_0);
            s5_1 = Avx512F.FusedMultiplyAdd(x, b1, s5_1);
            x = Vector512.Create(a6[p]);
            s6_0 = Avx512F.FusedMultiplyAdd(x, b0, s6_0);
            s6_1 = Avx512F.FusedMultiplyAdd(x, b1, s6_1);
            x = Vector512.Create(a7[p]);
            s7_0 = Avx512F.FusedMultiplyAdd(x, b0, s7_0);
            s7_1 = Avx512F.FusedMultiplyAdd(x, b1, s7_1);
            x = Vector512.Create(a8[p]);
            s8_0 = Avx512F.FusedMultiplyAdd(x, b0, s8_0);
            s8_1 = Avx512F.FusedMultiplyAdd(x, b1, s8_1);
            x = Vector512.Create(a9[p]);
            s9_0 = Avx512F.FusedMultiplyAdd(x, b0, s9_0);
            s9_1 = Avx512F.FusedMultiplyAdd(x, b1, s9_1);
            x = Vector512.Create(a10[p]);
            s10_0 = Avx512F.FusedMultiplyAdd(x, b0, s10_0);
            s10_1 = Avx512F.FusedMultiplyAdd(x, b1, s10_1);
            x = Vector512.Create(a11[p]);
            s11_0 = Avx512F.FusedMultiplyAdd(x, b0, s11_0);
            s11_1 = Avx512F.FusedMultiplyAdd(x, b1, s11_1);
        }

        s0_0.Store(sums);
        s0_1.Store(sums + 16);
        s1_0.Store(t1);
        s1_1.Store(t1 + 16);
        s2_0.Store(t2);
        s2_1.Store(t2 + 16);
        s3_0.Store(t3);
        s3_1.Store(t3 + 16);
        s4_0.Store(t4);
        s4_1.Store(t4 + 16);
        s5_0.Store(t5);
        s5_1.Store(t5 + 16);
        s6_0.Store(t6);
        s6_1.Store(t6 + 16);
        s7_0.Store(t7);
        s7_1.Store(t7 + 16);
        s8_0.Store(t8);
        s8_1.Store(t8 + 16);
        s9_0.Store(t9);
        s9_1.Store(t9 + 16);
        s10_0.Store(t10);
        s10_1.Store(t10 + 16);
        s11_0.Store(t11);
        s11_1.Store(t11 + 16);
    }
}
