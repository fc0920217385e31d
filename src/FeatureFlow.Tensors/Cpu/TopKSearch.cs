using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Fused top-k inner product. (1) Norms of queries and keys. (2) Panels of keys are packed once and shared; threads take blocks of queries, compute
/// tiles of scores that stay in L2, and offer what is above each query's line to its <see cref="Candidates"/>; the scores are those of rows rounded to <see cref="WholeNumbers"/>
/// where that pays, else float32. (3) The few candidates are scored again in float64, which decides order and value. The scores of all pairs are never held.
/// </summary>
internal sealed unsafe class TopKSearch(Gemm gemm, Workers workers, Scratch scratch)
{
    private const int ChunkColumns = 512;
    private const long PanelFloats = 4L << 20;
    private const int StreamQueries = 8;

    // of a batch's queries, one in so many may be decided in float64 alone
    private const int MostOverflowed = 64;

    // outside these norms float32 products overflow or lose bits to underflow: such rows are left to float64
    private const double SmallestNorm = 1e-12;
    private const double LargestNorm = 1e12;

    public TopKResult Find(Operand queries, Operand keys, int k, TopKOptions options, CancellationToken cancel)
    {
        var q = queries.Rows;
        var result = new TopKResult(k, new int[checked(q * k)], new double[q * k]);
        var queryNorm = Norms(queries, cancel);
        var stream = q <= StreamQueries && keys.RowsAreDense;

        // cosine over a stream of keys measures them on the way, so that each is read once
        var measured = !(stream && options.Cosine);
        var keyNorm = measured ? Norms(keys, cancel) : new double[keys.Rows];
        var state = new State(queries, keys, k, options, queryNorm, keyNorm, measured);
        var whole = !stream && gemm.Kernel is MicroKernel512 && WholeNumbers.Suit(queries, keys, keyNorm, options.Cosine);

        // bounded room for candidates, whatever the number of queries
        var batch = (int)Math.Clamp((16L << 20) / (8L * (2 * k + 32)), 2L * Gemm.BlockRows, Math.Max(2 * Gemm.BlockRows, q));
        for (var q0 = 0; q0 < q; q0 += batch)
        {
            var count = Math.Min(batch, q - q0);
            var share = (q0 / (double)q, count / (double)q);
            var found = Start(state, q0, count, whole);
            if (stream) Stream(state, found, cancel);
            else Scan(state, q0, found, whole, share, cancel);
            if (whole && found.Count(c => c.Overflowed) > count / MostOverflowed)
            {
                // scores too close for whole numbers
                whole = false;
                found = Start(state, q0, count, whole);
                Scan(state, q0, found, whole, share, cancel);
            }

            Decide(state, q0, found, result, cancel);
            options.Progress?.Report((q0 + count) / (double)q);
        }

        return result;
    }

    /// <summary>True for the norm of a row that float32 cannot judge.</summary>
    public static bool IsAwkward(double norm) => !(norm == 0 || (norm >= SmallestNorm && norm <= LargestNorm));

    /// <summary>Norm of every row in float64.</summary>
    public double[] Norms(Operand x, CancellationToken cancel)
    {
        var norms = new double[x.Rows];
        if (x.RowsAreDense || !x.ColumnsAreDense)
        {
            const int piece = 256;
            workers.Run((x.Rows + piece - 1) / piece, cancel, p =>
            {
                for (var i = p * piece; i < Math.Min(x.Rows, (p + 1) * piece); i++)
                    norms[i] = Math.Sqrt(Rows.Dot64(x.At(i, 0), x.Type, x.ColumnStep, x.At(i, 0), x.Type, x.ColumnStep, x.Columns));
            });
            return norms;
        }

        // rows lie across memory: walk along it, adding to many sums at once
        const int wide = 1024;
        workers.Run((x.Rows + wide - 1) / wide, cancel, p =>
        {
            int i0 = p * wide, n = Math.Min(wide, x.Rows - i0);
            var values = stackalloc float[wide];
            var sums = norms.AsSpan(i0, n);
            for (var j = 0; j < x.Columns; j++)
            {
                Rows.ToFloat(x.At(i0, j), x.Type, x.Type.Size(), values, n);
                for (var i = 0; i < n; i++) sums[i] += (double)values[i] * values[i];
            }

            for (var i = 0; i < n; i++) sums[i] = Math.Sqrt(sums[i]);
        });
        return norms;
    }

