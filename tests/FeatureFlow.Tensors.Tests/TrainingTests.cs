namespace FeatureFlow.Tensors.Tests;

/// <summary>The operations of SAE training against plain loops in float64.</summary>
public sealed class TrainingTests
{
    private const double Tolerance = 2e-5;

    private static readonly CpuEngine s_engine = CpuEngine.Shared;

    [Theory]
    [InlineData(7, 5, 3)]
    [InlineData(65, 131, 70)]
    [InlineData(200, 64, 16)]
    public void Jump_relu_backward_is_the_straight_through_estimator(int tokens, int features, int d)
    {
        const float Bandwidth = 0.4f, Penalty = 0.7f;
        Tensor pre = Make.Matrix(tokens, features, 1), g = Make.Matrix(tokens, d, 2), w = Make.Matrix(features, d, 3);
        var threshold = Make.Matrix(1, features, 4).Reshape(features);
        var into = Gradient(tokens, features, threshold: true);
        s_engine.JumpReluBackward(pre, threshold, g, w, Bandwidth, Penalty, into);

        double[] x = Reference.Values(pre), theta = Reference.Values(threshold), dz = Reference.MatMul(g, w.Transpose());
        double[] dPre = new double[tokens * features], bias = new double[features], active = new double[features], dTheta = new double[features];
        for (var t = 0; t < tokens; t++)
        {
            for (var f = 0; f < features; f++)
            {
                var i = t * features + f;
                if (x[i] > theta[f] && x[i] > 0)
                {
                    dPre[i] = dz[i];
                    bias[f] += dz[i];
                    active[f]++;
                }

                if (Math.Abs(x[i] - theta[f]) < Bandwidth / 2) dTheta[f] -= (theta[f] * dz[i] + Penalty) / Bandwidth;
            }
        }

        Close(dPre, into.Pre_TF);
        Close(bias, into.Bias_F);
        Close(dTheta, into.Threshold_F!);
        Assert.Equal(active, Reference.Values(into.Active_F));
        Assert.True(active.Sum() > 0);

        // in place of the pre-activations
        var place = into with { Pre_TF = pre };
        s_engine.JumpReluBackward(pre, threshold, g, w, Bandwidth, Penalty, place);
        Close(dPre, pre);
        Close(dTheta, place.Threshold_F!);
    }

    [Fact]
    public void Activation_backward_is_masked_by_z()
    {
        Tensor pre = Make.Matrix(50, 90, 1), z = Make.Empty(50, 90), g = Make.Matrix(50, 33, 2), w = Make.Matrix(90, 33, 3);
        s_engine.TopKActivation(pre, 7, z);
        var into = Gradient(50, 90, threshold: false);
        s_engine.ActivationBackward(z, g, w, into);
        double[] dz = Reference.MatMul(g, w.Transpose()), kept = Reference.Values(z);
        Close([.. dz.Select((v, i) => kept[i] != 0 ? v : 0)], into.Pre_TF);
        Close([.. Enumerable.Range(0, 90).Select(f => Enumerable.Range(0, 50).Sum(t => kept[t * 90 + f] != 0 ? dz[t * 90 + f] : 0))], into.Bias_F);
        Assert.Equal(350, Reference.Values(into.Active_F).Sum());
    }

    [Fact]
    public void Batch_top_k_keeps_the_largest_of_all()
    {
        var pre = Make.Matrix(130, 77, 1);
        var z = Make.Empty(130, 77);
        var values = Reference.Values(pre);
        foreach (var count in new[] { 1, 2, 500, 3000, 130 * 77 })
        {
            var line = s_engine.BatchTopKActivation(pre, count, z);
            var positive = values.Where(v => v > 0).OrderDescending().ToArray();
            var least = count <= positive.Length ? positive[count - 1] : 0;
            Assert.Equal((float)least, line);
            Assert.Equal(values.Select(v => v >= least && v > 0 ? v : 0), Reference.Values(z));
        }
    }

