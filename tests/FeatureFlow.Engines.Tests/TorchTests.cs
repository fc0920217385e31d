using FeatureFlow.Tensors;
using static FeatureFlow.Engines.Tests.Compare;

namespace FeatureFlow.Engines.Tests;

/// <summary>Tests that look at the memory of the process.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

/// <summary>What only an engine with a device has: weights that stay there, shortage, types of products, threads.</summary>
[Collection("alone")]
public sealed class TorchTests
{
    [TorchFact]
    public void ConstantWeightsAreUploadedOnceAndEvicted()
    {
        using var engine = Engines.Open(new EngineOptions { WeightBudget = 3 * 64 * 64 * sizeof(float) });
        Tensor x = Matrix(1, 2, 64), y = Matrix(2, 2, 64), expected = Matrix(2, 2, 64);
        var weights = Enumerable.Range(0, 5).Select(i => Sealed(Matrix(10 + i, 64, 64))).ToArray();
        for (var i = 0; i < 20; i++) engine.MatMul(x, weights[0].Transpose(), y);
        engine.MatMul(x.Slice(1, 0, 32), weights[0].Rows(32, 32), y);
        Assert.Equal((1, 64 * 64 * 4L), (engine.Memory!.Weights, engine.Memory.WeightBytes));
        foreach (var w in weights)
        {
            engine.MatMul(x, w, y);
            CpuEngine.Shared.MatMul(x, w, expected);
            Near(expected.AsSpan<float>().ToArray(), y.AsSpan<float>().ToArray(), 3e-6, "product");
        }

        Assert.Equal((3, 2L), (engine.Memory.Weights, engine.Memory.Evictions));
        engine.MatMul(x, weights[4], y);
        Assert.Equal(2, engine.Memory.Evictions);
        engine.Trim();
        Assert.Equal((0, 0L), (engine.Memory.Weights, engine.Memory.WeightBytes));

        // what may still change is not kept
        var open = Matrix(20, 64, 64);
        engine.MatMul(x, open, y);
        open.AsSpan<float>().Clear();
        engine.MatMul(x, open, y);
        Assert.All(y.AsSpan<float>().ToArray(), v => Assert.Equal(0, v));
        Assert.Equal(0, engine.Memory.Weights);
    }

    [TorchFact]
    public void NarrowWeightsAreKeptWideWhileThereIsRoom()
    {
        using var engine = Engines.Open(new EngineOptions { WeightBudget = 64 * 64 * 6 });
        Tensor x = Matrix(1, 2, 64), y = Matrix(2, 2, 64);
        Tensor first = Sealed(Matrix(3, DType.BF16, 64, 64)), second = Sealed(Matrix(4, DType.BF16, 64, 64));
        engine.MatMul(x, first, y);
        Assert.Equal(64 * 64 * 4, engine.Memory!.WeightBytes);
        engine.MatMul(x, second, y);
        engine.MatMul(x, first, y);
        Assert.Equal((2, 64 * 64 * 6L), (engine.Memory.Weights, engine.Memory.WeightBytes));
    }

