using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Dense products, blocked for the caches after Goto and van de Geijn (2008). For each slab of k: pack the rows of A and the columns of B into
/// strips, then let threads take blocks of C; a block's A stays in L2 while the strips of B stream by. Every element of C adds the same
/// slabs in the same order whoever computes it: the bits do not depend on the number of threads.
/// </summary>
internal sealed unsafe class Gemm(MicroKernel kernel, Workers workers, Scratch scratch)
{
    /// <summary>Rows of a block of C: 96 rows × 768 of k in float32 are 295 KB of L2; a multiple of every kernel's rows.</summary>
    public const int BlockRows = 96;

    private const int SlabDepth = 768;
    private const int BlockColumns = 768;
    private const int SlabRows = 48 * BlockRows;
    private const int SlabColumns = 6 * BlockColumns;
    private const int FewRows = 192;

    public MicroKernel Kernel { get; } = kernel;

    /// <summary>The best kernel of this machine, or the one a test asks for: 512, 256 or 128 bits.</summary>
    public static MicroKernel Choose(int bits = 0) => bits switch
    {
        0 => Avx512F.IsSupported ? new MicroKernel512() : Fma.IsSupported && Avx2.IsSupported ? new MicroKernel256() : new MicroKernel128(),
        512 => new MicroKernel512(),
        256 => new MicroKernel256(),
        _ => new MicroKernel128(),
    };

    /// <summary>Equal slabs of k, none deeper than <see cref="SlabDepth"/>: (depth, count).</summary>
    public static (int Depth, int Count) Slabs(int k)
    {
        var count = Math.Max(1, (k + SlabDepth - 1) / SlabDepth);
        return (((k + count - 1) / count + 3) & ~3, count);
    }

    /// <summary>c = (a·b) ∘ scale + bias; scale and bias may be null.</summary>
    public void Multiply(Operand a, Operand b, float* c, long stride, float* scale, float* bias, bool accumulate, CancellationToken cancel)
    {
        int m = a.Rows, n = b.Columns, k = a.Columns;
        if (m <= FewRows)
        {
            MultiplyFew(a, b, c, stride, scale, bias, accumulate, cancel);
            return;
        }

        var bT = b.Transpose();
        var (depth, slabs) = Slabs(k);
        int mr = Kernel.Rows, nr = Kernel.Columns;
        using var packedA = scratch.Rent(RoundUp(Math.Min(m, SlabRows), mr) * (long)depth);
        using var packedB = scratch.Rent(RoundUp(Math.Min(n, SlabColumns), nr) * (long)depth);
        float* pa = packedA.Floats, pb = packedB.Floats;

        for (var n0 = 0; n0 < n; n0 += SlabColumns)
        {
            var columns = Math.Min(SlabColumns, n - n0);
            for (var m0 = 0; m0 < m; m0 += SlabRows)
            {
                var rows = Math.Min(SlabRows, m - m0);
                var blockRows = BlockRowsFor(rows);
                for (var slab = 0; slab < slabs; slab++)
                {
                    var k0 = slab * depth;
                    var kc = Math.Max(0, Math.Min(depth, k - k0));
                    PackSlab(a, m0, rows, bT, n0, columns, k0, kc, pa, pb, cancel);
                    var first = slab == 0 && !accumulate;
                    var last = slab == slabs - 1;
                    int down = (rows + blockRows - 1) / blockRows, wide = BlockColumnsFor(down, columns), across = (columns + wide - 1) / wide;
                    int n1 = n0, m1 = m0;
                    workers.Run(down * across, cancel, piece =>
                    {
                        int i0 = piece % down * blockRows, j0 = piece / down * wide;
                        int blockM = Math.Min(blockRows, rows - i0), blockN = Math.Min(wide, columns - j0);
                        var target = c + (m1 + i0) * stride + n1 + j0;
                        Block(pa + (long)i0 * kc, blockM, pb + (long)j0 * kc, blockN, kc, target, stride, !first);
                        if (last) Finish(target, stride, blockM, blockN, scale == null ? null : scale + n1 + j0, bias == null ? null : bias + n1 + j0);
                    });
                }
            }
        }
    }

