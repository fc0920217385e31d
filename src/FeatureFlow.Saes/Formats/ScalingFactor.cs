using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>The optional <c>scaling_factor</c> [F] of fine-tuned SAEs: multiplies activations when decoding; all ones mean nothing.</summary>
internal static class ScalingFactor
{
    public static Func<double[]>? Read(SaeFiles files, TensorFile file, string name, int features, List<string> notes)
    {
        var factor = files.Vector(file, name, features);
        var values = factor();
        if (values.All(v => Math.Abs(v - 1) <= 1e-5)) return null;
        var bad = Array.FindIndex(values, v => !(v > 0));
        if (bad >= 0) throw SaeErrors.NotPositive(file.Path, name, bad, values[bad]);
        notes.Add($"'{name}' (fine-tuned) multiplies the activations when decoding");
        return () => values;
    }
}
