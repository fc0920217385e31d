using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Products with weights that lie in strips already (<see cref="PackedWeights"/>), with AVX-512: rows on the left are read where they are, twelve at a time, so that nothing is
/// copied before the first multiplication. Every element is summed as <see cref="Gemm"/> sums it: one chain over k within a slab, then slab after slab.
/// </summary>
internal static unsafe class Panels
{
    /// <summary>Columns of a strip.</summary>
    public const int Width = 32;

    /// <summary>Rows that are multiplied at once.</summary>
    public const int Tile = 12;

    private const int BlockRows = 96; // their k numbers stay in the second-level cache while strips go by

    /// <summary>True where it can be done.</summary>
    public static bool IsSupported => Avx512F.IsSupported;

    /// <summary>c[m, columns] = or += a·b for some strips of b.</summary>
    /// <param name="a">[m, k] float32, rows <paramref name="lda"/> apart.</param>
    /// <param name="lda">Step of a.</param>
    /// <param name="m">Rows.</param>
    /// <param name="k">Depth.</param>
    /// <param name="strips">The first of the strips, each [k, 32].</param>
    /// <param name="columns">Columns; the last strip may be wider than what is left of them.</param>
    /// <param name="c">The first column, rows <paramref name="ldc"/> apart.</param>
    /// <param name="ldc">Step of c.</param>
    /// <param name="accumulate">+= instead of =.</param>
    /// <param name="scratch">Working memory.</param>
    public static void Product(float* a, nint lda, int m, int k, float* strips, int columns, float* c, nint ldc, bool accumulate, Scratch scratch)
    {
        // rows that do not fill a tile are copied beside zeros
        var whole = Whole(m);
        using var memory = whole < m ? scratch.Rent((long)Tile * k) : null;
        var rest = memory is null ? null : memory.Floats;
        for (var r = whole; r < m; r++) new Span<float>(a + r * lda, k).CopyTo(new Span<float>(rest + (long)(r - whole) * k, k));
        if (whole < m) new Span<float>(rest + (long)(m - whole) * k, (Height(m - whole) - (m - whole)) * k).Clear();

        var (depth, slabs) = Gemm.Slabs(k);
        for (var i0 = 0; i0 < m; i0 += BlockRows)
        {
            int end = Math.Min(whole, i0 + BlockRows);
            for (var slab = 0; slab < slabs; slab++)
            {
                int k0 = slab * depth, kc = Math.Max(0, Math.Min(depth, k - k0));
                var add = accumulate || slab > 0;
                for (var j = 0; j < columns; j += Width)
                {
                    float* b = strips + (nint)j * k + (nint)k0 * Width, target = c + j;
                    var live = Math.Min(Width, columns - j);
                    for (var i = i0; i < end; i += Tile)
                    {
                        if (live == Width) Twelve(a + i * lda + k0, lda, b, kc, target + i * ldc, ldc, add);
                        else Edge(a + i * lda + k0, lda, Tile, b, kc, target + i * ldc, ldc, live, add);
                    }

                    if (i0 + BlockRows >= m && whole < m) Edge(rest + k0, k, m - whole, b, kc, target + whole * ldc, ldc, live, add);
                }
            }
        }
    }

    private static int Whole(int m) => m / Tile * Tile;

    // of a tile that has so many rows
    private static int Height(int rows) => rows <= 4 ? 4 : rows <= 8 ? 8 : Tile;

    // a tile of which some rows or columns are nobody's
    [SkipLocalsInit]
    private static void Edge(float* a, nint lda, int rows, float* b, int k, float* c, nint ldc, int columns, bool accumulate)
    {
        var tile = stackalloc float[Tile * Width];
        switch (Height(rows))
        {
            case 4: Four(a, lda, b, k, tile, Width, accumulate: false); break;
            case 8: Eight(a, lda, b, k, tile, Width, accumulate: false); break;
            default: Twelve(a, lda, b, k, tile, Width, accumulate: false); break;
        }

        for (var r = 0; r < rows; r++, c += ldc, tile += Width)
        {
            if (accumulate) Rows.Add(tile, c, 1f, c, columns);
            else new Span<float>(tile, columns).CopyTo(new Span<float>(c, columns));
        }
    }