    private static Candidates[] Start(State s, int q0, int count, bool whole)
    {
        var found = new Candidates[count];
        for (var i = 0; i < count; i++) found[i] = new Candidates(s.K, s.Margin(q0 + i, whole), s.Options.Floor_Q?[q0 + i] ?? double.NegativeInfinity);
        return found;
    }

    // many queries: packed panels of keys, blocks of queries
    private void Scan(State s, int q0, Candidates[] found, bool whole, (double From, double Share) share, CancellationToken cancel)
    {
        var d = whole ? WholeNumbers.Pairs(s.Keys.Columns) : s.Keys.Columns;
        int mr = whole ? WholeKernel512.Rows : gemm.Kernel.Rows, nr = whole ? WholeKernel512.Columns : gemm.Kernel.Columns;
        var (depth, slabs) = Gemm.Slabs(d);
        var panelColumns = (int)Math.Min(Gemm.RoundUp(s.Keys.Rows, nr), Math.Max(ChunkColumns, PanelFloats / Math.Max(1, d) / ChunkColumns * ChunkColumns));
        using var panelBlock = scratch.Rent((long)panelColumns * d);
        var panel = panelBlock.Floats;
        var blockRows = gemm.BlockRowsFor(found.Length);
        var (keyScale, queryScale) = s.Scales(whole, q0, found.Length);

        for (var n0 = 0; n0 < s.Keys.Rows; n0 += panelColumns)
        {
            int columns = Math.Min(panelColumns, s.Keys.Rows - n0), start = n0;
            var strips = (columns + nr - 1) / nr;
            workers.Run(strips, cancel, strip =>
            {
                int j = strip * nr, live = Math.Min(nr, columns - j);
                using var rounded = whole ? scratch.Rent(((long)live * d) + s.Keys.Columns) : null;
                var (keys, first) = rounded is null ? (s.Keys, start + j) : (WholeNumbers.Round(s.Keys, s.KeyNorm, start + j, live, rounded.Floats), 0);
                for (var slab = 0; slab < slabs; slab++)
                {
                    int k0 = slab * depth, kc = Math.Min(depth, d - k0);
                    Packing.Pack(keys, first, live, k0, kc, nr, panel + ((long)strips * k0 * nr) + (long)j * kc);
                }
            });

            var blocks = (found.Length + blockRows - 1) / blockRows;
            workers.Run(blocks, cancel, block =>
            {
                int i0 = block * blockRows, rows = Math.Min(blockRows, found.Length - i0), padded = Gemm.RoundUp(rows, mr);
                using var packed = scratch.Rent((long)padded * d);
                using var tile = scratch.Rent((long)padded * ChunkColumns);
                using var rounded = whole ? scratch.Rent(((long)rows * d) + s.Queries.Columns) : null;
                var (queries, first) = rounded is null ? (s.Queries, q0 + i0) : (WholeNumbers.Round(s.Queries, s.QueryNorm, q0 + i0, rows, rounded.Floats), 0);
                for (var slab = 0; slab < slabs; slab++)
                {
                    int k0 = slab * depth, kc = Math.Min(depth, d - k0);
                    Packing.Pack(queries, first, rows, k0, kc, mr, packed.Floats + (long)padded * k0);
                }

                for (var j0 = 0; j0 < columns; j0 += ChunkColumns)
                {
                    if (cancel.IsCancellationRequested) return;
                    var width = Math.Min(ChunkColumns, columns - j0);
                    for (var slab = 0; slab < slabs; slab++)
                    {
                        int k0 = slab * depth, kc = Math.Min(depth, d - k0);
                        float* a = packed.Floats + (long)padded * k0, b = panel + ((long)strips * k0 * nr) + (long)j0 * kc;
                        if (whole) WholeTiles((int*)a, padded, (int*)b, Gemm.RoundUp(width, nr), kc, (int*)tile.Floats, slab > 0);
                        else gemm.Block(a, rows, b, width, kc, tile.Floats, ChunkColumns, slab > 0);
                    }

                    for (var i = 0; i < rows; i++) Offer(ref found[i0 + i], tile.Floats + (long)i * ChunkColumns, whole, width, start + j0, keyScale, queryScale[i0 + i], s.KeyBias);
                }
            });
            s.Options.Progress?.Report(share.From + share.Share * (n0 + columns) / s.Keys.Rows);
        }
    }

