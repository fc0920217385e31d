using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Transformers;

/// <summary>Tiny checkpoints with reference activations: those of the repository, and more of the kind where FEATUREFLOW_TEST_MODELS names a folder of them.</summary>
public static class ModelFixtures
{
    public static TheoryData<string> All
    {
        get
        {
            var folders = Directory.GetDirectories(Repository.Fixture("models")).ToList();
            if (Environment.GetEnvironmentVariable("FEATUREFLOW_TEST_MODELS") is { Length: > 0 } more && Directory.Exists(more))
                folders.AddRange(Directory.GetDirectories(more).Where(f => !folders.Exists(o => Path.GetFileName(o) == Path.GetFileName(f))));
            return [.. folders.Order(StringComparer.Ordinal)];
        }
    }

    public static LanguageModel Open(string folder) => LanguageModel.Open(folder, TestEngine.Shared);

    public static SafetensorsFile Expected(string folder) => SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));

    /// <summary>The README's tolerance: 2e-5 where GELU's two forms must be told apart.</summary>
    public static double Tolerance(LanguageModel model) => model.Config.Family is "gpt2" or "gpt_neox" ? 2e-5 : 1e-4;

    public static int[][] Rows(SafetensorsFile file, string name)
    {
        var tensor = file.Get(name);
        var values = tensor.AsSpan<long>().ToArray();
        var width = tensor.Shape[1];
        return [.. Enumerable.Range(0, tensor.Shape[0]).Select(r => values.AsSpan(r * width, width).ToArray().Select(v => (int)v).ToArray())];
    }

    /// <summary>max|actual − expected| / max|expected|.</summary>
    public static double Error(Tensor actual, Tensor expected)
    {
        float[] a = TestEngine.Read(actual), e = expected.AsSpan<float>().ToArray();
        Assert.Equal(e.Length, a.Length);
        double worst = 0, most = 0;
        for (var i = 0; i < a.Length; i++)
        {
            worst = Math.Max(worst, Math.Abs((double)a[i] - e[i]));
            most = Math.Max(most, Math.Abs(e[i]));
            Assert.False(float.IsNaN(a[i]));
        }

        return worst / most;
    }

    public static int Largest(ReadOnlySpan<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best]) best = i;
        }

        return best;
    }
}
