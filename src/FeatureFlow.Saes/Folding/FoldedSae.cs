using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>
/// An SAE seen through its fold (SAE Match, section 3.1): with a positive scale s for every feature, W_enc' = W_enc·diag(1/s), b_enc' = b_enc/s,
/// W_dec' = diag(s)·W_dec, θ' = θ/s, and activations z' = z/s. The output is that of the SAE. Nothing is copied: the stored matrices are used
/// with other factors. The SAE stays its owner's to dispose.
/// </summary>
public sealed class FoldedSae
{
    private readonly float[] _scale_F;

    private FoldedSae(ITensorEngine engine, Sae sae, FoldRule rule, double[] wanted_F)
    {
        (Sae, Rule) = (sae, rule);
        _scale_F = new float[wanted_F.Length];
        for (var i = 0; i < wanted_F.Length; i++)
        {
            // θ ≤ 0, a zero row or a feature that never fired has no fold: dividing by it would make infinities of a harmless feature
            var s = (float)wanted_F[i];
            var folds = float.IsFinite(s) && s > 0 && float.IsFinite(1 / s);
            _scale_F[i] = folds ? s : 1;
            if (!folds) Unscaled++;
        }

        EncoderFactor_F = Times(engine, sae.EncoderScale_F, inverse: true);
        DecoderFactor_F = Times(engine, sae.DecoderScale_F, inverse: false);
        EncoderBias_F = Times(engine, sae.EncoderBias_F, inverse: true);
        Threshold_F = sae.Threshold_F is { } threshold ? Times(engine, threshold, inverse: true) : null;
    }

    /// <summary>The SAE behind it.</summary>
    public Sae Sae { get; }

    /// <summary>What the scales are: to be named in every result.</summary>
    public FoldRule Rule { get; }

    /// <summary>Features that have no fold and keep scale 1: θ ≤ 0, a zero decoder row, never active.</summary>
    public int Unscaled { get; }

    /// <summary>s, positive, [F].</summary>
    public ReadOnlySpan<float> Scale_F => _scale_F;

    /// <summary>Factors of the columns of <see cref="Sae.EncoderWeights_DF"/> that make W_enc', [F].</summary>
    public float[] EncoderFactor_F { get; }

    /// <summary>Factors of the rows of <see cref="Sae.DecoderWeights_FD"/> that make W_dec', [F].</summary>
    public float[] DecoderFactor_F { get; }

    /// <summary>b_enc', [F].</summary>
    public float[] EncoderBias_F { get; }

    /// <summary>θ', [F]: 1 where the fold is by thresholds; null where the architecture has none.</summary>
    public float[]? Threshold_F { get; }

    /// <summary>The SAE as it is, seen the same way: all scales 1, none counted as unscaled.</summary>
    public static FoldedSae Plain(ITensorEngine engine, Sae sae)
    {
        var ones = new double[sae.Info.FeatureCount];
        Array.Fill(ones, 1);
        return new FoldedSae(engine, sae, FoldRule.None, ones);
    }

    /// <summary>The fold of an SAE.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="sae">Any architecture.</param>
    /// <param name="rule">The rule, or null for <see cref="FoldRules.For"/>.</param>
    /// <param name="meanActivation_F">[F], for <see cref="FoldRule.MeanActivation"/>: mean positive activations, 0 for features that never fired (<see cref="MeanActivations"/>).</param>
    /// <exception cref="FeatureFlowException">FF3120: the rule needs thresholds or activations that are not there.</exception>
    public static FoldedSae Of(ITensorEngine engine, Sae sae, FoldRule? rule = null, double[]? meanActivation_F = null)
    {
        var chosen = rule ?? FoldRules.For(sae);
        switch (chosen)
        {
            case FoldRule.None:
                return Plain(engine, sae);
            case FoldRule.Threshold:
                if (sae.Threshold_F is not { } threshold) throw SaeErrors.NoFold(sae.Info.Path, $"a {sae.Info.Architecture} SAE has no thresholds to fold by; fold by decoder-norm or mean-activation");
                return new FoldedSae(engine, sae, chosen, HostValues.Read(engine, threshold));
            case FoldRule.DecoderNorm:
                return new FoldedSae(engine, sae, chosen, Array.ConvertAll(sae.DecoderNorms(engine), n => 1 / n));
            default:
                if (meanActivation_F?.Length != sae.Info.FeatureCount) throw SaeErrors.NoFold(sae.Info.Path, "folding by mean-activation needs the mean activation of every feature; give text to measure it on");
                return new FoldedSae(engine, sae, chosen, meanActivation_F);
        }
    }

    /// <summary>z' = z/s.</summary>
    /// <inheritdoc cref="Saes.Sae.Encode" path="/param|/exception"/>
    public void Encode(ITensorEngine engine, Tensor h_TD, Tensor z_TF, CancellationToken cancel = default)
    {
        Sae.Encode(engine, h_TD, z_TF, cancel);
        using var inverse_F = Tensor.From(Array.ConvertAll(_scale_F, s => 1 / s), _scale_F.Length);
        engine.ScaleColumns(z_TF, inverse_F, z_TF);
    }

    /// <summary>ĥ = z'·W_dec' + b_dec, normalisation undone, skip added.</summary>
    /// <inheritdoc cref="Saes.Sae.Decode" path="/param|/exception"/>
    public void Decode(ITensorEngine engine, Tensor z_TF, Tensor h_TD, Tensor recon_TD, CancellationToken cancel = default)
    {
        using var scale_F = Tensor.From(_scale_F, _scale_F.Length);
        using var plain_TF = engine.Allocate(DType.F32, z_TF.Shape);
        engine.ScaleColumns(z_TF, scale_F, plain_TF);
        Sae.Decode(engine, plain_TF, h_TD, recon_TD, cancel);
    }

    private float[] Times(ITensorEngine engine, Tensor? values, bool inverse)
    {
        var stored = values is null ? null : HostValues.Read(engine, values);
        var result = new float[_scale_F.Length];
        for (var i = 0; i < result.Length; i++) result[i] = (float)((stored?[i] ?? 1) * (inverse ? 1.0 / _scale_F[i] : _scale_F[i]));
        return result;
    }
}
