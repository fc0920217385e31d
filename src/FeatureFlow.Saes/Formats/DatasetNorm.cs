namespace FeatureFlow.Saes.Formats;

/// <summary>
/// What Llama Scope and Llamascopium fold into an SAE that was trained on inputs of mean norm √d: s_in = √d/norm_in, s_out = √d/norm_out;
/// b_enc/s_in, b_dec/s_out, W_dec·s_in/s_out. Raw inputs go in, raw outputs come out.
/// </summary>
internal sealed record DatasetNorm(double In, double Out)
{
    public static DatasetNorm None { get; } = new(1, 1);

    /// <summary>Factor of every row of W_dec.</summary>
    public double Decoder => In / Out;

    public static DatasetNorm Of(int d, double normIn, double normOut) => new(Math.Sqrt(d) / normIn, Math.Sqrt(d) / normOut);

    public Func<double[]>? EncoderBias(Func<double[]>? stored) => Divided(stored, In);

    public Func<double[]>? DecoderBias(Func<double[]>? stored) => Divided(stored, Out);

    private static Func<double[]>? Divided(Func<double[]>? stored, double by) => stored is null || by == 1 ? stored : () => [.. stored().Select(b => b / by)];
}