    private static void WholeTiles(int* a, int rows, int* b, int columns, int k, int* tile, bool accumulate)
    {
        for (var j = 0; j < columns; j += WholeKernel512.Columns)
        {
            for (var i = 0; i < rows; i += WholeKernel512.Rows)
                WholeKernel512.Run(a + (long)i * k, b + (long)j * k, k, tile + (long)i * ChunkColumns + j, ChunkColumns, accumulate);
        }
    }

    // scores of one query, float32 or whole numbers, become scores of the search: (score·scale of the key)·factor + bias
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Offer(ref Candidates c, float* scores, bool whole, int width, int firstKey, float[]? keyScale, float factor, float[]? keyBias)
    {
        fixed (float* scale = keyScale, bias = keyBias)
        {
            var j = 0;
            if (Avx512F.IsSupported)
            {
                var far = Vector512.Create(c.Line);
                for (; j + 16 <= width; j += 16)
                {
                    var v = whole ? Vector512.ConvertToSingle(Vector512.Load((int*)scores + j)) : Vector512.Load(scores + j);
                    if (scale != null) v *= Vector512.Load(scale + firstKey + j) * factor;
                    if (bias != null) v += Vector512.Load(bias + firstKey + j);
                    if (!Vector512.GreaterThanAny(v, far)) continue;
                    c.Offer(firstKey + j, v);
                    far = Vector512.Create(c.Line);
                }
            }

            var line = Vector256.Create(c.Line);
            for (; j + 8 <= width; j += 8)
            {
                var v = whole ? Vector256.ConvertToSingle(Vector256.Load((int*)scores + j)) : Vector256.Load(scores + j);
                if (scale != null) v *= Vector256.Load(scale + firstKey + j) * factor;
                if (bias != null) v += Vector256.Load(bias + firstKey + j);
                var above = Vector256.GreaterThan(v, line).ExtractMostSignificantBits();
                if (above == 0) continue;
                for (; above != 0; above &= above - 1)
                {
                    var lane = System.Numerics.BitOperations.TrailingZeroCount(above);
                    c.Offer(firstKey + j + lane, v[lane]);
                }

                line = Vector256.Create(c.Line);
            }

            for (; j < width; j++)
            {
                var v = whole ? ((int*)scores)[j] : scores[j];
                if (scale != null) v *= scale[firstKey + j] * factor;
                if (bias != null) v += bias[firstKey + j];
                c.Offer(firstKey + j, v);
            }
        }
    }

