using FeatureFlow.Tensors.Cpu;

namespace FeatureFlow.Tensors.Tests;

/// <summary>What the top-k search does with rows rounded to whole numbers; the machine must have AVX-512 for it, and without it searches in float32, to the same results.</summary>
public unsafe class WholeNumbersTests
{
    [Fact]
    public void ProductsErrNoMoreThanSaid()
    {
        foreach (var d in new[] { 64, 65, 500, 2304 })
        {
            // the worst there is: every number half way between two whole ones; then numbers of very different sizes; then any
            var x = Make.Matrix(6, d, d);
            var values = x.AsSpan<float>();
            for (var j = 0; j < d; j++) values[j] = 1 + (float)(0.5 * Math.Sqrt(d) / WholeNumbers.Norm);
            for (var j = 0; j < d; j++) values[d + j] = values[j] * (j % 2 == 0 ? 1 : -1);
            for (var j = 0; j < d; j++) values[(2 * d) + j] *= MathF.Exp(-j);
            var error = 0.0;
            fixed (float* data = values)
            {
                var rows = new Operand((byte*)data, DType.F32, 6, d, d * sizeof(float), sizeof(float));
                var norms = new double[6];
                for (var i = 0; i < 6; i++) norms[i] = Math.Sqrt(Dot(data + (i * d), data + (i * d), d));
                var rounded = new float[(6 * WholeNumbers.Pairs(d)) + d];
                fixed (float* target = rounded)
                {
                    var pairs = WholeNumbers.Round(rows, norms, 0, 6, target);
                    for (var a = 0; a < 6; a++)
                    {
                        for (var b = 0; b < 6; b++)
                        {
                            long product = 0;
                            for (var j = 0; j < 2 * pairs.Columns; j++) product += ((short*)pairs.At(a, 0))[j] * ((short*)pairs.At(b, 0))[j];
                            Assert.InRange(product, int.MinValue, int.MaxValue);
                            error = Math.Max(error, Math.Abs((product / WholeNumbers.Norm / WholeNumbers.Norm) - (Dot(data + (a * d), data + (b * d), d) / norms[a] / norms[b])));
                        }
                    }
                }
            }

            Assert.InRange(error, 0.2 * WholeNumbers.RelativeError(d), WholeNumbers.RelativeError(d));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ScoresTooCloseForThemAreFoundAllTheSame(bool cosine)
    {
        // every query has 200 keys within a thousandth of each other's scores, and they differ by parts in 10^5
        const int d = 128;
        var queries = Make.Matrix(40, d, 1);
        var keys = Make.Matrix(1000, d, 2);
        for (var i = 0; i < 200; i++)
        {
            var key = keys.AsSpan<float>().Slice(5 * i * d, d);
            for (var j = 0; j < d; j++) key[j] = queries.AsSpan<float>()[(i % 40 * d) + j] + (1e-4f * key[j]);
            for (var j = 0; j < d; j++) key[j] += queries.AsSpan<float>()[j];
        }

        TopKTests.Same(Reference.TopK(queries, keys, 9, cosine), CpuEngine.Shared.TopKInnerProduct(queries, keys, 9, new TopKOptions { Cosine = cosine }));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(1000)]
    public void KeysOfManySizes(float largest)
    {
        const int d = 96;
        var queries = Make.Matrix(30, d, 3);
        var keys = Make.Matrix(700, d, 4);
        for (var i = 0; i < 700; i += 70)
        {
            foreach (ref var v in keys.AsSpan<float>().Slice(i * d, d)) v *= largest;
        }

        var bias = Enumerable.Range(0, 700).Select(i => i % 70 == 0 ? -largest : 0.001 * i).ToArray();
        TopKTests.Same(Reference.TopK(queries, keys, 5, cosine: false, bias), CpuEngine.Shared.TopKInnerProduct(queries, keys, 5, new TopKOptions { KeyBias = bias }), tolerance: 1e-9);
    }

    [Fact]
    public void TheKthLargest()
    {
        var random = new Random(5);
        foreach (var n in new[] { 1, 2, 7, 8, 33, 96, 544, 2080 })
        {
            var x = new float[n];
            for (var i = 0; i < n; i++) x[i] = (i % 5) switch { 0 => 0f, 1 => -0.25f, 2 => random.NextSingle(), 3 => -random.NextSingle() * 1e-30f, _ => (random.NextSingle() - 0.5f) * 1e30f };
            var sorted = x.OrderDescending().ToArray();
            foreach (var k in new[] { 1, (n + 1) / 2, n }) Assert.Equal(sorted[k - 1], Selection.KthLargestOfFew(x, k));
        }
    }

    private static double Dot(float* x, float* y, int d)
    {
        var sum = 0.0;
        for (var j = 0; j < d; j++) sum += (double)x[j] * y[j];
        return sum;
    }
}