    // 24 accumulators, two vectors of b, one broadcast
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Twelve(float* a, nint lda, float* b, int k, float* c, nint ldc, bool accumulate)
    {
        Vector512<float> c0_0 = Vector512<float>.Zero, c0_1 = c0_0, c1_0 = c0_0, c1_1 = c0_0, c2_0 = c0_0, c2_1 = c0_0, c3_0 = c0_0, c3_1 = c0_0, c4_0 = c0_0, c4_1 = c0_0, c5_0 = c0_0, c5_1 = c0_0, c6_0 = c0_0, c6_1 = c0_0, c7_0 = c0_0, c7_1 = c0_0, c8_0 = c0_0, c8_1 = c0_0, c9_0 = c0_0, c9_1 = c0_0, c10_0 = c0_0, c10_1 = c0_0, c11_0 = c0_0, c11_1 = c0_0;
        var a3 = a + 3 * lda;
        var a6 = a + 6 * lda;
        var a9 = a + 9 * lda;
        for (var end = b + (nint)k * Width; b < end; b += Width)
        {
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c0_0 = Avx512F.FusedMultiplyAdd(x, b0, c0_0);
            c0_1 = Avx512F.FusedMultiplyAdd(x, b1, c0_1);
            x = Vector512.Create(a[lda]);
            c1_0 = Avx512F.FusedMultiplyAdd(x, b0, c1_0);
            c1_1 = Avx512F.FusedMultiplyAdd(x, b1, c1_1);
            x = Vector512.Create(a[2 * lda]);
            c2_0 = Avx512F.FusedMultiplyAdd(x, b0, c2_0);
            c2_1 = Avx512F.FusedMultiplyAdd(x, b1, c2_1);
            x = Vector512.Create(a3[0]);
            c3_0 = Avx512F.FusedMultiplyAdd(x, b0, c3_0);
            c3_1 = Avx512F.FusedMultiplyAdd(x, b1, c3_1);
            x = Vector512.Create(a3[lda]);
            c4_0 = Avx512F.FusedMultiplyAdd(x, b0, c4_0);
            c4_1 = Avx512F.FusedMultiplyAdd(x, b1, c4_1);
            x = Vector512.Create(a3[2 * lda]);
            c5_0 = Avx512F.FusedMultiplyAdd(x, b0, c5_0);
            c5_1 = Avx512F.FusedMultiplyAdd(x, b1, c5_1);
            x = Vector512.Create(a6[0]);
            c6_0 = Avx512F.FusedMultiplyAdd(x, b0, c6_0);
            c6_1 = Avx512F.FusedMultiplyAdd(x, b1, c6_1);
            x = Vector512.Create(a6[lda]);
            c7_0 = Avx512F.FusedMultiplyAdd(x, b0, c7_0);
            c7_1 = Avx512F.FusedMultiplyAdd(x, b1, c7_1);
            x = Vector512.Create(a6[2 * lda]);
            c8_0 = Avx512F.FusedMultiplyAdd(x, b0, c8_0);
            c8_1 = Avx512F.FusedMultiplyAdd(x, b1, c8_1);
            x = Vector512.Create(a9[0]);
            c9_0 = Avx512F.FusedMultiplyAdd(x, b0, c9_0);
            c9_1 = Avx512F.FusedMultiplyAdd(x, b1, c9_1);
            x = Vector512.Create(a9[lda]);
            c10_0 = Avx512F.FusedMultiplyAdd(x, b0, c10_0);
            c10_1 = Avx512F.FusedMultiplyAdd(x, b1, c10_1);
            x = Vector512.Create(a9[2 * lda]);
            c11_0 = Avx512F.FusedMultiplyAdd(x, b0, c11_0);
            c11_1 = Avx512F.FusedMultiplyAdd(x, b1, c11_1);
            a++;
            a3++;
            a6++;
            a9++;
        }

        MicroKernel512.Store(c0_0, c0_1, c, accumulate);
        MicroKernel512.Store(c1_0, c1_1, c + 1 * ldc, accumulate);
        MicroKernel512.Store(c2_0, c2_1, c + 2 * ldc, accumulate);
        MicroKernel512.Store(c3_0, c3_1, c + 3 * ldc, accumulate);
        MicroKernel512.Store(c4_0, c4_1, c + 4 * ldc, accumulate);
        MicroKernel512.Store(c5_0, c5_1, c + 5 * ldc, accumulate);
        MicroKernel512.Store(c6_0, c6_1, c + 6 * ldc, accumulate);
        MicroKernel512.Store(c7_0, c7_1, c + 7 * ldc, accumulate);
        MicroKernel512.Store(c8_0, c8_1, c + 8 * ldc, accumulate);
        MicroKernel512.Store(c9_0, c9_1, c + 9 * ldc, accumulate);
        MicroKernel512.Store(c10_0, c10_1, c + 10 * ldc, accumulate);
        MicroKernel512.Store(c11_0, c11_1, c + 11 * ldc, accumulate);
    }

