using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>Encodes and decodes the inputs of an expected.safetensors and compares, the way the fixtures ask.</summary>
internal static class Parity
{
    public const double Tolerance = 1e-5;

    public static (float[] Z, float[] Recon) Run(Sae sae, Tensor h_TD)
    {
        using var z = Tensor.Allocate(DType.F32, h_TD.Shape[0], sae.Info.FeatureCount);
        using var recon = Tensor.Allocate(DType.F32, h_TD.Shape[0], sae.Info.OutputWidth);
        sae.Encode(TestEngine.Shared, h_TD, z);
        sae.Decode(TestEngine.Shared, z, h_TD, recon);
        return (z.AsSpan<float>().ToArray(), recon.AsSpan<float>().ToArray());
    }

    /// <summary>The differences found, both within the tolerance.</summary>
    public static (double Z, double Recon) Check(Sae sae, string expectedFile)
    {
        using var expected = SafetensorsFile.Open(expectedFile);
        var (z, recon) = Run(sae, expected.Get("h"));
        var wantedZ = expected.Get("z").AsSpan<float>().ToArray();
        Assert.Equal(wantedZ.Select(v => v != 0), z.Select(v => v != 0));
        var found = (Z: Difference(wantedZ, z), Recon: Difference(expected.Get("recon").AsSpan<float>().ToArray(), recon));
        Assert.InRange(found.Z, 0, Tolerance);
        Assert.InRange(found.Recon, 0, Tolerance);
        return found;
    }

    /// <summary>max|a − b| / max|a|.</summary>
    public static double Difference(float[] wanted, float[] actual)
    {
        Assert.Equal(wanted.Length, actual.Length);
        double difference = 0, largest = 0;
        for (var i = 0; i < wanted.Length; i++)
        {
            difference = Math.Max(difference, Math.Abs((double)wanted[i] - actual[i]));
            largest = Math.Max(largest, Math.Abs(wanted[i]));
            if (!float.IsFinite(actual[i])) return double.PositiveInfinity;
        }

        return difference / largest;
    }
}
