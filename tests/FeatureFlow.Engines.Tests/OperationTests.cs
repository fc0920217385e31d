using FeatureFlow.Tensors;
using static FeatureFlow.Engines.Tests.Compare;

namespace FeatureFlow.Engines.Tests;

/// <summary>Operation by operation: every engine computes what the built-in one computes.</summary>
public sealed class OperationTests
{
    [Theory, OnCpu, OnTorch]
    public void CopiesConvertEveryTypeBothWays(string name)
    {
        var engine = Engines.Get(name);
        foreach (var type in Enum.GetValues<DType>())
        {
            using var source = Tensor.From([0f, 1f, 2f, 3f, 100f, 7f], 2, 3);
            using var there = engine.Allocate(type, 2, 3);
            Assert.Equal(new float[6], Read(engine, there));
            engine.Copy(source, there);
            Assert.Equal([0, 1, 2, 3, 100, 7], Read(engine, there));
            using var second = engine.Allocate(DType.F32, 3, 2);
            engine.Copy(there.Transpose(), second);
            Assert.Equal([0, 3, 1, 100, 2, 7], Read(engine, second));
            engine.Copy(Tensor.From([5f, 6f], 2, 1), there.Slice(1, 1, 1));
            Assert.Equal([0, 5, 2, 3, 6, 7], Read(engine, there));
            using var strided = Tensor.Allocate(DType.F32, 3, 2);
            engine.Copy(there, strided.Transpose());
            Assert.Equal([0, 3, 5, 6, 2, 7], strided.AsSpan<float>().ToArray());
        }
    }

    [Theory]
    [OnCpu(3, 5, 7), OnCpu(130, 257, 65), OnTorch(3, 5, 7), OnTorch(1, 300, 1000), OnTorch(130, 257, 65)]
    public void ProductsInEveryLayoutAndType(string name, int m, int k, int n)
    {
        foreach (var type in new[] { DType.F32, DType.BF16, DType.F16 })
        {
            Tensor a = Matrix(1, m, k), b = Matrix(2, type, k, n), bt = Matrix(3, type, n, k), c = Matrix(4, m, n), scale = Matrix(5, n), bias = Matrix(6, type, n);
            Same(name, 3e-6, (e, t) => e.MatMul(t[0], t[1], t[2]), a, b, c);
            Same(name, 3e-6, (e, t) => e.MatMul(t[0], t[1].Transpose(), t[2], new MatMulEpilogue(t[3], t[4])), a, bt, c, scale, bias);
            Same(name, 3e-6, (e, t) => e.MatMul(t[0], t[1], t[2], new MatMulEpilogue(null, t[3], Accumulate: true)), a, b, c, bias);
            Same(name, 3e-6, (e, t) => e.MatMulSparse(t[0], t[1], t[2], new MatMulEpilogue(t[3], t[4])), Sparse(7, m, k, 0.1), b, c, scale, bias);
            Same(name, 3e-6, (e, t) => e.MatMul(t[0].Slice(1, 1, k - 2), t[1].Rows(1, k - 2), t[2]), a, b, c);
        }
    }

    [Theory, OnCpu, OnTorch]
    public void ProductsRefuseWhatDoesNotFit(string name)
    {
        var engine = Engines.Get(name);
        Tensor a = Matrix(1, 3, 4), b = Matrix(2, 5, 6), c = Matrix(3, 3, 6), v = Matrix(4, 6);
        foreach (var wrong in new Action[]
        {
            () => engine.MatMul(a, b, c),
            () => engine.MatMul(a, b.Rows(0, 4), Matrix(5, 3, 7)),
            () => engine.MatMul(a, b.Rows(0, 4), c.Transpose()),
            () => engine.MatMul(v, b, c),
            () => engine.MatMul(a, b.Rows(0, 4), c, new MatMulEpilogue(v, null, Accumulate: true)),
            () => engine.AddRow(c, Matrix(1, 5), 1, c),
            () => engine.TopKInnerProduct(a, b, 1),
            () => engine.TopKInnerProduct(a, a, 0),
            () => engine.GatherRows(a, [3], Matrix(1, 1, 4)),
            () => engine.ScatterRows(Matrix(1, 1, 4), [-1], a),
            () => engine.JumpRelu(a, v, a),
            () => engine.CrossEntropy(a, [0, 4, 1], Matrix(1, 3)),
            () => engine.Rotary(a, 3, [0, 0, 0], a, a),
        })
        {
            Assert.StartsWith("FF10", Assert.Throws<FeatureFlowException>(wrong).Code, StringComparison.Ordinal);
        }
    }