    // the same for eight rows
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Eight(float* a, nint lda, float* b, int k, float* c, nint ldc, bool accumulate)
    {
        Vector512<float> c0_0 = Vector512<float>.Zero, c0_1 = c0_0, c1_0 = c0_0, c1_1 = c0_0, c2_0 = c0_0, c2_1 = c0_0, c3_0 = c0_0, c3_1 = c0_0, c4_0 = c0_0, c4_1 = c0_0, c5_0 = c0_0, c5_1 = c0_0, c6_0 = c0_0, c6_1 = c0_0, c7_0 = c0_0, c7_1 = c0_0;
        var a3 = a + 3 * lda;
        var a6 = a + 6 * lda;
        for (var end = b + (nint)k * Width; b < end; b += Width)
        {
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c0_0 = Avx512F.FusedMultiplyAdd(x, b0, c0_0);
            c0_1 = Avx512F.FusedMultiplyAdd(x, b1, c0_1);
            x = Vector512.Create(a[lda]);
            c1_0 = Avx512F.FusedMultiplyAdd(x, b0, c1_0);
            c1_1 = Avx512F.FusedMultiplyAdd(x, b1, c1_1);
            x = Vector512.Create(a[2 * lda]);
            c2_0 = Avx512F.FusedMultiplyAdd(x, b0, c2_0);
            c2_1 = Avx512F.FusedMultiplyAdd(x, b1, c2_1);
            x = Vector512.Create(a3[0]);
            c3_0 = Avx512F.FusedMultiplyAdd(x, b0, c3_0);
            c3_1 = Avx512F.FusedMultiplyAdd(x, b1, c3_1);
            x = Vector512.Create(a3[lda]);
            c4_0 = Avx512F.FusedMultiplyAdd(x, b0, c4_0);
            c4_1 = Avx512F.FusedMultiplyAdd(x, b1, c4_1);
            x = Vector512.Create(a3[2 * lda]);
            c5_0 = Avx512F.FusedMultiplyAdd(x, b0, c5_0);
            c5_1 = Avx512F.FusedMultiplyAdd(x, b1, c5_1);
            x = Vector512.Create(a6[0]);
            c6_0 = Avx512F.FusedMultiplyAdd(x, b0, c6_0);
            c6_1 = Avx512F.FusedMultiplyAdd(x, b1, c6_1);
            x = Vector512.Create(a6[lda]);
            c7_0 = Avx512F.FusedMultiplyAdd(x, b0, c7_0);
            c7_1 = Avx512F.FusedMultiplyAdd(x, b1, c7_1);
            a++;
            a3++;
            a6++;
        }

        MicroKernel512.Store(c0_0, c0_1, c, accumulate);
        MicroKernel512.Store(c1_0, c1_1, c + 1 * ldc, accumulate);
        MicroKernel512.Store(c2_0, c2_1, c + 2 * ldc, accumulate);
        MicroKernel512.Store(c3_0, c3_1, c + 3 * ldc, accumulate);
        MicroKernel512.Store(c4_0, c4_1, c + 4 * ldc, accumulate);
        MicroKernel512.Store(c5_0, c5_1, c + 5 * ldc, accumulate);
        MicroKernel512.Store(c6_0, c6_1, c + 6 * ldc, accumulate);
        MicroKernel512.Store(c7_0, c7_1, c + 7 * ldc, accumulate);
    }

    // and for four
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Four(float* a, nint lda, float* b, int k, float* c, nint ldc, bool accumulate)
    {
        Vector512<float> c0_0 = Vector512<float>.Zero, c0_1 = c0_0, c1_0 = c0_0, c1_1 = c0_0, c2_0 = c0_0, c2_1 = c0_0, c3_0 = c0_0, c3_1 = c0_0;
        for (var end = b + (nint)k * Width; b < end; b += Width)
        {
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(a[0]);
            c0_0 = Avx512F.FusedMultiplyAdd(x, b0, c0_0);
            c0_1 = Avx512F.FusedMultiplyAdd(x, b1, c0_1);
            x = Vector512.Create(a[lda]);
            c1_0 = Avx512F.FusedMultiplyAdd(x, b0, c1_0);
            c1_1 = Avx512F.FusedMultiplyAdd(x, b1, c1_1);
            x = Vector512.Create(a[2 * lda]);
            c2_0 = Avx512F.FusedMultiplyAdd(x, b0, c2_0);
            c2_1 = Avx512F.FusedMultiplyAdd(x, b1, c2_1);
            x = Vector512.Create(a[3 * lda]);
            c3_0 = Avx512F.FusedMultiplyAdd(x, b0, c3_0);
            c3_1 = Avx512F.FusedMultiplyAdd(x, b1, c3_1);
            a++;
        }

        MicroKernel512.Store(c0_0, c0_1, c, accumulate);
        MicroKernel512.Store(c1_0, c1_1, c + 1 * ldc, accumulate);
        MicroKernel512.Store(c2_0, c2_1, c + 2 * ldc, accumulate);
        MicroKernel512.Store(c3_0, c3_1, c + 3 * ldc, accumulate);
    }
}
