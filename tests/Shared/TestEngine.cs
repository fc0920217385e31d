using System.Runtime.CompilerServices;
using FeatureFlow.Tensors;

namespace FeatureFlow.Testing;

/// <summary>A test that asks for the very bits of the built-in engine; with another it reports itself as not run.</summary>
public sealed class BitsFactAttribute : FactAttribute
{
    public BitsFactAttribute()
    {
        if (TestEngine.IsOther) Skip = "not run: it asks for the bits of the built-in engine";
    }
}

/// <summary>
/// The engine that the suites compute with: the built-in one, whatever the user has installed, so that results are the same everywhere; or the one that
/// <c>FEATUREFLOW_TEST_ENGINE</c> names (torch, torch,cuda ...), to see the same fixtures met by it.
/// </summary>
public static class TestEngine
{
    private static readonly string s_words = Environment.GetEnvironmentVariable("FEATUREFLOW_TEST_ENGINE") is { Length: > 0 } words ? words : "cpu";
    private static readonly Lazy<ITensorEngine> s_shared = new(() => EngineRequest.Parse(s_words).Open());

    public static ITensorEngine Shared => s_shared.Value;

    /// <summary>True where another than the built-in one is tested: what holds for its bits alone is not asked then.</summary>
    public static bool IsOther => s_words != "cpu";

    /// <summary>With so many threads, where that means something.</summary>
    public static ITensorEngine Of(int threads) => IsOther ? Shared : new CpuEngine(threads);

    /// <summary>The numbers of a tensor, wherever it is.</summary>
    public static float[] Read(Tensor tensor)
    {
        using var host = Tensor.Allocate(DType.F32, tensor.Shape);
        Shared.Copy(tensor, host);
        return host.AsSpan<float>().ToArray();
    }

    /// <summary>Fills a tensor, wherever it is.</summary>
    public static void Fill(Tensor tensor, float value)
    {
        using var host = Tensor.Allocate(DType.F32, tensor.Shape);
        host.AsSpan<float>().Fill(value);
        Shared.Copy(host, tensor);
    }

    /// <summary>The built-in engine promises the same bits in another batch; others come within rounding.</summary>
    public static void AssertSame(IReadOnlyList<float> expected, IReadOnlyList<float> actual)
    {
        if (!IsOther)
        {
            Assert.Equal(expected, actual);
            return;
        }

        Assert.Equal(expected.Count, actual.Count);
        var size = expected.Append(0).Max(Math.Abs);
        for (var i = 0; i < expected.Count; i++) Assert.Equal(expected[i], actual[i], 2e-5f * size);
    }

    // for what stands above, and for processes that tests start
    [ModuleInitializer]
    internal static void Choose() => Environment.SetEnvironmentVariable("FEATUREFLOW_COMPUTE", s_words);
}