    [Theory, OnCpu, OnTorch]
    public void RowsAreGatheredAndScattered(string name)
    {
        foreach (var type in new[] { DType.F32, DType.BF16, DType.F16 })
        {
            Tensor table = Matrix(1, type, 50, 33), y = Matrix(2, 4, 33);
            Same(name, 1e-6, (e, t) => e.GatherRows(t[0], [49, 0, 7, 7], t[1], 1.5f), table, y);
            Same(name, 1e-6, (e, t) => e.GatherRows(t[0], [49, 0, 7, 7], t[1], -2, accumulate: true), table, y);
        }

        Same(name, 0, (e, t) => e.ScatterRows(t[0], [5, 2, 9, 2], t[1]), Matrix(1, 4, 33), Matrix(2, 10, 33));
        Same(name, 0, (e, t) => e.ScatterRows(t[0], [3, 4, 5, 6], t[1]), Matrix(1, 4, 33), Matrix(2, 10, 33));
    }

    [Theory]
    [OnCpu(3, 5), OnCpu(65, 300), OnTorch(1, 1), OnTorch(3, 5), OnTorch(65, 300)]
    public void ElementByElement(string name, int rows, int width)
    {
        Tensor x = Matrix(1, rows, width), y = Matrix(2, rows, width), z = Matrix(3, rows, width), row = Matrix(4, DType.BF16, width), column = Matrix(5, rows);
        Same(name, 1e-6, (e, t) => e.Add(t[0], t[1], t[2]), x, y, z);
        Same(name, 1e-6, (e, t) => e.Add(t[0], t[1], t[0]), x, y);
        Same(name, 1e-6, (e, t) => e.AddRow(t[0], t[1], -0.5f, t[2]), x, row, z);
        Same(name, 1e-6, (e, t) => e.AddRow(t[0], t[1], 2, t[0]), x, row);
        Same(name, 1e-6, (e, t) => e.ScaleColumns(t[0], t[1], t[2]), x, row, z);
        Same(name, 1e-6, (e, t) => e.ScaleRows(t[0], t[1], t[2]), x, column, z);
        Same(name, 1e-6, (e, t) => e.SoftCap(t[0], 0.7f, t[1]), x, z);
        Same(name, 0, (e, t) => e.Relu(t[0], t[1]), x, z);
        Same(name, 0, (e, t) => e.JumpRelu(t[0], t[1], t[2]), x, row, z);
        Same(name, 0, (e, t) => e.GatedActivation(t[0], t[1], t[2]), x, y, z);
        foreach (var activation in Enum.GetValues<Activation>())
        {
            Same(name, 2e-6, (e, t) => e.Activate(t[0], activation, t[1]), x, z);
            Same(name, 2e-6, (e, t) => e.GatedProduct(t[0], t[1], activation, t[0]), x, y);
            Same(name, 2e-6, (e, t) => e.GatedProduct(t[0], t[1], activation, t[1]), x, y);
        }

        if (width > 1) Same(name, 3e-6, (e, t) => e.StandardizeRows(t[0], 1e-3f, t[1], t[2], t[3]), x, column, column, z);
        Same(name, 3e-6, (e, t) => e.RmsNorm(t[0], t[1], 1e-3f, 1, t[2]), x, row, z);
        Same(name, 3e-6, (e, t) => e.LayerNorm(t[0], t[1], t[2], 1e-3f, t[0]), x, row, Matrix(9, width));
        Same(name, 1e-6, (e, t) => e.RowNorms(t[0], t[1]), x, column);
        Same(name, 1e-6, (e, t) => e.ColumnSums(t[0], t[1]), x, Matrix(6, width));
        Same(name, 0, (e, t) => e.CountNonZeros(t[0], t[1]), Sparse(7, rows, width, 0.3), Matrix(6, width));
    }