    // Few rows: every thread packs some strips of B for itself, where they stay in the second-level cache, and multiplies all rows with them, so that B is read
    // once and nobody waits. Strips of a B with dense rows are packed several together: reading single cache lines pages apart is slow
    private void MultiplyFew(Operand a, Operand b, float* c, long stride, float* scale, float* bias, bool accumulate, CancellationToken cancel)
    {
        int m = a.Rows, n = b.Columns, k = a.Columns;
        var bT = b.Transpose();
        var (depth, slabs) = Slabs(k);
        int mr = Kernel.Rows, nr = Kernel.Columns, padded = RoundUp(m, mr), step = 8 * mr;
        using var packedA = scratch.Rent(padded * (long)depth * slabs);
        var pa = packedA.Floats;
        var pieces = (m + step - 1) / step;
        workers.Run(pieces * slabs, cancel, piece =>
        {
            int slab = piece / pieces, i = piece % pieces * step, k0 = slab * depth;
            var kc = Math.Max(0, Math.Min(depth, k - k0));
            Packing.Pack(a, i, Math.Min(step, m - i), k0, kc, mr, pa + (long)slab * padded * depth + (long)i * kc);
        });

        var wide = (b.ColumnsAreDense ? 1 : 4) * nr;
        var together = Math.Clamp(n / wide / (8 * workers.Threads), 1, b.ColumnsAreDense ? 4 : 1) * wide;
        workers.Run((n + together - 1) / together, cancel, piece =>
        {
            using var packedB = scratch.Rent((long)wide * depth);
            for (var j0 = piece * together; j0 < Math.Min(n, (piece + 1) * together); j0 += wide)
            {
                var columns = Math.Min(wide, n - j0);
                for (var slab = 0; slab < slabs; slab++)
                {
                    var k0 = slab * depth;
                    var kc = Math.Max(0, Math.Min(depth, k - k0));
                    Packing.Pack(bT, j0, columns, k0, kc, nr, packedB.Floats);
                    Block(pa + (long)slab * padded * depth, m, packedB.Floats, columns, kc, c + j0, stride, slab > 0 || accumulate);
                }

                Finish(c + j0, stride, m, columns, scale == null ? null : scale + j0, bias == null ? null : bias + j0);
            }
        });
    }

    /// <summary>One block of C from packed strips: rows and columns need not fill the last tiles.</summary>
    public void Block(float* pa, int rows, float* pb, int columns, int k, float* c, long stride, bool accumulate)
    {
        int mr = Kernel.Rows, nr = Kernel.Columns;
        var edge = stackalloc float[mr * nr];
        for (var j = 0; j < columns; j += nr)
        {
            var strip = pb + (long)j * k;
            for (var i = 0; i < rows; i += mr)
            {
                var tile = c + i * stride + j;
                if (i + mr <= rows && j + nr <= columns)
                {
                    Kernel.Run(pa + (long)i * k, strip, k, tile, stride, accumulate);
                    continue;
                }

                if (j + nr <= columns && rows - i <= 8)
                {
                    for (var r = 0; r < rows - i; r += 4) Kernel.RunFew(r, Math.Min(4, rows - i - r), pa + (long)i * k, strip, k, tile + r * stride, stride, accumulate);
                    continue;
                }

                Kernel.Run(pa + (long)i * k, strip, k, edge, nr, accumulate: false);
                for (var r = 0; r < Math.Min(mr, rows - i); r++)
                {
                    for (var s = 0; s < Math.Min(nr, columns - j); s++)
                        tile[r * stride + s] = accumulate ? tile[r * stride + s] + edge[r * nr + s] : edge[r * nr + s];
                }
            }
        }
    }

    /// <summary>x rounded up to a multiple.</summary>
    public static int RoundUp(int x, int multiple) => (x + multiple - 1) / multiple * multiple;

    /// <summary>Rows of a block such that every thread gets some.</summary>
    public int BlockRowsFor(int rows) => Math.Min(BlockRows, RoundUp((rows + 2 * workers.Threads - 1) / (2 * workers.Threads), Kernel.Rows));

    // a thread that finishes first waits for one block at most: few blocks are made smaller, at the price of reading A more often
    private int BlockColumnsFor(int down, int columns)
    {
        var few = (long)down * columns < 16L * workers.Threads * BlockColumns;
        return few && workers.Threads > 1 ? BlockColumns / 2 : BlockColumns;
    }

    private void PackSlab(Operand a, int m0, int rows, Operand bT, int n0, int columns, int k0, int kc, float* pa, float* pb, CancellationToken cancel)
    {
        int stepA = 8 * Kernel.Rows, stepB = 8 * Kernel.Columns;
        int piecesA = (rows + stepA - 1) / stepA, piecesB = (columns + stepB - 1) / stepB;
        workers.Run(piecesA + piecesB, cancel, piece =>
        {
            if (piece < piecesA)
            {
                var i = piece * stepA;
                Packing.Pack(a, m0 + i, Math.Min(stepA, rows - i), k0, kc, Kernel.Rows, pa + (long)i * kc);
            }
            else
            {
                var j = (piece - piecesA) * stepB;
                Packing.Pack(bT, n0 + j, Math.Min(stepB, columns - j), k0, kc, Kernel.Columns, pb + (long)j * kc);
            }
        });
    }

    /// <summary>c = c ∘ scale + bias; either may be null.</summary>
    public static void Finish(float* c, long stride, int rows, int columns, float* scale, float* bias)
    {
        if (scale == null && bias == null) return;
        for (var i = 0; i < rows; i++, c += stride)
        {
            if (scale != null) Rows.Multiply(c, scale, c, columns);
            if (bias != null) Rows.Add(c, bias, 1f, c, columns);
        }
    }
}
