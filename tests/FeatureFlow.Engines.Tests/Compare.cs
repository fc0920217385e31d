using FeatureFlow.Tensors;

namespace FeatureFlow.Engines.Tests;

/// <summary>Makes operands, runs an operation on two engines, compares what they wrote.</summary>
internal static class Compare
{
    /// <summary>Seeded numbers in −1 .. 1.</summary>
    public static Tensor Matrix(int seed, DType type, params int[] shape)
    {
        var random = new Random(seed);
        using var plain = Tensor.Allocate(DType.F32, shape);
        foreach (ref var v in plain.AsSpan<float>()) v = (float)((random.NextDouble() * 2) - 1);
        var made = Tensor.Allocate(type, shape);
        CpuEngine.Shared.Copy(plain, made);
        return made;
    }

    public static Tensor Matrix(int seed, params int[] shape) => Matrix(seed, DType.F32, shape);

    /// <summary>Mostly zeros, as activations of an SAE are.</summary>
    public static Tensor Sparse(int seed, int rows, int columns, double share)
    {
        var random = new Random(seed);
        var made = Tensor.Allocate(DType.F32, rows, columns);
        foreach (ref var v in made.AsSpan<float>()) v = random.NextDouble() < share ? (float)(random.NextDouble() + 0.1) : 0;
        return made;
    }

    /// <summary>A copy where the engine computes.</summary>
    public static Tensor To(ITensorEngine engine, Tensor host)
    {
        var there = engine.Allocate(host.DType, host.Shape);
        engine.Copy(host, there);
        return there;
    }

    public static float[] Read(ITensorEngine engine, Tensor there)
    {
        using var host = Tensor.Allocate(DType.F32, there.Shape);
        engine.Copy(there, host);
        return host.AsSpan<float>().ToArray();
    }

    /// <summary>
    /// Runs the operation on the built-in engine, and on the other one twice: on tensors of its device, and on host tensors. Operands are copies each time, so that
    /// operations in place are compared too; every tensor is compared afterwards, operands that must not change as well.
    /// </summary>
    public static void Same(string engineName, double tolerance, Action<ITensorEngine, Tensor[]> operation, params Tensor[] tensors)
    {
        var expected = tensors.Select(t => Copy(CpuEngine.Shared, t, host: true)).ToArray();
        operation(CpuEngine.Shared, expected);
        var engine = Engines.Get(engineName);
        foreach (var host in new[] { false, true })
        {
            var actual = tensors.Select(t => Copy(engine, t, host)).ToArray();
            operation(engine, actual);
            for (var i = 0; i < tensors.Length; i++) Near(Read(CpuEngine.Shared, expected[i]), Read(engine, actual[i]), tolerance, $"tensor {i} {(host ? "on the host" : "on the device")}");
            foreach (var t in actual) t.Dispose();
        }
    }

    public static void Near(float[] expected, float[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double largest = 0;
        foreach (var v in expected) largest = float.IsFinite(v) ? Math.Max(largest, Math.Abs(v)) : largest;
        for (var i = 0; i < expected.Length; i++)
        {
            if (expected[i].Equals(actual[i])) continue;
            Assert.True(Math.Abs((double)expected[i] - actual[i]) <= tolerance * Math.Max(largest, 1e-30), $"{what}, element {i}: {expected[i]} expected, {actual[i]} found");
        }
    }

    private static Tensor Copy(ITensorEngine engine, Tensor original, bool host)
    {
        var copy = host ? Tensor.Allocate(original.DType, original.Shape) : engine.Allocate(original.DType, original.Shape);
        engine.Copy(original, copy);
        return copy;
    }
}
