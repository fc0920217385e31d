namespace FeatureFlow.Tensors.Tests;

public class TopKTests
{
    [Theory]
    [InlineData(1, 300, 64, 5)]
    [InlineData(3, 77, 33, 1)]
    [InlineData(8, 1500, 100, 7)]
    [InlineData(9, 1500, 100, 7)]
    [InlineData(60, 700, 130, 16)]
    [InlineData(130, 1100, 64, 3)]
    [InlineData(20, 40, 10, 100)]
    public void AgreesWithBruteForce(int q, int n, int d, int k)
    {
        var queries = Make.Matrix(q, d, 1);
        var keys = Make.Matrix(n, d, 2);
        foreach (var bits in MatMulTests.Kernels())
        {
            using var engine = new CpuEngine(2, bits);
            foreach (var cosine in new[] { true, false })
                Same(Reference.TopK(queries, keys, k, cosine), engine.TopKInnerProduct(queries, keys, k, new TopKOptions { Cosine = cosine }));
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void EveryTypeAndLayout(DType type)
    {
        foreach (var layout in Enumerable.Range(0, 8))
        {
            var queries = Make.Matrix(layout > 3 ? 4 : 30, 50, 3, type, (layout & 1) != 0, unaligned: true);
            var keys = Make.Matrix(600, 50, 4, type, (layout & 2) != 0, unaligned: true);
            Same(Reference.TopK(queries, keys, 4, cosine: true), CpuEngine.Shared.TopKInnerProduct(queries, keys, 4, new TopKOptions { Cosine = true }));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(40)]
    public void EqualKeysComeByIndexEvenWhenThereAreManyOfThem(int q)
    {
        // 400 copies of one row: far more than any room for candidates
        var queries = Make.Matrix(q, 48, 5);
        var keys = Make.Matrix(900, 48, 6);
        var rows = keys.AsSpan<float>();
        for (var copy = 0; copy < 400; copy++) queries.AsSpan<float>()[..48].CopyTo(rows[((copy * 2 + 50) * 48)..]);
        var result = CpuEngine.Shared.TopKInnerProduct(queries, keys, 6, new TopKOptions { Cosine = true });
        Assert.Equal([50, 52, 54, 56, 58, 60], result.Indices_QK[..6]);
        Assert.Equal(1, result.Scores_QK[0], 12);
        Same(Reference.TopK(queries, keys, 6, cosine: true), result);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(30)]
    public void DifferencesBelowFloat32AreDecidedInFloat64(int q)
    {
        // keys near the query, that differ from each other by parts in 10^9 of a score
        const int d = 512;
        var queries = Make.Matrix(q, d, 7);
        var keys = Make.Matrix(400, d, 8);
        var rows = keys.AsSpan<float>();
        var query = queries.AsSpan<float>()[..d];
        for (var i = 0; i < 12; i++)
        {
            var row = rows.Slice((30 * i + 5) * d, d);
            for (var j = 0; j < d; j++) row[j] = query[j] * (1 + 0.25f * (j % 3));
            row[i] = MathF.BitIncrement(MathF.BitIncrement(row[i]));
        }

        Same(Reference.TopK(queries, keys, 5, cosine: true), CpuEngine.Shared.TopKInnerProduct(queries, keys, 5, new TopKOptions { Cosine = true }), tolerance: 1e-14);
    }

    [Theory]
    [InlineData(3, 20)]
    [InlineData(30, 20)]
    [InlineData(30, 96)]
    public void ZeroRowsHaveSimilarityZeroWithAll(int q, int d)
    {
        var queries = Make.Matrix(q, d, 9);
        queries.AsSpan<float>()[..d].Clear();
        var keys = Make.Matrix(100, d, 10);
        keys.AsSpan<float>()[..(2 * d)].Clear();
        var result = CpuEngine.Shared.TopKInnerProduct(queries, keys, 100, new TopKOptions { Cosine = true });
        Assert.Equal(Enumerable.Range(0, 100), result.Indices_QK[..100]);
        Assert.All(result.Scores_QK[..100], s => Assert.Equal(0, s));
        Same(Reference.TopK(queries, keys, 100, cosine: true), result);
    }

    [Theory]
    [InlineData(3, 20)]
    [InlineData(30, 20)]
    [InlineData(30, 96)]
    public void RowsThatAreNotNumbersMatchNothingAndHarmNobody(int q, int d)
    {
        var queries = Make.Matrix(q, d, 11);
        var keys = Make.Matrix(100, d, 12);
        keys.AsSpan<float>()[d * 7] = float.NaN;
        keys.AsSpan<float>()[d * 9] = float.PositiveInfinity;
        keys.AsSpan<float>()[d * 11] = 3e38f;
        queries.AsSpan<float>()[d] = float.NaN;
        var result = CpuEngine.Shared.TopKInnerProduct(queries, keys, 4, new TopKOptions { Cosine = true });
        Assert.Equal([-1, -1, -1, -1], result.Indices_QK[4..8]);
        Assert.DoesNotContain(7, result.Indices_QK);
        Assert.DoesNotContain(9, result.Indices_QK);
        Same(Reference.TopK(queries, keys, 4, cosine: true), result);
    }

    [Fact]
    public void BiasIsAdded()
    {
        var queries = Make.Matrix(25, 40, 13);
        var keys = Make.Matrix(300, 40, 14);
        var bias = Enumerable.Range(0, 300).Select(i => -0.01 * i).ToArray();
        foreach (var cosine in new[] { true, false })
        {
            Same(
                Reference.TopK(queries, keys, 3, cosine, bias),
                CpuEngine.Shared.TopKInnerProduct(queries, keys, 3, new TopKOptions { Cosine = cosine, KeyBias = bias }));
        }
    }

    [Theory]
    [InlineData(3, 40)]
    [InlineData(30, 40)]
    [InlineData(30, 128)]
    public void AFloorChangesNothing(int q, int d)
    {
        var queries = Make.Matrix(q, d, 19);
        var keys = Make.Matrix(1500, d, 20);
        var expected = CpuEngine.Shared.TopKInnerProduct(queries, keys, 8);
        foreach (var below in new[] { 0, 1e-9, 0.1, 1e30 })
        {
            var floor = Enumerable.Range(0, q).Select(i => i == 1 ? double.NegativeInfinity : expected.Scores_QK[(i * 8) + 7] - below).ToArray();
            var found = CpuEngine.Shared.TopKInnerProduct(queries, keys, 8, new TopKOptions { Floor_Q = floor });
            Assert.Equal(expected.Indices_QK, found.Indices_QK);
            Assert.Equal(expected.Scores_QK, found.Scores_QK);
        }
    }

    [Fact]
    public void BitsDoNotDependOnThreadsNorOnTheNumberOfQueries()
    {
        var queries = Make.Matrix(150, 96, 15);
        var keys = Make.Matrix(2000, 96, 16);
        var cosine = new TopKOptions { Cosine = true };
        using var one = new CpuEngine(1);
        var expected = one.TopKInnerProduct(queries, keys, 5, cosine);
        foreach (var threads in new[] { 2, 3, 5 })
        {
            using var engine = new CpuEngine(threads);
            var result = engine.TopKInnerProduct(queries, keys, 5, cosine);
            Assert.Equal(expected.Indices_QK, result.Indices_QK);
            Assert.Equal(expected.Scores_QK, result.Scores_QK);
        }

        var single = one.TopKInnerProduct(queries.Rows(70, 1), keys, 5, cosine);
        Assert.Equal(expected.Scores_QK[350..355], single.Scores_QK);
    }

    [Fact]
    public void ProgressRisesToOneAndCancellationStopsIt()
    {
        var x = Make.Matrix(3000, 64, 18);
        var seen = new List<double>();
        CpuEngine.Shared.TopKInnerProduct(x, x, 2, new TopKOptions { Progress = new Recorder(seen.Add) });
        Assert.Equal(seen.Order(), seen);
        Assert.Equal(1, seen[^1]);

        using var cancel = new CancellationTokenSource();
        var stop = new TopKOptions { Progress = new Recorder(_ => cancel.Cancel()) };
        Assert.ThrowsAny<OperationCanceledException>(() => CpuEngine.Shared.TopKInnerProduct(x, x, 2, stop, cancel.Token));
    }

    [Fact]
    public void BadArgumentsAreNamed()
    {
        var x = Make.Empty(3, 4);
        Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.TopKInnerProduct(x, Make.Empty(3, 5), 1));
        Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.TopKInnerProduct(x, x, 0));
        Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.TopKInnerProduct(x, x, 1025));
        Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.TopKInnerProduct(x, x, 1, new TopKOptions { KeyBias = [1] }));
        Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.TopKInnerProduct(x, x, 1, new TopKOptions { Floor_Q = [1] }));
    }

    internal static void Same((int Index, double Score)[][] expected, TopKResult actual, double tolerance = 1e-12)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            for (var j = 0; j < actual.K; j++)
            {
                var (index, score) = j < expected[i].Length ? expected[i][j] : (-1, double.NegativeInfinity);
                Assert.True(index == actual.Indices_QK[i * actual.K + j], $"query {i} rank {j}: {actual.Indices_QK[i * actual.K + j]} for {index}");
                if (index >= 0) Assert.Equal(score, actual.Scores_QK[i * actual.K + j], tolerance);
            }
        }
    }

    private sealed class Recorder(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