    // few queries: one pass over the keys where they lie
    private void Stream(State s, Candidates[] found, CancellationToken cancel)
    {
        const int piece = 512;
        int d = s.Keys.Columns, q = found.Length, pieces = (s.Keys.Rows + piece - 1) / piece;
        using var rows = scratch.Rent((long)q * d);
        var a = rows.Floats;
        for (var i = 0; i < q; i++) Rows.ToFloat(s.Queries.At(i, 0), s.Queries.Type, s.Queries.ColumnStep, a + (long)i * d, d);
        workers.Run(pieces, cancel, p =>
        {
            var mine = new Candidates[q];
            for (var i = 0; i < q; i++) mine[i] = new Candidates(s.K, s.Margin(i, whole: false), s.Options.Floor_Q?[i] ?? double.NegativeInfinity);
            var dots = stackalloc float[StreamQueries];
            for (var key = p * piece; key < Math.Min(s.Keys.Rows, (p + 1) * piece); key++)
            {
                Streaming.DotsAndNorm(a, q, d, s.Keys.At(key, 0), s.Keys.Type, s.Keys.ColumnStep, dots, out var squared);
                var norm = Math.Sqrt(squared);
                if (!s.Measured) s.KeyNorm[key] = norm;
                if (IsAwkward(norm)) continue;
                var scale = s.Options.Cosine ? (float)(norm > 0 ? 1 / norm : 0) : 1f;
                var bias = s.KeyBias is null ? 0f : s.KeyBias[key];
                for (var i = 0; i < q; i++) mine[i].Offer(key, dots[i] * (scale * s.QueryScale(i)) + bias);
            }

            lock (found)
            {
                for (var i = 0; i < q; i++) found[i].Merge(mine[i]);
            }
        });
        if (!s.Measured) s.CollectAwkward();
    }

    // float64 has the last word
    private void Decide(State s, int q0, Candidates[] found, TopKResult result, CancellationToken cancel) =>
        workers.Run(found.Length, cancel, i =>
        {
            var query = q0 + i;
            found[i].Compact();
            var norm = s.QueryNorm[query];
            var zero = norm == 0 && s.KeyBias is null; // 0 with every key: the first ones win
            var everything = found[i].Overflowed || IsAwkward(norm) || s.TooManyAwkward || zero;
            var count = everything ? s.Keys.Rows : found[i].Indices.Length + s.Awkward.Count;
            var index = new int[count];
            var score = new double[count];
            var n = 0;
            if (everything)
            {
                for (var key = 0; key < s.Keys.Rows && !(zero && n == s.K); key++)
                {
                    if ((key & 255) == 0 && cancel.IsCancellationRequested) return;
                    Consider(key);
                }
            }
            else
            {
                foreach (var key in found[i].Indices)
                {
                    if (!IsAwkward(s.KeyNorm[key])) Consider(key);
                }

                foreach (var key in s.Awkward) Consider(key);
            }

            // keys of falling score, which are held negated, equal ones by index
            Array.Sort(score, index, 0, n);
            for (var a = 0; a < n;)
            {
                var b = a + 1;
                while (b < n && score[b] == score[a]) b++;
                if (b - a > 1) Array.Sort(index, a, b - a);
                a = b;
            }

            for (var j = 0; j < s.K; j++)
            {
                result.Indices_QK[query * s.K + j] = j < n ? index[j] : -1;
                result.Scores_QK[query * s.K + j] = j < n ? -score[j] : double.NegativeInfinity;
            }

            void Consider(int key)
            {
                var v = s.Score(query, key);
                if (!double.IsFinite(v)) return; // NaN and infinite rows match nothing
                index[n] = key;
                score[n++] = -v;
            }
        });

    /// <summary>What one search knows.</summary>
    private sealed class State
    {
        private readonly double _largestKey;
        private readonly double _largestBias;

        public State(Operand queries, Operand keys, int k, TopKOptions options, double[] queryNorm, double[] keyNorm, bool measured)
        {
            (Queries, Keys, K, Options, QueryNorm, KeyNorm, Measured) = (queries, keys, k, options, queryNorm, keyNorm, measured);
            KeyBias = options.KeyBias is null ? null : Array.ConvertAll(options.KeyBias, b => (float)b);
            if (options.Cosine) KeyScale = Array.ConvertAll(keyNorm, n => n > 0 && !IsAwkward(n) ? (float)(1 / n) : 0f);
            foreach (var n in keyNorm)
            {
                if (!IsAwkward(n) && n > _largestKey) _largestKey = n;
            }

            foreach (var b in options.KeyBias ?? []) _largestBias = Math.Max(_largestBias, Math.Abs(b));
            CollectAwkward();
        }

