namespace FeatureFlow.Tensors.Tests;

/// <summary>Operations of transformers against plain float64 loops.</summary>
public class TransformerTests
{
    private static readonly CpuEngine s_engine = CpuEngine.Shared;

    [Theory]
    [InlineData(1, 7)]
    [InlineData(3, 64)]
    [InlineData(130, 517)]
    public void NormsAgreeWithPlainLoops(int rows, int width)
    {
        Tensor x = Make.Matrix(rows, width, 1), gain = Make.Matrix(1, width, 2).Reshape(width), bias = Make.Matrix(1, width, 3).Reshape(width), y = Make.Empty(rows, width);
        double[] a = Reference.Values(x), g = Reference.Values(gain), b = Reference.Values(bias);
        s_engine.RmsNorm(x, gain, 1e-3f, 1, y);
        Near(Enumerable.Range(0, rows).SelectMany(t => Rms(a.AsSpan(t * width, width), g)), y);
        s_engine.LayerNorm(x, gain, bias, 1e-3f, y);
        Near(Enumerable.Range(0, rows).SelectMany(t => Layer(a.AsSpan(t * width, width), g, b)), y);
        s_engine.LayerNorm(x, gain, bias, 1e-3f, x);
        Assert.Equal(y.AsSpan<float>().ToArray(), x.AsSpan<float>().ToArray());

        static double[] Rms(Span<double> x, double[] g)
        {
            var scale = 1 / Math.Sqrt(x.ToArray().Average(v => v * v) + 1e-3f);
            return [.. x.ToArray().Select((v, i) => v * scale * (1 + g[i]))];
        }

        static double[] Layer(Span<double> x, double[] g, double[] b)
        {
            var all = x.ToArray();
            var mean = all.Average();
            var scale = 1 / Math.Sqrt(all.Average(v => (v - mean) * (v - mean)) + 1e-3f);
            return [.. all.Select((v, i) => (v - mean) * scale * g[i] + b[i])];
        }
    }

