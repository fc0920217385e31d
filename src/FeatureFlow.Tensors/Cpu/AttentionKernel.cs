using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Causal grouped attention in tiles with a running softmax (Milakov and Gimelshein 2018; Dao et al. 2022): a tile of queries of all heads that share
/// a key-value head meets the keys tile by tile; scores live in the second-level cache only. Tiles of keys begin at multiples of
/// <see cref="KeyTile"/> positions whatever comes together, and products are those of <see cref="Gemm"/>: the bits of a token depend on its own row alone.
/// </summary>
internal sealed unsafe class AttentionKernel(Gemm gemm, Scratch scratch, AttentionOptions options, int heads, int keyValueHeads, int positions)
{
    /// <summary>Keys that meet a tile of queries at once.</summary>
    public const int KeyTile = 256;

    private const int RowsTogether = 96;
    private const int FewRows = 4; // decoding: nothing is packed

    private readonly int _group = heads / keyValueHeads;

    private int Head => options.HeadWidth;

    private int Width => heads * Head;

    private int KeyValueWidth => keyValueHeads * Head;

    /// <summary>Keys and values of the queries themselves, where they are branches: each then sees what is before its run, and its own.</summary>
    public (nint Keys, long StrideK, nint Values, long StrideV)? Own { get; init; }

    public void Run(Workers workers, ReadOnlySpan<TokenRun> runs, float* q, long strideQ, float* keys, float* values, float* o, long strideO, CancellationToken cancel)
    {
        // the heaviest (last) tiles of long rows first, so that threads end together
        var tile = Math.Max(1, RowsTogether / _group);
        var pieces = new List<TokenRun>();
        foreach (var run in runs)
        {
            for (var i = 0; i < run.Count; i += tile) pieces.Add(new TokenRun(run.Token + i, Math.Min(tile, run.Count - i), run.Row, Own is null ? run.Position + i : run.Position));
        }

        pieces.Sort((a, b) => (b.Position + b.Count, a.Token).CompareTo((a.Position + a.Count, b.Token)));
        workers.Run(pieces.Count * keyValueHeads, cancel, p =>
        {
            var piece = pieces[p / keyValueHeads];
            var head = p % keyValueHeads;
            Tile(piece, head * Head, q + piece.Token * strideQ + head * _group * Head, strideQ, keys + ((long)piece.Row * positions * KeyValueWidth) + head * Head,
                values + ((long)piece.Row * positions * KeyValueWidth) + head * Head, o + piece.Token * strideO + head * _group * Head, strideO);
        });
    }