        public Operand Queries { get; }

        public Operand Keys { get; }

        public int K { get; }

        public TopKOptions Options { get; }

        public double[] QueryNorm { get; }

        public double[] KeyNorm { get; }

        /// <summary>True when <see cref="KeyNorm"/> is that of float64 from the start.</summary>
        public bool Measured { get; }

        public float[]? KeyScale { get; }

        public float[]? KeyBias { get; }

        /// <summary>Keys that float32 cannot judge; every query looks at them in float64.</summary>
        public List<int> Awkward { get; } = [];

        public bool TooManyAwkward => Awkward.Count > 256;

        public void CollectAwkward()
        {
            Awkward.Clear();
            for (var i = 0; i < KeyNorm.Length; i++)
            {
                if (IsAwkward(KeyNorm[i])) Awkward.Add(i);
            }
        }

        /// <summary>
        /// Twice the largest error of a score: |fl(x·y) − x·y| ≤ γ‖x‖‖y‖ with γ = n·2⁻²⁴ in float32 (Higham 2002, 3.1) and that of rounding in whole numbers, some more for
        /// scaling and bias.
        /// </summary>
        public float Margin(int query, bool whole)
        {
            var gamma = whole ? WholeNumbers.RelativeError(Keys.Columns) : 1.01 * (Keys.Columns + 32) / (1 << 24);
            var size = Options.Cosine ? 1 : QueryNorm[query] * _largestKey;
            return (float)(2 * (gamma * size + (size + 2 * _largestBias) * 4 / (1 << 24)));
        }

        /// <summary>What turns a product with a unit key into a score.</summary>
        public float QueryScale(int query)
        {
            var norm = QueryNorm[query];
            return !Options.Cosine ? 1f : norm > 0 && !IsAwkward(norm) ? (float)(1 / norm) : 0f;
        }

        /// <summary>What turns products of a batch of queries into scores; NaN, which is never above a line, where they say nothing.</summary>
        public (float[]? Key, float[] Query) Scales(bool whole, int q0, int count)
        {
            var query = new float[count];
            for (var i = 0; i < count; i++)
            {
                var norm = QueryNorm[q0 + i];
                query[i] = !whole ? QueryScale(q0 + i) : IsAwkward(norm) ? float.NaN : (float)((Options.Cosine && norm > 0 ? 1 : norm) / WholeNumbers.Norm);
            }

            if (!whole) return (KeyScale, query);
            return (Array.ConvertAll(KeyNorm, n => IsAwkward(n) ? float.NaN : (float)((Options.Cosine && n > 0 ? 1 : n) / WholeNumbers.Norm)), query);
        }

        public double Score(int query, int key)
        {
            var dot = Rows.Dot64(Queries.At(query, 0), Queries.Type, Queries.ColumnStep, Keys.At(key, 0), Keys.Type, Keys.ColumnStep, Keys.Columns);
            if (Options.Cosine)
            {
                var norms = QueryNorm[query] * ExactNorm(key);
                dot = norms > 0 ? dot / norms : norms == 0 ? 0 : double.NaN;
            }

            return Options.KeyBias is null ? dot : dot + Options.KeyBias[key];
        }

        // what a stream measured is float32 sums: good for candidates, not for the decision
        private double ExactNorm(int key) => Measured
            ? KeyNorm[key]
            : Math.Sqrt(Rows.Dot64(Keys.At(key, 0), Keys.Type, Keys.ColumnStep, Keys.At(key, 0), Keys.Type, Keys.ColumnStep, Keys.Columns));
    }
}