    [Fact]
    public void ActivationsAgreeWithTheirFormulas()
    {
        // every magnitude, both signs, and a length that leaves a tail
        var values = Enumerable.Range(-400, 803).Select(i => i / 20f).Concat([0f, -0f, 1e-6f, -1e-6f, 90f, -90f, 200f, -200f]).ToArray();
        var x = Tensor.From(values, 1, values.Length);
        var y = Make.Empty(1, values.Length);
        foreach (var (activation, formula) in new (Activation, Func<double, double>)[]
        {
            (Activation.Gelu, v => v * 0.5 * Erfc(-v / Math.Sqrt(2))),
            (Activation.GeluTanh, v => 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v)))),
            (Activation.Silu, v => v / (1 + Math.Exp(-v))),
            (Activation.Relu, v => Math.Max(v, 0)),
        })
        {
            s_engine.Activate(x, activation, y);
            Each(values, y, formula, 1e-6);
            s_engine.GatedProduct(x, x, activation, y);
            Each(values, y, v => formula(v) * v, 1e-5);
        }

        s_engine.SoftCap(x, 30, y);
        Each(values, y, v => 30 * Math.Tanh(v / 30), 3e-6);
        s_engine.Add(x, x, y);
        Each(values, y, v => v + v, 0);

        static void Each(float[] x, Tensor y, Func<double, double> f, double tolerance)
        {
            for (var i = 0; i < x.Length; i++)
            {
                var expected = f(x[i]);
                Assert.True(Math.Abs(expected - y.AsSpan<float>()[i]) <= tolerance * Math.Max(1, Math.Abs(expected)), $"f({x[i]}) = {expected}, not {y.AsSpan<float>()[i]}");
            }
        }
    }

    [Fact]
    public void RotaryTurnsHalvesByHand()
    {
        // two heads of six, the first two pairs of each turned
        var x = Tensor.From([1f, 2f, 3f, 4f, 5f, 6f, 10f, 20f, 30f, 40f, 50f, 60f], 1, 12);
        Tensor cosine = Tensor.From([1f, 1f, 0f, 0.6f], 2, 2), sine = Tensor.From([0f, 0f, 1f, 0.8f], 2, 2);
        s_engine.Rotary(x, 6, [0], cosine, sine);
        Assert.Equal([1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60], x.AsSpan<float>().ToArray());
        s_engine.Rotary(x, 6, [1], cosine, sine);
        Assert.Equal([-3, 2 * 0.6f - 4 * 0.8f, 1, 4 * 0.6f + 2 * 0.8f, 5, 6, -30, 20 * 0.6f - 40 * 0.8f, 10, 40 * 0.6f + 20 * 0.8f, 50, 60], x.AsSpan<float>().ToArray());
        Assert.Throws<FeatureFlowException>(() => s_engine.Rotary(x, 6, [2], cosine, sine));
        Assert.Throws<FeatureFlowException>(() => s_engine.Rotary(x, 5, [1], cosine, sine));
    }

    [Theory]
    [InlineData(4, 4, 16, 0, 0f)]
    [InlineData(4, 2, 20, 0, 0f)]
    [InlineData(6, 1, 8, 9, 2f)]
    [InlineData(8, 4, 64, 300, 0f)]
    [InlineData(5, 5, 32, 0, 0f)]
    [InlineData(8, 2, 48, 270, 2f)]
    public void AttentionAgreesWithPlainLoops(int heads, int keyValueHeads, int head, int window, float cap)
    {
        // rows of very different lengths, one of them continued in the middle, positions beyond a tile of keys
        TokenRun[] runs = [new(0, 5, 2, 0), new(5, 320, 0, 270), new(325, 1, 1, 599)];
        int tokens = 326, rows = 3, positions = 600;
        Tensor q = Make.Matrix(tokens, heads * head, 1), keys = Make.Matrix(rows * positions, keyValueHeads * head, 2), values = Make.Matrix(rows * positions, keyValueHeads * head, 3), o = Make.Empty(tokens, heads * head);
        var options = new AttentionOptions(head, 0.7f, window, cap);
        Run(s_engine, q, runs, o);
        Near(Plain(), o, 3e-6);

        // the same tokens one by one, by another number of threads: the same bits
        using var engine = new CpuEngine(3);
        var single = Make.Empty(1, heads * head);
        foreach (var t in new[] { 0, 4, 5, 100, 324, 325 })
        {
            var run = runs.Single(r => t >= r.Token && t < r.Token + r.Count);
            Run(engine, q.Rows(t, 1), [new TokenRun(0, 1, run.Row, run.Position + t - run.Token)], single);
            Assert.Equal(o.Rows(t, 1).AsSpan<float>().ToArray(), single.AsSpan<float>().ToArray());
        }

        // single tokens of many rows together, as in decoding: the same bits
        int[] some = [0, 1, 4, 5, 17, 100, 203, 324, 325];
        Tensor together = Make.Empty(some.Length, heads * head), queries_RN = Make.Empty(some.Length, heads * head);
        engine.GatherRows(q, some, queries_RN);
        Run(engine, queries_RN, [.. some.Select((t, i) => runs.Where(r => t >= r.Token && t < r.Token + r.Count).Select(r => new TokenRun(i, 1, r.Row, r.Position + t - r.Token)).Single())], together);
        for (var i = 0; i < some.Length; i++) Assert.Equal(o.Rows(some[i], 1).AsSpan<float>().ToArray(), together.Rows(i, 1).AsSpan<float>().ToArray());

        void Run(ITensorEngine with, Tensor queries, TokenRun[] which, Tensor output) =>
            with.Attention(queries, keys.Reshape(rows, positions, keyValueHeads * head), values.Reshape(rows, positions, keyValueHeads * head), which, options, output);

        double[] Plain()
        {
            double[] a = Reference.Values(q), k = Reference.Values(keys), v = Reference.Values(values), result = new double[tokens * heads * head];
            foreach (var run in runs)
            {
                for (var i = 0; i < run.Count; i++)
                {
                    for (var h = 0; h < heads; h++)
                    {
                        int position = run.Position + i, from = window > 0 ? Math.Max(0, position - window + 1) : 0, at = (run.Token + i) * heads * head + h * head;
                        int Place(int p) => (run.Row * positions + p) * keyValueHeads * head + h / (heads / keyValueHeads) * head;
                        var scores = new double[position + 1 - from];
                        for (var p = from; p <= position; p++)
                        {
                            for (var j = 0; j < head; j++) scores[p - from] += a[at + j] * k[Place(p) + j];
                            scores[p - from] *= 0.7f;
                            if (cap > 0) scores[p - from] = cap * Math.Tanh(scores[p - from] / cap);
                        }

                        var most = scores.Max();
                        var total = scores.Sum(s => Math.Exp(s - most));
                        for (var p = from; p <= position; p++)
                        {
                            for (var j = 0; j < head; j++) result[at + j] += Math.Exp(scores[p - from] - most) / total * v[Place(p) + j];
                        }
                    }
                }
            }

            return result;
        }
    }

    [Theory]
    [InlineData(4, 4, 16, 0, 0f)]
    [InlineData(6, 1, 8, 9, 2f)]
    [InlineData(4, 2, 20, 300, 0f)]
    public void BranchesSeeTheTextBeforeThemAndThemselves(int heads, int keyValueHeads, int head, int window, float cap)
    {
        // branches at the first position, in the middle, past a tile of keys and behind the last that the cache holds
        TokenRun[] runs = [new(0, 3, 2, 0), new(3, 150, 0, 270), new(153, 1, 1, 300), new(154, 5, 1, 7)];
        int tokens = 159, rows = 3, positions = 300, wide = keyValueHeads * head;
        Tensor q = Make.Matrix(tokens, heads * head, 1), own = Make.Matrix(tokens, 2 * wide, 4), k = own.Slice(1, 0, wide), v = own.Slice(1, wide, wide);
        Tensor keys = Make.Matrix(rows * positions, wide, 2), values = Make.Matrix(rows * positions, wide, 3), o = Make.Empty(tokens, heads * head), one = Make.Empty(1, heads * head);
        var options = new AttentionOptions(head, 0.7f, window, cap);
        s_engine.BranchAttention(q, k, v, keys.Reshape(rows, positions, wide), values.Reshape(rows, positions, wide), runs, options, o);
        foreach (var run in runs)
        {
            foreach (var t in new[] { run.Token, run.Token + run.Count - 1 })
            {
                // a cache of its own, in which its key stands in line
                Tensor branchKeys = Make.Empty(run.Position + 1, wide), branchValues = Make.Empty(run.Position + 1, wide);
                foreach (var (from, self, to) in new[] { (keys, k, branchKeys), (values, v, branchValues) })
                {
                    s_engine.Copy(from.Rows(run.Row * positions, run.Position), to.Rows(0, run.Position));
                    s_engine.Copy(self.Rows(t, 1), to.Rows(run.Position, 1));
                }

                s_engine.Attention(q.Rows(t, 1), branchKeys.Reshape(1, run.Position + 1, wide), branchValues.Reshape(1, run.Position + 1, wide), [new TokenRun(0, 1, 0, run.Position)], options, one);
                Near(Reference.Values(one), o.Rows(t, 1), 1e-6);
            }
        }

        // alone, by another number of threads: the same bits
        using var engine = new CpuEngine(3);
        engine.BranchAttention(q.Rows(77, 1), k.Rows(77, 1), v.Rows(77, 1), keys.Reshape(rows, positions, wide), values.Reshape(rows, positions, wide), [new TokenRun(0, 1, 0, 270)], options, one);
        Assert.Equal(o.Rows(77, 1).AsSpan<float>().ToArray(), one.AsSpan<float>().ToArray());
        Assert.Throws<FeatureFlowException>(() => s_engine.BranchAttention(q, k, v, keys.Reshape(rows, positions, wide), values.Reshape(rows, positions, wide), [new TokenRun(0, 1, 0, 301)], options, o));
    }

    [Fact]
    public void AttentionRefusesRunsOutsideOfTheCache()
    {
        Tensor q = Make.Matrix(2, 8, 1), keys = Make.Matrix(3, 8, 2).Reshape(1, 3, 8);
        Assert.Contains("outside", Assert.Throws<FeatureFlowException>(() => s_engine.Attention(q, keys, keys, [new TokenRun(0, 2, 0, 2)], new AttentionOptions(4, 1), Make.Empty(2, 8))).Message, StringComparison.Ordinal);
        Assert.Throws<FeatureFlowException>(() => s_engine.Attention(q, keys, keys, [new TokenRun(0, 2, 1, 0)], new AttentionOptions(4, 1), Make.Empty(2, 8)));
        Assert.Throws<FeatureFlowException>(() => s_engine.Attention(q, keys, keys, [new TokenRun(0, 2, 0, 0)], new AttentionOptions(3, 1), Make.Empty(2, 8)));
    }

    [Fact]
    public void RowsAreGatheredScaledAddedAndScattered()
    {
        var table = Tensor.From([1f, 2f, 3f, 4f, 5f, 6f], 3, 2);
        var x = Make.Empty(2, 2);
        s_engine.GatherRows(table, [2, 0], x, 10);
        Assert.Equal([50, 60, 10, 20], x.AsSpan<float>().ToArray());
        s_engine.GatherRows(table, [1, 1], x, accumulate: true);
        Assert.Equal([53, 64, 13, 24], x.AsSpan<float>().ToArray());
        s_engine.ScatterRows(x, [0, 2], table);
        Assert.Equal([53, 64, 3, 4, 13, 24], table.AsSpan<float>().ToArray());
        Assert.Throws<FeatureFlowException>(() => s_engine.ScatterRows(x, [0, 3], table));
    }

    [Fact]
    public void ColumnsAreGatheredAsRowsFromAnyType()
    {
        foreach (var type in new[] { DType.F32, DType.BF16, DType.F16 })
        {
            var (stored, back) = (Tensor.Allocate(type, 37, 50), Make.Empty(37, 50));
            s_engine.Copy(Make.Matrix(37, 50, 1), stored);
            s_engine.Copy(stored, back);
            int[] columns = [49, 3, 3, 0, 17];
            var gathered = Make.Empty(5, 37);
            s_engine.GatherRows(stored.Transpose(), columns, gathered);
            for (var i = 0; i < columns.Length; i++)
            {
                for (var r = 0; r < 37; r++) Assert.Equal(back.AsSpan<float>()[(r * 50) + columns[i]], gathered.AsSpan<float>()[(i * 37) + r]);
            }

            Assert.Throws<FeatureFlowException>(() => s_engine.GatherRows(stored.Transpose(), [0, 50], Make.Empty(2, 37)));
        }
    }

    [Fact]
    public void CrossEntropyByHand()
    {
        var loss = Tensor.Allocate(DType.F32, 3);
        s_engine.CrossEntropy(Tensor.From([0f, 0f, 0f, 1000f, -1000f, 0f, 1f, 2f, 3f], 3, 3), [1, 0, -1], loss);
        Assert.Equal(MathF.Log(3), loss.AsSpan<float>()[0], 1e-6f);
        Assert.Equal([0f, 0f], loss.AsSpan<float>()[1..].ToArray());
        s_engine.CrossEntropy(Tensor.From([0f, 0f, 0f, 1000f, -1000f, 0f, 1f, 2f, 3f], 3, 3), [1, 1, 2], loss);
        Assert.Equal(2000f, loss.AsSpan<float>()[1]);
        Assert.Equal(0.40760595f, loss.AsSpan<float>()[2], 1e-6f);
    }

    [Fact]
    public void DivergenceByHand()
    {
        var divergence = Tensor.Allocate(DType.F32, 1);
        double Of(float[] p, float[] q)
        {
            s_engine.Divergence(Tensor.From(p, 1, p.Length), Tensor.From(q, 1, q.Length), divergence);
            return divergence.AsSpan<float>()[0];
        }

        // 1/4, 3/4 against halves
        Assert.Equal(0.25 * Math.Log(0.5) + 0.75 * Math.Log(1.5), Of([0, MathF.Log(3)], [7, 7]), 6);

        // long rows, not a multiple of anything, far from 0; of equal ones exactly 0
        var random = new Prng(3);
        float[] a = [.. Enumerable.Range(0, 9001).Select(_ => (float)(5 * random.NextGaussian()) - 300)], b = [.. a.Select(x => x + (float)random.NextGaussian())];
        double la = Math.Log(a.Sum(x => Math.Exp(x + 300))) - 300, lb = Math.Log(b.Sum(x => Math.Exp(x + 300))) - 300;
        Assert.Equal(a.Zip(b).Sum(p => Math.Exp(p.First - la) * (p.First - la - p.Second + lb)), Of(a, b), 4);
        Assert.Equal(0, Of(a, a));
    }

    [Fact]
    public void LargestIsTheFirstOfEqualOnesAndNeverNaN()
    {
        var ids = new int[1];
        foreach (var n in new[] { 1, 15, 16, 40, 100 })
        {
            for (var at = 0; at < n; at += 7)
            {
                var row = new float[n];
                row.AsSpan().Fill(float.NegativeInfinity);
                if (at > 0) row[0] = float.NaN;
                row[at] = row[^1] = -3;
                s_engine.SampleRows(Tensor.From(row, 1, n), [new SamplingRow(0.5, 0)], ids);
                Assert.Equal(at, ids[0]);
            }
        }
    }

    [Fact]
    public void SamplesFollowTheDistributionAndItsCuts()
    {
        // probabilities 0.1, 0.4, 0.2, 0.3 by token
        var logits = Tensor.From([MathF.Log(1), MathF.Log(4), MathF.Log(2), MathF.Log(3)], 1, 4);
        Assert.Equal([0, 1, 1, 2, 3], Draw(new SamplingRow(0.05), new(0.11), new(0.49), new(0.6), new(0.99)));
        Assert.Equal([1, 1], Draw(new SamplingRow(0.99, 0), new(0.99, 1, 1)));

        // cuts keep the best, in order of probability: 0.4, 0.3, 0.2
        Assert.Equal([1, 3], Draw(new SamplingRow(0.5, TopK: 2), new(0.6, TopK: 2)));
        Assert.Equal([1, 3, 3], Draw(new SamplingRow(0.5, TopP: 0.69f), new(0.6, TopP: 0.69f), new(0.99, TopP: 0.69f)));
        Assert.Equal([1, 1], Draw(new SamplingRow(0.99, TopP: 0.39f), new(0.99, TopP: 0f)));
        Assert.Equal([1, 3, 2], Draw(new SamplingRow(0.4, TopK: 3), new(0.5, TopK: 3), new(0.99, TopK: 3)));

        // temperature 0.5 squares the odds: 1, 16, 4, 9 of 30
        Assert.Equal([0, 1, 1, 2, 3], Draw(new SamplingRow(0.03, 0.5f), new(0.04, 0.5f), new(0.56, 0.5f), new(0.58, 0.5f), new(0.71, 0.5f)));

        int[] Draw(params SamplingRow[] rows)
        {
            var ids = new int[1];
            return [.. rows.Select(r =>
            {
                s_engine.SampleRows(logits, [r], ids);
                return ids[0];
            })];
        }
    }

    [Fact]
    public void SamplesOfALargeVocabularyHaveItsFrequencies()
    {
        const int n = 50_001, draws = 500;
        var logits = Make.Matrix(1, n, 5);
        foreach (ref var v in logits.AsSpan<float>()) v *= 6;
        var values = Reference.Values(logits);
        var total = values.Sum(Math.Exp);
        var best = Enumerable.Range(0, n).OrderByDescending(i => values[i]).Take(1000).ToHashSet();
        var share = best.Sum(i => Math.Exp(values[i])) / total;
        var ids = new int[1];
        int hits = 0, kept = 0;
        for (var i = 0; i < draws; i++)
        {
            s_engine.SampleRows(logits, [new SamplingRow((i + 0.5) / draws)], ids);
            hits += best.Contains(ids[0]) ? 1 : 0;
            s_engine.SampleRows(logits, [new SamplingRow((i + 0.5) / draws, TopP: (float)share)], ids);
            kept += best.Contains(ids[0]) ? 1 : 0;
        }

        Assert.Equal(share, (double)hits / draws, 0.03);
        Assert.True(kept >= draws - 1); // rounding may let one more token in
    }

    // continued fraction and series, float64
    private static double Erfc(double x)
    {
        if (Math.Abs(x) < 2.5)
        {
            double term = x, sum = x;
            for (var n = 1; n < 80; n++)
            {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }

            return 1 - 2 / Math.Sqrt(Math.PI) * sum;
        }

        var z = Math.Abs(x);
        var fraction = z;
        for (var n = 60; n > 0; n--) fraction = z + n / 2.0 / fraction;
        var tail = Math.Exp(-z * z) / Math.Sqrt(Math.PI) / fraction;
        return x > 0 ? tail : 2 - tail;
    }

    private static void Near(IEnumerable<double> expected, Tensor actual, double tolerance = 1e-6)
    {
        var values = expected.ToArray();
        var most = values.Max(Math.Abs);
        var found = actual.AsSpan<float>();
        Assert.Equal(values.Length, found.Length);
        for (var i = 0; i < values.Length; i++) Assert.True(Math.Abs(values[i] - found[i]) <= tolerance * most, $"[{i}] is {found[i]}, not {values[i]}");
    }
}
