using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Copies a block of a matrix into strips that a micro-kernel reads front to back: strip s holds rows s·width ... for every k, k outermost,
/// rows innermost, missing rows as zeros. This is where stored types become float32 and where transposition happens, so both cost
/// one pass over n² numbers beside the n³ of the product.
/// </summary>
internal static unsafe class Packing
{
    /// <summary>Packs rows [row, row + rows) × columns [k0, k0 + k) of <paramref name="x"/>; the strips follow each other at width·k floats.</summary>
    public static void Pack(in Operand x, int row, int rows, int k0, int k, int width, float* target)
    {
        switch (x.Type)
        {
            case DType.F32: Pack<LoadF32>(x, row, rows, k0, k, width, target); break;
            case DType.BF16: Pack<LoadBF16>(x, row, rows, k0, k, width, target); break;
            default: Pack<LoadF16>(x, row, rows, k0, k, width, target); break;
        }
    }

    private static void Pack<TLoad>(in Operand x, int row, int rows, int k0, int k, int width, float* target)
        where TLoad : struct, ILoad
    {
        var ragged = rows % width;
        if (ragged != 0) new Span<float>(target + (long)(rows - ragged) * k, checked(width * k)).Clear();
        if (x.ColumnsAreDense && !x.RowsAreDense)
        {
            FromColumns<TLoad>(x.At(row, k0), x.ColumnStep, rows, k, width, target);
            return;
        }

        for (var done = 0; done < rows; done += width, target += (long)width * k)
        {
            var live = Math.Min(width, rows - done);
            var source = x.At(row + done, k0);
            if (x.RowsAreDense && Avx512F.IsSupported && live == width && width % 16 == 0)
                FromWideRows<TLoad>(source, x.RowStep, k, width, target);
            else if (x.RowsAreDense && typeof(TLoad) == typeof(LoadBF16) && Sse2.IsSupported)
                FromBFloatRows(source, x.RowStep, live, k, width, target);
            else if (x.RowsAreDense)
                FromRows<TLoad>(source, x.RowStep, live, k, width, target);
            else
                FromAnywhere<TLoad>(source, x.RowStep, x.ColumnStep, 0, live, k, width, target);
        }
    }

    // k runs along memory: transpose blocks of 16 × 16 in registers, whole cache lines at a time, over stretches of k short enough for the strip to stay in L1
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromWideRows<TLoad>(byte* source, long rowStep, int k, int width, float* target)
        where TLoad : struct, ILoad
    {
        const int stretch = 128;
        var whole = k & ~15;
        for (var k0 = 0; k0 < whole; k0 += stretch)
        {
            var end = Math.Min(whole, k0 + stretch);
            for (var r = 0; r < width; r += 16)
            {
                var i = k0;
                if (typeof(TLoad) == typeof(LoadBF16))
                {
                    // two neighbours in one lane: turned together, then parted
                    for (; i + 32 <= end; i += 32)
                    {
                        var p = source + r * rowStep + (long)i * LoadBF16.Size;
                        Four<LoadF32>(p, rowStep, stretch / 2, out var a0, out var a1, out var a2, out var a3);
                        Four<LoadF32>(p + 4 * rowStep, rowStep, stretch / 2, out var b0, out var b1, out var b2, out var b3);
                        Four<LoadF32>(p + 8 * rowStep, rowStep, stretch / 2, out var c0, out var c1, out var c2, out var c3);
                        Four<LoadF32>(p + 12 * rowStep, rowStep, stretch / 2, out var d0, out var d1, out var d2, out var d3);
                        var t = target + (long)i * width + r;
                        Pairs(a0, b0, c0, d0, t, width);
                        Pairs(a1, b1, c1, d1, t + 2 * width, width);
                        Pairs(a2, b2, c2, d2, t + 4 * width, width);
                        Pairs(a3, b3, c3, d3, t + 6 * width, width);
                    }
                }

                for (; i < end; i += 16)
                {
                    var p = source + r * rowStep + (long)i * TLoad.Size;
                    Four<TLoad>(p, rowStep, stretch, out var a0, out var a1, out var a2, out var a3);
                    Four<TLoad>(p + 4 * rowStep, rowStep, stretch, out var b0, out var b1, out var b2, out var b3);
                    Four<TLoad>(p + 8 * rowStep, rowStep, stretch, out var c0, out var c1, out var c2, out var c3);
                    Four<TLoad>(p + 12 * rowStep, rowStep, stretch, out var d0, out var d1, out var d2, out var d3);
                    var t = target + (long)i * width + r;
                    Quarters(a0, b0, c0, d0, t, width);
                    Quarters(a1, b1, c1, d1, t + width, width);
                    Quarters(a2, b2, c2, d2, t + 2 * width, width);
                    Quarters(a3, b3, c3, d3, t + 3 * width, width);
                }
            }
        }

        if (whole < k) FromAnywhere<TLoad>(source + (long)whole * TLoad.Size, rowStep, TLoad.Size, 0, width, k - whole, width, target + (long)whole * width);
    }