    [TorchFact]
    public void TenThousandCallsLeaveNothingBehind()
    {
        var engine = Engines.Get("torch");
        Tensor x = Matrix(1, 4, 32), w = Sealed(Matrix(2, DType.BF16, 64, 32)), keys = Sealed(Matrix(3, 200, 32)), gain = Matrix(4, 32), cache = Matrix(5, 1, 8, 32);
        Round(200);
        var (tensors, bytes) = (engine.Memory!.Tensors, Resident());
        Round(1000);
        Assert.InRange(engine.Memory.Tensors, tensors - 20, tensors + 20);
        Assert.InRange(Resident(), 0, bytes + (24 << 20));

        // twelve calls a turn
        void Round(int turns)
        {
            for (var i = 0; i < turns; i++)
            {
                using Tensor there = To(engine, x), z = engine.Allocate(DType.F32, 4, 64);
                engine.RmsNorm(there, gain, 1e-5f, 1, there);
                engine.MatMul(there, w.Transpose(), z);
                engine.TopKActivation(z, 5, z);
                engine.GatedProduct(z, z, Activation.Silu, z);
                engine.Attention(there, cache, cache, [new TokenRun(0, 4, 0, 2)], new AttentionOptions(8, 1), there);
                engine.SampleRows(z, [new(0.5), new(0.1), new(0.9, TopP: 0.5f), new(0, 0)], new int[4]);
                engine.TopKInnerProduct(there, keys, 3, new TopKOptions { Cosine = true });
                engine.GatherRows(keys, [1, 2, 3, 4], there);
                if (i % 100 == 0) Assert.Throws<FeatureFlowException>(() => engine.MatMul(there, z, z));
            }
        }

        static long Resident()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            return Environment.WorkingSet;
        }
    }

    [TorchFact]
    public void ShortageIsOneSentenceWithWhatItWouldTake()
    {
        var failure = Assert.Throws<FeatureFlowException>(() => Engines.Get("torch").Allocate(DType.F32, 1 << 30, 1 << 13));
        Assert.Equal(("FF1020", FailureKind.Retry), (failure.Code, failure.Kind));
        Assert.Contains("is out of memory: Allocate needs 33,554,432 MiB at the least", failure.Message, StringComparison.Ordinal);
    }

    [TorchFact]
    public void WhereMemoryRunsOutWeightsGoThenBlocksAreHalved()
    {
        List<long> asked = [];
        var most = long.MaxValue;
        using var engine = Engines.Open(new EngineOptions
        {
            Fails = (operation, bytes, _) =>
            {
                if (operation == "RmsNorm") asked.Add(bytes);
                return operation == "RmsNorm" && bytes > most;
            },
        });
        Tensor x = Matrix(1, 64, 32), gain = Matrix(2, 32), y = Matrix(3, 64, 32), expected = Matrix(3, 64, 32), w = Sealed(Matrix(4, 32, 32)), product = Matrix(5, 64, 32);
        CpuEngine.Shared.RmsNorm(x, gain, 1e-5f, 0, expected);
        engine.MatMul(x, w, product);
        Assert.Equal(1, engine.Memory!.Weights);

        // all at once; when that fails the weights go and it is tried again; then halves, quarters
        const long Row = 32 * 24;
        most = 20 * Row;
        engine.RmsNorm(x, gain, 1e-5f, 0, y);
        Near(expected.AsSpan<float>().ToArray(), y.AsSpan<float>().ToArray(), 2e-6, "norm");
        Assert.Equal([64 * Row, 64 * Row, 32 * Row, 16 * Row, 16 * Row, 16 * Row, 16 * Row], asked);
        Assert.Equal(0, engine.Memory.Weights);

        // not even one row
        most = Row - 1;
        var failure = Assert.Throws<FeatureFlowException>(() => engine.RmsNorm(x, gain, 1e-5f, 0, y));
        Assert.Equal(("FF1020", FailureKind.Retry), (failure.Code, failure.Kind));
        Assert.Contains("is out of memory: RmsNorm needs 1 MiB at the least", failure.Message, StringComparison.Ordinal);
        most = long.MaxValue;
        engine.RmsNorm(x, gain, 1e-5f, 0, y);
        Near(expected.AsSpan<float>().ToArray(), y.AsSpan<float>().ToArray(), 2e-6, "norm once there is room again");
    }

    [TorchFact]
    public void WeightsMakeRoomForWeights()
    {
        var room = 3;
        ITensorEngine? mine = null;
        using var engine = mine = Engines.Open(new EngineOptions { Fails = (operation, _, _) => operation == "upload" && mine!.Memory!.Weights >= room });
        Tensor x = Matrix(1, 2, 64), y = Matrix(2, 2, 64), expected = Matrix(2, 2, 64);
        foreach (var w in Enumerable.Range(0, 6).Select(i => Sealed(Matrix(10 + i, 64, 64))))
        {
            engine.MatMul(x, w, y);
            CpuEngine.Shared.MatMul(x, w, expected);
            Near(expected.AsSpan<float>().ToArray(), y.AsSpan<float>().ToArray(), 3e-6, "product");
            Assert.InRange(engine.Memory!.Weights, 1, room);
        }

        Assert.True(engine.Memory!.Evictions > 0);
        room = 0; // nothing is there that could go
        engine.Trim();
        Assert.Equal("FF1020", Assert.Throws<FeatureFlowException>(() => engine.MatMul(x, Sealed(Matrix(20, 64, 64)), y)).Code);
    }

    [TorchFact]
    public void BatchTopKFindsItsLineWhereMemoryIsShortToo()
    {
        using var engine = Engines.Open(new EngineOptions { Fails = (operation, _, parts) => operation == "BatchTopKActivation" && parts == 0 });
        Tensor x = Matrix(1, 40, 60), z = Matrix(2, 40, 60), expected = Matrix(3, 40, 60);
        var random = new Random(3);
        foreach (ref var v in x.AsSpan<float>()) v = random.Next(-3, 6);
        foreach (var count in new long[] { 1, 10, 333, 1000, 2000, 5000 })
        {
            foreach (var e in new[] { engine, Engines.Get("torch") })
            {
                x.AsSpan<float>()[7] = 0;
                var line = CpuEngine.Shared.BatchTopKActivation(x, count, expected);
                x.AsSpan<float>()[7] = float.NaN; // which is never among the largest
                Assert.Equal(line, e.BatchTopKActivation(x, count, z));
                Assert.Equal(expected.AsSpan<float>().ToArray(), z.AsSpan<float>().ToArray());
            }
        }
    }

    [TorchFact]
    public void ProductsCanBeRoundedAndSearchesStayExact()
    {
        using var engine = Engines.Open(new EngineOptions { Compute = ComputeType.BF16, Tf32 = true });
        Tensor a = Matrix(1, 20, 300), b = Matrix(2, 300, 40), c = Matrix(3, 20, 40), expected = Matrix(3, 20, 40);
        foreach (var accumulate in new[] { false, true })
        {
            CpuEngine.Shared.MatMul(a, b, expected, new MatMulEpilogue(null, null, accumulate));
            engine.MatMul(a, b, c, new MatMulEpilogue(null, null, accumulate));
            Near(expected.AsSpan<float>().ToArray(), c.AsSpan<float>().ToArray(), 0.02, "rounded product");
            Assert.NotEqual(expected.AsSpan<float>().ToArray(), c.AsSpan<float>().ToArray());
        }

        Assert.Equal(CpuEngine.Shared.TopKInnerProduct(a, b.Transpose(), 7).Indices_QK, engine.TopKInnerProduct(a, b.Transpose(), 7).Indices_QK);
        Assert.Equal(("torch", "BF16"), (engine.Info.Name, engine.Info.Instructions));
    }

    [TorchFact]
    public void ManyThreadsShareOneEngine()
    {
        var engine = Engines.Get("torch");
        Tensor a = Matrix(1, 20, 30), b = Matrix(2, 30, 40), expected = Matrix(3, 20, 40);
        CpuEngine.Shared.MatMul(a, b, expected);
        Parallel.For(0, 200, _ =>
        {
            using var c = engine.Allocate(DType.F32, 20, 40);
            engine.MatMul(a, b, c);
            Near(expected.AsSpan<float>().ToArray(), Read(engine, c), 3e-6, "product");
        });
    }

    [TorchFact]
    public void WhatIsGoneOrElsewhereIsRefused()
    {
        using var other = Engines.Open(new EngineOptions());
        var engine = Engines.Get("torch");
        using var theirs = other.Allocate(DType.F32, 2, 2);
        Assert.Equal("FF1009", Assert.Throws<FeatureFlowException>(() => engine.Relu(theirs, theirs)).Code);
        Assert.Equal("FF1006", Assert.Throws<FeatureFlowException>(() => theirs.AsSpan<float>()).Code);
        Assert.Equal("FF1006", Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.Relu(theirs, theirs)).Code);
        var gone = engine.Allocate(DType.F32, 2, 2);
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => engine.Relu(gone, gone));
        other.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Allocate(DType.F32, 1));
        theirs.Dispose();
        Assert.Equal("FF1022", Assert.Throws<FeatureFlowException>(() => EngineCatalog.Open(EngineChoice.Torch, new EngineOptions { Device = "tpu" })).Code);
        Assert.Equal("FF1021", Assert.Throws<FeatureFlowException>(() => EngineCatalog.Open(EngineChoice.Torch, new EngineOptions { Device = "cuda:63" })).Code);
    }

    private static Tensor Sealed(Tensor tensor)
    {
        ((HostStorage)tensor.Storage).Seal();
        return tensor;
    }
}
