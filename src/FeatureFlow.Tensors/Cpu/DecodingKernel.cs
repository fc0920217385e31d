using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Attention of single tokens, one of each row, with AVX-512: all heads of a row are done together, so that its keys and values come from memory in one stroke each, and the
/// next row's are asked for meanwhile. The same sums in the same order as <see cref="AttentionKernel"/>, which takes everything else.
/// </summary>
internal sealed unsafe class DecodingKernel(Scratch scratch, AttentionOptions options, int heads, int keyValueHeads, int positions)
{
    private const int KeyTile = AttentionKernel.KeyTile;
    private const int MostTogether = 4; // query heads of one key-value head

    private readonly int _group = heads / keyValueHeads;

    private int Head => options.HeadWidth;

    private long KeyValueWidth => keyValueHeads * Head;

    /// <summary>True where it is the fastest way: many rows of one token each.</summary>
    public static bool Suits(ReadOnlySpan<TokenRun> runs, int threads, int head, int group)
    {
        if (!Avx512F.IsSupported || runs.Length < 2 * threads || head % 16 != 0 || group > MostTogether) return false;
        foreach (var run in runs)
        {
            if (run.Count != 1) return false;
        }

        return true;
    }

    public void Run(Workers workers, ReadOnlySpan<TokenRun> runs, float* q, long strideQ, float* keys, float* values, float* o, long strideO, CancellationToken cancel)
    {
        var rows = runs.ToArray();
        var pieces = workers.Threads == 1 ? (rows.Length + 63) / 64 : Math.Min(rows.Length, 4 * workers.Threads);
        workers.Run(pieces, cancel, p =>
        {
            using var memory = scratch.Rent((2L * heads * Head) + ((long)heads * KeyTile) + (2L * heads));
            int from = (int)((long)rows.Length * p / pieces), to = (int)((long)rows.Length * (p + 1) / pieces);
            if (from < to) Ask(Start(keys, rows[from]), rows[from]);
            for (var r = from; r < to; r++)
            {
                Ask(Start(values, rows[r]), rows[r]);
                Row(rows[r], q + rows[r].Token * strideQ, Start(keys, rows[r]), Start(values, rows[r]), r + 1 < to ? Start(keys, rows[r + 1]) : null, r + 1 < to ? rows[r + 1] : default, o + rows[r].Token * strideO, memory.Floats);
            }
        });
    }

    private float* Start(float* cache, TokenRun run) => cache + run.Row * positions * KeyValueWidth;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Row(TokenRun run, float* q, float* keys, float* values, float* nextKeys, TokenRun next, float* o, float* memory)
    {
        float* queries = memory, sums = queries + heads * Head, scores = sums + heads * Head, most = scores + heads * KeyTile, total = most + heads;
        Rows.ShiftScale(q, 0, options.Scale, queries, heads * Head);
        for (var h = 0; h < heads; h++) (most[h], total[h]) = (float.NegativeInfinity, 0);
        new Span<float>(sums, heads * Head).Clear();
        var end = run.Position + 1;
        var first = First(run);
        for (var start = first / KeyTile * KeyTile; start < end; start += KeyTile)
        {
            var count = Math.Min(KeyTile, end - start);
            var k = keys + start * KeyValueWidth;
            for (var j = 0; j < count; j += 16)
            {
                // keys past the last are somebody's or nobody's, and their scores are left out; past the cache's end there is nothing to read
                if (start + j + 16 <= positions)
                {
                    for (var g = 0; g < keyValueHeads; g++) Sixteen(queries + g * _group * Head, _group, Head, k + j * KeyValueWidth + g * Head, (nint)KeyValueWidth, scores + g * _group * KeyTile + j);
                }
                else
                {
                    for (var h = 0; h < heads; h++) Narrow.Scores(queries + h * Head, 1, Head, k + j * KeyValueWidth + h / _group * Head, KeyValueWidth, count - j, 0, scores + h * KeyTile + j, KeyTile);
                }
            }

            if (nextKeys != null && start + KeyTile >= end) Ask(nextKeys, next);
            var hidden = Math.Clamp(first - start, 0, count);
            for (var h = 0; h < heads; h++)
            {
                AttentionKernel.Soften(options, scores + h * KeyTile, hidden, count, count, sums + h * Head, ref most[h], ref total[h]);
                Weighted(scores + h * KeyTile, values + start * KeyValueWidth + h / _group * Head, (nint)KeyValueWidth, count, sums + h * Head, Head);
            }
        }

        for (var h = 0; h < heads; h++) Rows.ShiftScale(sums + h * Head, 0, 1 / total[h], o + h * Head, Head);
    }

    private int First(TokenRun run) => options.Window > 0 ? Math.Max(0, run.Position - options.Window + 1) : 0;