    // sixteen k of four rows; the rows' next cache lines are asked for
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four<TLoad>(byte* p, long rowStep, int ahead, out Vector512<float> r0, out Vector512<float> r1, out Vector512<float> r2, out Vector512<float> r3)
        where TLoad : struct, ILoad
    {
        var a = TLoad.Sixteen(p);
        var b = TLoad.Sixteen(p + rowStep);
        var c = TLoad.Sixteen(p + 2 * rowStep);
        var d = TLoad.Sixteen(p + 3 * rowStep);
        Sse.Prefetch0(p + ahead * TLoad.Size);
        Sse.Prefetch0(p + rowStep + ahead * TLoad.Size);
        Sse.Prefetch0(p + 2 * rowStep + ahead * TLoad.Size);
        Sse.Prefetch0(p + 3 * rowStep + ahead * TLoad.Size);
        Transpose16.FourRows(a, b, c, d, out r0, out r1, out r2, out r3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarters(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* t, int width)
    {
        Transpose16.Quarters(a, b, c, d, out var q0, out var q1, out var q2, out var q3);
        q0.Store(t);
        q1.Store(t + 4 * width);
        q2.Store(t + 8 * width);
        q3.Store(t + 12 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pairs(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* t, int width)
    {
        Transpose16.Quarters(a, b, c, d, out var q0, out var q1, out var q2, out var q3);
        Two(q0, t, width);
        Two(q1, t + 8 * width, width);
        Two(q2, t + 16 * width, width);
        Two(q3, t + 24 * width, width);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Two(Vector512<float> pair, float* t, int width)
        {
            (pair.AsUInt32() << 16).AsSingle().Store(t);
            (pair.AsUInt32() & Vector512.Create(0xffff0000u)).AsSingle().Store(t + width);
        }
    }

    // k runs along memory: transpose blocks of 4 × 4 in registers
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromRows<TLoad>(byte* source, long rowStep, int live, int k, int width, float* target)
        where TLoad : struct, ILoad
    {
        var r = 0;
        for (; r + 4 <= live; r += 4)
        {
            byte* p0 = source + r * rowStep, p1 = p0 + rowStep, p2 = p1 + rowStep, p3 = p2 + rowStep;
            var t = target + r;
            var i = 0;
            for (; i + 4 <= k; i += 4)
            {
                var a = TLoad.Four(p0);
                var b = TLoad.Four(p1);
                var c = TLoad.Four(p2);
                var d = TLoad.Four(p3);
                Transpose4(ref a, ref b, ref c, ref d);
                a.Store(t);
                b.Store(t + width);
                c.Store(t + 2 * width);
                d.Store(t + 3 * width);
                t += 4 * width;
                p0 += 4 * TLoad.Size;
                p1 += 4 * TLoad.Size;
                p2 += 4 * TLoad.Size;
                p3 += 4 * TLoad.Size;
            }

            for (; i < k; i++, t += width, p0 += TLoad.Size, p1 += TLoad.Size, p2 += TLoad.Size, p3 += TLoad.Size)
            {
                t[0] = TLoad.One(p0);
                t[1] = TLoad.One(p1);
                t[2] = TLoad.One(p2);
                t[3] = TLoad.One(p3);
            }
        }

        if (r < live) FromAnywhere<TLoad>(source, rowStep, TLoad.Size, r, live, k, width, target);
    }

    // the same for bfloat16, transposed in its 16 bits: a zero woven in under each number is the conversion
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromBFloatRows(byte* source, long rowStep, int live, int k, int width, float* target)
    {
        var wide = k & ~7;
        var r = 0;
        for (; r + 4 <= live; r += 4)
        {
            byte* p0 = source + r * rowStep, p1 = p0 + rowStep, p2 = p1 + rowStep, p3 = p2 + rowStep;
            var t = target + r;
            for (var i = 0; i < wide; i += 8)
            {
                Vector128<ushort> a = Vector128.Load((ushort*)p0 + i), b = Vector128.Load((ushort*)p1 + i), c = Vector128.Load((ushort*)p2 + i), d = Vector128.Load((ushort*)p3 + i);
                Vector128<uint> ab = Sse2.UnpackLow(a, b).AsUInt32(), cd = Sse2.UnpackLow(c, d).AsUInt32();
                Vector128<uint> abHigh = Sse2.UnpackHigh(a, b).AsUInt32(), cdHigh = Sse2.UnpackHigh(c, d).AsUInt32();
                Two(Sse2.UnpackLow(ab, cd), t, width);
                Two(Sse2.UnpackHigh(ab, cd), t + 2 * width, width);
                Two(Sse2.UnpackLow(abHigh, cdHigh), t + 4 * width, width);
                Two(Sse2.UnpackHigh(abHigh, cdHigh), t + 6 * width, width);
                t += 8 * width;
            }
        }

        if (wide < k) FromRows<LoadBF16>(source + wide * LoadBF16.Size, rowStep, r, k - wide, width, target + (long)wide * width);
        if (r < live) FromAnywhere<LoadBF16>(source, rowStep, LoadBF16.Size, r, live, k, width, target);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Two(Vector128<uint> rows, float* t, int width)
        {
            var numbers = rows.AsUInt16();
            Sse2.UnpackLow(Vector128<ushort>.Zero, numbers).AsSingle().Store(t);
            Sse2.UnpackHigh(Vector128<ushort>.Zero, numbers).AsSingle().Store(t + width);
        }
    }

    // rows run along memory: for every k one straight read across all strips, which is what pages and prefetchers like
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromColumns<TLoad>(byte* source, long columnStep, int rows, int k, int width, float* target)
        where TLoad : struct, ILoad
    {
        var strip = (long)width * k;
        for (var i = 0; i < k; i++, source += columnStep, target += width)
        {
            var p = source;
            var t = target;
            for (var done = 0; done < rows; done += width, t += strip, p += width * TLoad.Size)
            {
                var live = Math.Min(width, rows - done);
                var r = 0;
                for (; r + 16 <= live; r += 16) TLoad.Sixteen(p + r * TLoad.Size).Store(t + r);
                for (; r + 4 <= live; r += 4) TLoad.Four(p + r * TLoad.Size).Store(t + r);
                for (; r < live; r++) t[r] = TLoad.One(p + r * TLoad.Size);
            }
        }
    }

    private static void FromAnywhere<TLoad>(byte* source, long rowStep, long columnStep, int first, int live, int k, int width, float* target)
        where TLoad : struct, ILoad
    {
        for (var r = first; r < live; r++)
        {
            var p = source + r * rowStep;
            for (var i = 0; i < k; i++, p += columnStep) target[(long)i * width + r] = TLoad.One(p);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(ref Vector128<float> a, ref Vector128<float> b, ref Vector128<float> c, ref Vector128<float> d)
    {
        if (Sse.IsSupported)
        {
            var ab = Sse.UnpackLow(a, b);
            var cd = Sse.UnpackLow(c, d);
            var abHigh = Sse.UnpackHigh(a, b);
            var cdHigh = Sse.UnpackHigh(c, d);
            a = Sse.MoveLowToHigh(ab, cd);
            b = Sse.MoveHighToLow(cd, ab);
            c = Sse.MoveLowToHigh(abHigh, cdHigh);
            d = Sse.MoveHighToLow(cdHigh, abHigh);
        }
        else if (AdvSimd.Arm64.IsSupported)
        {
            var ac = AdvSimd.Arm64.ZipLow(a, c);
            var bd = AdvSimd.Arm64.ZipLow(b, d);
            var acHigh = AdvSimd.Arm64.ZipHigh(a, c);
            var bdHigh = AdvSimd.Arm64.ZipHigh(b, d);
            a = AdvSimd.Arm64.ZipLow(ac, bd);
            b = AdvSimd.Arm64.ZipHigh(ac, bd);
            c = AdvSimd.Arm64.ZipLow(acHigh, bdHigh);
            d = AdvSimd.Arm64.ZipHigh(acHigh, bdHigh);
        }
        else
        {
            var (w, x, y, z) = (a, b, c, d);
            a = Vector128.Create(w[0], x[0], y[0], z[0]);
            b = Vector128.Create(w[1], x[1], y[1], z[1]);
            c = Vector128.Create(w[2], x[2], y[2], z[2]);
            d = Vector128.Create(w[3], x[3], y[3], z[3]);
        }
    }
}