    [Fact]
    public void Batch_top_k_gives_equal_values_to_the_first_rows()
    {
        var pre = Tensor.From([3f, 1f, 1f, -1f, 1f, 2f, 1f, 0f, 1f], 3, 3);
        var z = Make.Empty(3, 3);
        Assert.Equal(1, s_engine.BatchTopKActivation(pre, 4, z));
        Assert.Equal([3, 1, 1, 0, 0, 2, 0, 0, 0], z.AsSpan<float>().ToArray());
        Assert.Equal(1, s_engine.BatchTopKActivation(pre, 7, pre));
        Assert.Equal([3, 1, 1, 0, 1, 2, 1, 0, 1], pre.AsSpan<float>().ToArray());
    }

    [Fact]
    public void Sums_and_counts_of_columns()
    {
        var z = Make.Empty(300, 150);
        s_engine.TopKActivation(Make.Matrix(300, 150, 9), 5, z);
        Tensor sum = Tensor.Allocate(DType.F32, 150), count = Tensor.Allocate(DType.F32, 150);
        s_engine.ColumnSums(z, sum);
        s_engine.CountNonZeros(z, count);
        var values = Reference.Values(z);
        for (var f = 0; f < 150; f++)
        {
            var column = Enumerable.Range(0, 300).Select(t => values[t * 150 + f]).ToArray();
            Assert.Equal(column.Sum(), sum.AsSpan<float>()[f], 1e-4);
            Assert.Equal(column.Count(v => v != 0), count.AsSpan<float>()[f]);
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(0.9f)]
    public void Adam_by_hand(float beta1)
    {
        const int N = 70_003;
        const float Rate = 0.01f, Beta2 = 0.99f, Epsilon = 1e-6f;
        Tensor p = Make.Matrix(1, N, 1).Reshape(N), m = Tensor.Allocate(DType.F32, N), v = Tensor.Allocate(DType.F32, N);
        double[] wantP = Reference.Values(p), wantM = new double[N], wantV = new double[N];
        for (var step = 1; step <= 3; step++)
        {
            var g = Make.Matrix(1, N, 10 + step).Reshape(N);
            s_engine.AdamStep(p, g, beta1 == 0 ? null : m, v, new AdamOptions(Rate, beta1, Beta2, Epsilon, step));
            var gradient = Reference.Values(g);
            for (var i = 0; i < N; i++)
            {
                wantM[i] = beta1 * wantM[i] + (1 - beta1) * gradient[i];
                wantV[i] = Beta2 * wantV[i] + (1 - Beta2) * gradient[i] * gradient[i];
                wantP[i] -= Rate * (wantM[i] / (1 - Math.Pow(beta1, step))) / (Math.Sqrt(wantV[i] / (1 - Math.Pow(Beta2, step))) + Epsilon);
            }

            Close(wantP, p);
            Close(wantV, v);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Sparse_adam_is_adam_of_the_product(bool unitRows)
    {
        const int T = 90, F = 70, D = 37;
        var options = new AdamOptions(0.02f, 0, 0.99f, 1e-6f, 2);
        Tensor z = Make.Empty(T, F), x = Make.Matrix(T, D, 2), p = Make.Matrix(F, D, 3), v = Make.Matrix(F, D, 4);
        s_engine.TopKActivation(Make.Matrix(T, F, 1), 4, z);
        foreach (ref var value in v.AsSpan<float>()) value *= value;
        double[] kept = Reference.Values(z), wantP = Reference.Values(p), wantV = Reference.Values(v), g = Reference.MatMul(z.Transpose(), x);
        if (unitRows)
        {
            for (var f = 0; f < F; f++) Normalise(wantP.AsSpan(f * D, D));
            wantP.Select(n => (float)n).ToArray().CopyTo(p.AsSpan<float>());
        }

        for (var f = 0; f < F; f++)
        {
            var row = wantP.AsSpan(f * D, D);
            double along = 0;
            for (var i = 0; i < D && unitRows; i++) along += row[i] * g[f * D + i];
            for (var i = 0; i < D; i++)
            {
                var slope = g[f * D + i] - along * row[i];
                wantV[f * D + i] = 0.99 * wantV[f * D + i] + 0.01 * slope * slope;
                g[f * D + i] = 0.02 * slope / (Math.Sqrt(wantV[f * D + i] / (1 - Math.Pow(0.99, 2))) + 1e-6);
            }

            for (var i = 0; i < D; i++) row[i] -= g[f * D + i];
            if (unitRows) Normalise(row);
        }

        s_engine.AdamStepSparse(z, x, p, v, options, unitRows);
        Close(wantP, p);
        Close(wantV, v);
        Assert.Contains(Enumerable.Range(0, F), f => Enumerable.Range(0, T).Any(t => kept[t * F + f] != 0));
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        (float[] Pre, float[] Bias, float[] Theta, float[] W, float Line) Run(int threads)
        {
            using var engine = new CpuEngine(threads);
            Tensor pre = Make.Matrix(500, 333, 1), g = Make.Matrix(500, 48, 2), w = Make.Matrix(333, 48, 3), v = Make.Empty(333, 48), z = Make.Empty(500, 333);
            var line = engine.BatchTopKActivation(pre, 4000, z);
            var into = Gradient(500, 333, threshold: true);
            engine.JumpReluBackward(pre, Make.Matrix(1, 333, 4).Reshape(333), g, w, 0.3f, 1, into);
            engine.AdamStepSparse(into.Pre_TF, g, w, v, new AdamOptions(0.1f, 0, 0.999f, 1e-8f, 1), unitRows: true);
            return (into.Pre_TF.AsSpan<float>().ToArray(), into.Bias_F.AsSpan<float>().ToArray(), into.Threshold_F!.AsSpan<float>().ToArray(), w.AsSpan<float>().ToArray(), line);
        }

        var one = Run(1);
        foreach (var threads in new[] { 2, 3, 5 })
        {
            var many = Run(threads);
            Assert.Equal(one.Pre, many.Pre);
            Assert.Equal(one.Bias, many.Bias);
            Assert.Equal(one.Theta, many.Theta);
            Assert.Equal(one.W, many.W);
            Assert.Equal(one.Line, many.Line);
        }
    }

    [Fact]
    public void Wrong_shapes_are_refused()
    {
        Tensor z = Make.Empty(4, 6), g = Make.Empty(4, 3), w = Make.Empty(6, 3);
        Assert.Equal("FF1002", Assert.Throws<FeatureFlowException>(() => s_engine.ActivationBackward(z, g, Make.Empty(5, 3), Gradient(4, 6, false))).Code);
        Assert.Equal("FF1002", Assert.Throws<FeatureFlowException>(() => s_engine.JumpReluBackward(z, Tensor.Allocate(DType.F32, 6), g, w, 0.1f, 1, Gradient(4, 6, false))).Code);
        Assert.Equal("FF1002", Assert.Throws<FeatureFlowException>(() => s_engine.AdamStep(z, z, null, z, new AdamOptions(1, 0.9f, 0.99f, 1e-8f, 1))).Code);
        Assert.Equal("FF1002", Assert.Throws<FeatureFlowException>(() => s_engine.AdamStepSparse(z, g, w, g, new AdamOptions(1, 0, 0.99f, 1e-8f, 1))).Code);
        Assert.Equal("FF1002", Assert.Throws<FeatureFlowException>(() => s_engine.BatchTopKActivation(z, 0, z)).Code);
    }

    private static ActivationGradient Gradient(int tokens, int features, bool threshold) =>
        new(Make.Empty(tokens, features), Tensor.Allocate(DType.F32, features), Tensor.Allocate(DType.F32, features), threshold ? Tensor.Allocate(DType.F32, features) : null);

    private static void Normalise(Span<double> row)
    {
        double squares = 0;
        foreach (var v in row) squares += v * v;
        foreach (ref var v in row) v /= Math.Sqrt(squares);
    }

    private static void Close(double[] wanted, Tensor actual)
    {
        var values = Reference.Values(actual);
        Assert.Equal(wanted.Length, values.Length);
        var scale = wanted.Max(Math.Abs);
        for (var i = 0; i < wanted.Length; i++) Assert.True(Math.Abs(wanted[i] - values[i]) <= Tolerance * scale, $"[{i}]: {values[i]} where {wanted[i]} is expected");
    }
}