    [Theory, OnCpu, OnTorch]
    public void WinnersAreTheSameAmongEquals(string name)
    {
        // numbers of a few values only: most places are contested
        var x = Tensor.Allocate(DType.F32, 40, 60);
        var random = new Random(3);
        foreach (ref var v in x.AsSpan<float>()) v = random.Next(-3, 6);
        x.AsSpan<float>()[7] = float.NaN;
        x.AsSpan<float>()[70] = float.PositiveInfinity;
        var z = Matrix(1, 40, 60);
        foreach (var k in new[] { 1, 2, 17, 60, 100 }) Same(name, 0, (e, t) => e.TopKActivation(t[0], k, t[1]), x, z);
        foreach (var groups in new[] { 1, 4, 60 }) Same(name, 0, (e, t) => e.GroupMaxActivation(t[0], groups, t[1]), x, z);
        x.AsSpan<float>()[7] = 0;
        x.AsSpan<float>()[70] = 0;
        foreach (var count in new long[] { 1, 10, 333, 1000, 2000, 5000 })
        {
            Same(name, 0, (e, t) => Assert.Equal(CpuEngine.Shared.BatchTopKActivation(x, count, Matrix(2, 40, 60)), e.BatchTopKActivation(t[0], count, t[1])), x, z);
        }
    }

    [Theory]
    [OnCpu(4, 4, 16, 0, 0f), OnCpu(6, 1, 8, 9, 2f), OnTorch(4, 4, 16, 0, 0f), OnTorch(4, 2, 20, 0, 0f), OnTorch(6, 1, 8, 9, 2f), OnTorch(8, 4, 64, 100, 0f)]
    public void Attention(string name, int heads, int keyValueHeads, int head, int window, float cap)
    {
        TokenRun[] runs = [new(0, 5, 2, 0), new(5, 130, 0, 70), new(135, 1, 1, 199), new(136, 1, 2, 5), new(137, 1, 0, 3)];
        Tensor q = Matrix(1, 138, heads * head), keys = Matrix(2, 3, 200, keyValueHeads * head), values = Matrix(3, 3, 200, keyValueHeads * head), o = Matrix(4, 138, heads * head);
        Same(name, 3e-6, (e, t) => e.Attention(t[0], t[1], t[2], runs, new AttentionOptions(head, 0.7f, window, cap), t[3]), q, keys, values, o);
        Assert.Throws<FeatureFlowException>(() => Engines.Get(name).Attention(q, keys, values, [new TokenRun(0, 2, 0, 199)], new AttentionOptions(head, 1), o));
    }

    [Theory]
    [OnCpu(4, 2, 16, 0, 0f), OnTorch(4, 2, 16, 0, 0f), OnTorch(6, 1, 8, 9, 2f)]
    public void BranchAttention(string name, int heads, int keyValueHeads, int head, int window, float cap)
    {
        TokenRun[] runs = [new(0, 3, 2, 0), new(3, 70, 0, 90), new(73, 1, 1, 100)];
        int wide = keyValueHeads * head;
        Tensor q = Matrix(1, 74, heads * head), k = Matrix(5, 74, wide), v = Matrix(6, 74, wide), keys = Matrix(2, 3, 100, wide), values = Matrix(3, 3, 100, wide), o = Matrix(4, 74, heads * head);
        Same(name, 3e-6, (e, t) => e.BranchAttention(t[0], t[1], t[2], t[3], t[4], runs, new AttentionOptions(head, 0.7f, window, cap), t[5]), q, k, v, keys, values, o);
    }

    [Theory, OnCpu, OnTorch]
    public void RotaryTurnsHeadsInPlace(string name)
    {
        Tensor x = Matrix(1, 7, 36), cosine = Matrix(2, 20, 4), sine = Matrix(3, 20, 4);
        Same(name, 1e-6, (e, t) => e.Rotary(t[0], 12, [0, 19, 3, 3, 4, 5, 6], t[1], t[2]), x, cosine, sine);
    }

    [Theory, OnCpu, OnTorch]
    public void LossesAndDraws(string name)
    {
        var logits = Matrix(1, 24, 500);
        foreach (ref var v in logits.AsSpan<float>()) v *= 5;
        var ids = Enumerable.Range(0, 24).Select(i => i % 5 == 4 ? -1 : i * 20).ToArray();
        Same(name, 1e-6, (e, t) => e.CrossEntropy(t[0], ids, t[1]), logits, Matrix(2, 24));
        Same(name, 2e-6, (e, t) => e.Divergence(t[0], t[1], t[2]), logits, Matrix(7, 24, 500), Matrix(2, 24));
        logits.AsSpan<float>()[..500].Clear(); // all equal: the first wins
        logits.AsSpan<float>()[(4 * 500) + 3] = float.NaN; // a row that takes the largest
        var random = new Random(5);
        for (var round = 0; round < 20; round++)
        {
            var rows = Enumerable.Range(0, 24).Select(i => new SamplingRow(random.NextDouble(), (i % 4) * 0.5f, i % 3 == 0 ? random.Next(1, 40) : 0, i % 2 == 0 ? (float)random.NextDouble() : 1)).ToArray();
            int[] expected = new int[24], actual = new int[24];
            CpuEngine.Shared.SampleRows(logits, rows, expected);
            var engine = Engines.Get(name);
            using var there = To(engine, logits);
            engine.SampleRows(there, rows, actual);
            Assert.Equal(expected, actual);
        }
    }