    // queries [Count tokens x group heads] of one key-value head
    private void Tile(TokenRun run, int own, float* q, long strideQ, float* keys, float* values, float* o, long strideO)
    {
        int m = run.Count * _group, s = Head, mr = gemm.Kernel.Rows, nr = gemm.Kernel.Columns;
        int padded = Gemm.RoundUp(m, mr), tileColumns = Gemm.RoundUp(KeyTile, nr), wide = Gemm.RoundUp(s, nr);
        using var memory = scratch.Rent(
            ((long)m * s) + ((long)padded * s) + ((long)m * KeyTile) + Math.Max((long)padded * KeyTile, (long)m * s) + ((long)Math.Max(tileColumns * s, wide * KeyTile)) + ((long)m * s) + 2L * m);
        var rows = memory.Floats; // the queries, scaled, together
        var packedQ = rows + m * s;
        var scores = packedQ + padded * s;
        var packedP = scores + m * KeyTile;
        var packedB = packedP + padded * KeyTile;
        var sums = packedB + Math.Max(tileColumns * s, wide * KeyTile);
        var most = sums + m * s;
        var total = most + m;

        for (var i = 0; i < m; i++)
        {
            Rows.ShiftScale(q + i / _group * strideQ + i % _group * s, 0, options.Scale, rows + i * s, s);
            (most[i], total[i]) = (float.NegativeInfinity, 0);
        }

        new Span<float>(sums, m * s).Clear();
        if (Own is { } branch)
        {
            // the first key that is seen: its weight is 1 until a larger score comes
            for (var i = 0; i < m; i++)
            {
                var token = run.Token + i / _group;
                most[i] = Vectors.Dot(rows + i * s, (float*)branch.Keys + token * branch.StrideK + own, s);
                if (options.SoftCap > 0) Maps.Run(new Maps.SoftCap(options.SoftCap), most + i, most + i, most + i, 1);
                total[i] = 1;
                new Span<float>((float*)branch.Values + token * branch.StrideV + own, s).CopyTo(new Span<float>(sums + i * s, s));
            }
        }

        var few = m <= FewRows && gemm.Kernel is MicroKernel512;
        if (!few) Packing.Pack(Dense(rows, m, s, s), 0, m, 0, s, mr, packedQ);
        var end = Own is null ? run.Position + run.Count : run.Position;
        var first = options.Window > 0 ? Math.Max(0, run.Position - options.Window + 1) : 0;
        for (var start = first / KeyTile * KeyTile; start < end; start += KeyTile)
        {
            var count = Math.Min(KeyTile, end - start);
            if (few)
            {
                // on their way while the scores are made
                for (var j = 0; j < count; j++) Ask(values + (long)(start + j) * KeyValueWidth);
                Narrow.Scores(rows, m, s, keys + (long)start * KeyValueWidth, KeyValueWidth, count, positions - start, scores, KeyTile);
            }
            else
            {
                Packing.Pack(Dense(keys + (long)start * KeyValueWidth, count, s, KeyValueWidth), 0, count, 0, s, nr, packedB);
                gemm.Block(packedQ, m, packedB, count, s, scores, KeyTile, accumulate: false);
            }

            for (var i = 0; i < m; i++)
            {
                var position = Own is null ? run.Position + i / _group : run.Position;
                var seen = Math.Clamp(position + 1 - start, 0, count);
                var hidden = options.Window > 0 ? Math.Clamp(position + 1 - options.Window - start, 0, seen) : 0;
                Soften(options, scores + i * KeyTile, hidden, seen, count, sums + i * s, ref most[i], ref total[i]);
            }

            if (few)
            {
                Streaming.Weighted(scores, m, KeyTile, values + (long)start * KeyValueWidth, KeyValueWidth, count, packedP, s);
                Rows.Add(sums, packedP, 1f, sums, m * s);
                continue;
            }

            Packing.Pack(Dense(scores, m, count, KeyTile), 0, m, 0, count, mr, packedP);
            Packing.Pack(Dense(values + (long)start * KeyValueWidth, count, s, KeyValueWidth).Transpose(), 0, s, 0, count, nr, packedB);
            gemm.Block(packedP, m, packedB, s, count, sums, s, accumulate: true);
        }

        for (var i = 0; i < m; i++) Rows.ShiftScale(sums + i * s, 0, 1 / total[i], o + i / _group * strideO + i % _group * s, s);
    }

    /// <summary>Scores become weights relative to the largest so far; what was summed under a smaller one is scaled down. Keys outside [hidden, seen) get weight 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Soften(AttentionOptions options, float* scores, int hidden, int seen, int count, float* sums, ref float most, ref float total)
    {
        new Span<float>(scores, hidden).Clear();
        new Span<float>(scores + seen, count - seen).Clear();
        if (seen <= hidden) return;
        var x = scores + hidden;
        var n = seen - hidden;
        if (options.SoftCap > 0) Maps.Run(new Maps.SoftCap(options.SoftCap), x, x, x, n);
        var largest = most;
        var i = 0;
        if (n >= 16)
        {
            var v = Vector512.Load(x);
            for (i = 16; i + 16 <= n; i += 16) v = Vector512.Max(v, Vector512.Load(x + i));
            largest = MathF.Max(largest, Maps.Largest(v));
        }

        for (; i < n; i++) largest = MathF.Max(largest, x[i]);
        var shrink = most == largest ? 1 : MathF.Exp(most - largest);
        if (shrink != 1) Rows.ShiftScale(sums, 0, shrink, sums, options.HeadWidth);
        most = largest;
        total = total * shrink + Maps.ExpAndSum(x, largest, n);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Ask(float* row)
    {
        if (!Sse.IsSupported) return;
        for (var i = 0; i < Head; i += 16) Sse.Prefetch1(row + i);
    }

    private static Operand Dense(float* x, int rows, int columns, long stride) => new((byte*)x, DType.F32, rows, columns, stride * sizeof(float), sizeof(float));
}
