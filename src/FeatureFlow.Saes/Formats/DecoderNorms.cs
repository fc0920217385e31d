namespace FeatureFlow.Saes.Formats;

/// <summary>Norms of decoder rows, computed once when first needed, and vectors made with them.</summary>
internal sealed class DecoderNorms(WeightMatrix wDec_FD, double factor = 1)
{
    private readonly Lazy<double[]> _norms = new(() => [.. wDec_FD.RowNorms().Select(n => n * factor)]);

    /// <summary>‖W_dec‖ · factor, row by row.</summary>
    public double[] Values() => _norms.Value;

    /// <summary>The inverse, times <paramref name="numerator"/>; a row of zeros stays one, whatever its factor.</summary>
    public double[] Inverse(double numerator = 1) => [.. Values().Select(n => n > 0 ? numerator / n : 1)];

    /// <summary>values ∘ norms; null stays null.</summary>
    public Func<double[]>? Times(Func<double[]>? values) => values is null ? null : () => [.. values().Zip(Values(), (v, n) => v * n)];

    /// <summary>numbers / norms; a row of zeros has no quotient and is left alone.</summary>
    public Func<double[]> Under(Func<double[]> numbers) => () => [.. numbers().Zip(Inverse(), (v, i) => v * i)];
}