    [Theory, OnCpu, OnTorch]
    public void FeaturesAreRescaled(string name)
    {
        // read from x before it is written; factors of row 0 are all zero, as for rows that nobody steers
        const int T = 37, D = 75, U = 5;
        Tensor x = Matrix(1, T, D), encoder = Matrix(2, U, D), bias = Matrix(3, U), threshold = Matrix(4, U), decoder = Matrix(5, U, D), factor = Matrix(6, 3, U);
        factor.AsSpan<float>()[..U].Clear();
        var rows = Enumerable.Range(0, T).Select(t => t % 3).ToArray();
        Same(name, 1e-5, (e, t) => e.RescaleFeatures(t[0], new FeatureWeights(t[1], t[2], t[3], t[4]), t[5], rows, t[0]), x, encoder, bias, threshold, decoder, factor);

        // by its definition
        float[] before = x.AsSpan<float>().ToArray(), after = (float[])before.Clone();
        for (var t = 0; t < T; t++)
        {
            for (var u = 0; u < U; u++)
            {
                var pre = Enumerable.Range(0, D).Sum(d => (double)before[(t * D) + d] * encoder.AsSpan<float>()[(u * D) + d]) + bias.AsSpan<float>()[u];
                if (pre <= threshold.AsSpan<float>()[u] || pre <= 0) continue;
                for (var d = 0; d < D; d++) after[(t * D) + d] += (float)(factor.AsSpan<float>()[(rows[t] * U) + u] * pre * decoder.AsSpan<float>()[(u * D) + d]);
            }
        }

        var engine = Engines.Get(name);
        using var there = To(engine, x);
        engine.RescaleFeatures(there, new FeatureWeights(To(engine, encoder), To(engine, bias), To(engine, threshold), To(engine, decoder)), To(engine, factor), rows, there);
        using var back = Tensor.Allocate(DType.F32, T, D);
        engine.Copy(there, back);
        for (var i = 0; i < after.Length; i++) Assert.Equal(after[i], back.AsSpan<float>()[i], 1e-3f);
        Assert.NotEqual(before, after);
    }

    [Theory, OnCpu, OnTorch]
    public void StepsOfTraining(string name)
    {
        const int T = 50, F = 70, D = 24;
        Tensor z = Sparse(1, T, F, 0.1), gradient = Matrix(2, T, D), w = Matrix(3, F, D), dPre = Matrix(4, T, F), bias = Matrix(5, F), active = Matrix(6, F), theta = Sparse(7, 1, F, 0.9).Reshape(F), dTheta = Matrix(8, F);
        Same(name, 3e-6, (e, t) => e.ActivationBackward(t[0], t[1], t[2], new ActivationGradient(t[3], t[4], t[5])), z, gradient, w, dPre, bias, active);
        Same(name, 3e-6, (e, t) => e.JumpReluBackward(t[0], t[1], t[2], t[3], 0.3f, 0.01f, new ActivationGradient(t[4], t[5], t[6], t[7])), Matrix(9, T, F), theta, gradient, w, dPre, bias, active, dTheta);
        Same(name, 3e-6, (e, t) => e.JumpReluBackward(t[0], t[1], t[2], t[3], 0.3f, 0.01f, new ActivationGradient(t[0], t[4], t[5], t[6])), Matrix(9, T, F), theta, gradient, w, bias, active, dTheta);
        var options = new AdamOptions(0.01f, 0.9f, 0.99f, 1e-6f, 3);
        Tensor second = Sparse(10, F, D, 1);
        Same(name, 1e-6, (e, t) => e.AdamStep(t[0], t[1], t[2], t[3], options), w, Matrix(11, F, D), Matrix(12, F, D), second);
        Same(name, 1e-6, (e, t) => e.AdamStep(t[0], t[1], null, t[2], options with { Beta1 = 0 }), w, Matrix(11, F, D), second);
        var few = Sparse(13, T, F, 0.02); // some features are never active
        foreach (var unit in new[] { false, true }) Same(name, 3e-6, (e, t) => e.AdamStepSparse(t[0], t[1], t[2], t[3], options with { Beta1 = 0 }, unit), few, gradient, w, second);
    }
}