    // what will be read of a row, as far as it is worth asking for
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Ask(float* start, TokenRun run)
    {
        const int most = 64 * 1024 / sizeof(float);
        var first = start + First(run) * KeyValueWidth;
        var end = first + Math.Min(most, (run.Position + 1 - First(run)) * KeyValueWidth);
        for (var line = first; line < end; line += 16) Sse.Prefetch1(line);
    }

    // scores of one to four queries with sixteen keys: the keys are turned in registers, sixteen numbers of each at a time; one chain over the numbers for every score
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Sixteen(float* q, int m, int width, float* keys, nint step, float* scores)
    {
        Vector512<float> s0 = Vector512<float>.Zero, s1 = s0, s2 = s0, s3 = s0;
        float* q1 = m > 1 ? q + width : q, q2 = m > 2 ? q + 2 * width : q, q3 = m > 3 ? q + 3 * width : q;
        for (var end = q + width; q < end; q += 16, q1 += 16, q2 += 16, q3 += 16, keys += 16)
        {
            Four(keys, step, out var r0, out var r1, out var r2, out var r3);
            Four(keys + 4 * step, step, out var t0, out var t1, out var t2, out var t3);
            Four(keys + 8 * step, step, out var u0, out var u1, out var u2, out var u3);
            Four(keys + 12 * step, step, out var v0, out var v1, out var v2, out var v3);
            Transpose16.Quarters(r0, t0, u0, v0, out r0, out t0, out u0, out v0);
            Transpose16.Quarters(r1, t1, u1, v1, out r1, out t1, out u1, out v1);
            Transpose16.Quarters(r2, t2, u2, v2, out r2, out t2, out u2, out v2);
            Transpose16.Quarters(r3, t3, u3, v3, out r3, out t3, out u3, out v3);
            s0 = Add(Add(Add(Add(s0, q, r0, r1, r2, r3), q + 4, t0, t1, t2, t3), q + 8, u0, u1, u2, u3), q + 12, v0, v1, v2, v3);
            if (m == 1) continue;
            s1 = Add(Add(Add(Add(s1, q1, r0, r1, r2, r3), q1 + 4, t0, t1, t2, t3), q1 + 8, u0, u1, u2, u3), q1 + 12, v0, v1, v2, v3);
            s2 = Add(Add(Add(Add(s2, q2, r0, r1, r2, r3), q2 + 4, t0, t1, t2, t3), q2 + 8, u0, u1, u2, u3), q2 + 12, v0, v1, v2, v3);
            s3 = Add(Add(Add(Add(s3, q3, r0, r1, r2, r3), q3 + 4, t0, t1, t2, t3), q3 + 8, u0, u1, u2, u3), q3 + 12, v0, v1, v2, v3);
        }

        s0.Store(scores);
        if (m > 1) s1.Store(scores + KeyTile);
        if (m > 2) s2.Store(scores + 2 * KeyTile);
        if (m > 3) s3.Store(scores + 3 * KeyTile);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(float* keys, nint step, out Vector512<float> r0, out Vector512<float> r1, out Vector512<float> r2, out Vector512<float> r3) =>
        Transpose16.FourRows(Vector512.Load(keys), Vector512.Load(keys + step), Vector512.Load(keys + 2 * step), Vector512.Load(keys + 3 * step), out r0, out r1, out r2, out r3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add(Vector512<float> sum, float* q, Vector512<float> x, Vector512<float> y, Vector512<float> z, Vector512<float> t)
    {
        sum = Avx512F.FusedMultiplyAdd(Vector512.Create(q[0]), x, sum);
        sum = Avx512F.FusedMultiplyAdd(Vector512.Create(q[1]), y, sum);
        sum = Avx512F.FusedMultiplyAdd(Vector512.Create(q[2]), z, sum);
        return Avx512F.FusedMultiplyAdd(Vector512.Create(q[3]), t, sum);
    }

    // sums += weights·rows, each element first one chain over the rows of the tile
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Weighted(float* weights, float* rows, nint step, int count, float* sums, int width)
    {
        var i = 0;
        for (; i + 32 <= width; i += 32)
        {
            Vector512<float> low = Vector512<float>.Zero, high = low;
            var row = rows + i;
            for (var p = 0; p < count; p++, row += step)
            {
                var w = Vector512.Create(weights[p]);
                low = Avx512F.FusedMultiplyAdd(w, Vector512.Load(row), low);
                high = Avx512F.FusedMultiplyAdd(w, Vector512.Load(row + 16), high);
            }

            (Vector512.Load(sums + i) + low).Store(sums + i);
            (Vector512.Load(sums + i + 16) + high).Store(sums + i + 16);
        }

        for (; i < width; i += 16)
        {
            var sum = Vector512<float>.Zero;
            var row = rows + i;
            for (var p = 0; p < count; p++, row += step) sum = Avx512F.FusedMultiplyAdd(Vector512.Create(weights[p]), Vector512.Load(row), sum);
            (Vector512.Load(sums + i) + sum).Store(sums + i);
        }
    }
}
