using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>Made-up numbers and files, seeded.</summary>
internal static class Made
{
    /// <summary>What two equal speeds may differ by from run to run on a shared machine.</summary>
    public const double Noise = 0.02;

    public static Tensor Matrix(int seed, int rows, int columns)
    {
        var matrix = Tensor.Allocate(DType.F32, rows, columns);
        Fill(seed, matrix.AsSpan<float>());
        return matrix;
    }

    // a small generator: System.Random would take longer than what is measured
    public static void Fill(int seed, Span<float> numbers)
    {
        var state = (ulong)seed * 0x9E3779B97F4A7C15UL + 1;
        foreach (ref var number in numbers)
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            number = ((state >> 40) / (float)(1 << 24)) - 0.5f;
        }
    }

    public static Tensor As(DType type, Tensor source)
    {
        var result = Tensor.Allocate(type, source.Shape);
        CpuEngine.Shared.Copy(source, result);
        return result;
    }
}
