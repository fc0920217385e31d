using FeatureFlow.Tensors;
using static FeatureFlow.Engines.Tests.Compare;

namespace FeatureFlow.Engines.Tests;

/// <summary>Searches give the same keys in the same order, whatever the engine.</summary>
public sealed class TopKTests
{
    [Theory]
    [OnCpu(5, 3, 1), OnTorch(5, 3, 5), OnTorch(200, 3000, 7), OnTorch(3, 900, 900), OnTorch(30, 2000, 1024)]
    public void TheSameKeysInTheSameOrder(string name, int queries, int keys, int k)
    {
        foreach (var type in new[] { DType.F32, DType.BF16 })
        {
            Tensor x = Matrix(1, type, queries, 40), y = Matrix(2, type, keys, 40);
            foreach (var options in new[] { new TopKOptions(), new TopKOptions { Cosine = true }, new TopKOptions { KeyBias = [.. Enumerable.Range(0, keys).Select(i => Math.Sin(i) * 3)] } })
            {
                Same(name, x, y, k, options);
            }
        }
    }

    [Theory, OnCpu, OnTorch]
    public void EqualScoresByLowerIndex(string name)
    {
        // twenty different keys, a hundred times each, some of them zero, and rows that are no numbers
        var few = Matrix(1, 20, 16);
        few.AsSpan<float>()[..16].Clear();
        var y = Tensor.Allocate(DType.F32, 2000, 16);
        CpuEngine.Shared.GatherRows(few, [.. Enumerable.Range(0, 2000).Select(i => i % 20)], y);
        y.AsSpan<float>()[33 * 16] = float.NaN;
        y.AsSpan<float>()[34 * 16] = float.PositiveInfinity;
        foreach (var k in new[] { 1, 50, 150, 1024 })
        {
            Same(name, Matrix(2, 9, 16), y, k, new TopKOptions { Cosine = true });
            Same(name, Matrix(2, 9, 16), y, k, new TopKOptions());
            Same(name, few.Rows(0, 2), y, k, new TopKOptions { Cosine = true });
        }
    }

    [Theory, OnCpu, OnTorch]
    public void FewerKeysThanAsked(string name)
    {
        var result = Engines.Get(name).TopKInnerProduct(Matrix(1, 2, 8), Matrix(2, 3, 8), 5);
        Assert.Equal(-1, result.Indices_QK[3]);
        Assert.Equal(double.NegativeInfinity, result.Scores_QK[9]);
        Same(name, Matrix(1, 2, 8), Matrix(2, 3, 8), 5, new TopKOptions());
        Assert.All(Engines.Get(name).TopKInnerProduct(Matrix(1, 2, 8), Matrix(2, 3, 8).Rows(0, 0), 2).Indices_QK, i => Assert.Equal(-1, i));
    }

    [Theory, OnCpu, OnTorch]
    public void StopsWhenCancelled(string name)
    {
        using var cancel = new CancellationTokenSource();
        var progress = new Once(cancel);
        Tensor x = Matrix(1, 4000, 64);
        Assert.Throws<OperationCanceledException>(() =>
        {
            // cancelled as soon as it says anything; what is cancelled before it begins does not begin
            Engines.Get(name).TopKInnerProduct(x, x, 5, new TopKOptions { Progress = progress }, cancel.Token);
            cancel.Cancel();
            Engines.Get(name).TopKInnerProduct(x, x, 5, null, cancel.Token);
        });
    }

    private static void Same(string name, Tensor x, Tensor y, int k, TopKOptions options)
    {
        var expected = CpuEngine.Shared.TopKInnerProduct(x, y, k, options);
        var engine = Engines.Get(name);
        using Tensor thereX = To(engine, x), thereY = To(engine, y);
        foreach (var found in new[] { engine.TopKInnerProduct(x, y, k, options), engine.TopKInnerProduct(thereX, thereY, k, options), engine.TopKInnerProduct(thereX, y, k, options) })
        {
            Assert.Equal(expected.Indices_QK, found.Indices_QK);
            for (var i = 0; i < expected.Scores_QK.Length; i++)
            {
                if (expected.Scores_QK[i].Equals(found.Scores_QK[i])) continue;
                Assert.Equal(expected.Scores_QK[i], found.Scores_QK[i], 1e-12);
            }
        }
    }

    private sealed class Once(CancellationTokenSource cancel) : IProgress<double>
    {
        public void Report(double value) => cancel.Cancel();
    }
}
