using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>
/// A trained SAE on the host, in the raw frame of the model: the factor that inputs were scaled by is folded into the biases and the threshold, decoder rows
/// have unit norm, nothing is subtracted from the input.
/// </summary>
/// <param name="Recipe">How it was trained.</param>
/// <param name="WEnc_DF">[d,F].</param>
/// <param name="WDec_FD">[F,d].</param>
/// <param name="BEnc_F">[F].</param>
/// <param name="BDec_D">[d].</param>
/// <param name="Threshold_F">[F]; null for TopK.</param>
public sealed partial record TrainedSae(SaeRecipe Recipe, Tensor WEnc_DF, Tensor WDec_FD, Tensor BEnc_F, Tensor BDec_D, Tensor? Threshold_F)
{
    internal static TrainedSae Of(ITensorEngine engine, SaeRecipe recipe, SaeTrainingState state)
    {
        // x̂ = s⁻¹·x̂'(s·x): the encoder's bias, the threshold and the decoder's bias are divided by s, the matrices stay
        var factor = 1 / state.Scale;
        return new TrainedSae(
            recipe,
            Host(engine, state.WEnc_FD).Transpose(),
            Host(engine, state.WDec_FD),
            Times(HostValues.Read(engine, state.BEnc_F), factor),
            Times(HostValues.Read(engine, state.BDec_D), factor),
            recipe.Kind == SaeTrainingKind.TopK ? null : Times([.. state.Thresholds().Select(t => (double)t)], factor));
    }

    private static Tensor Host(ITensorEngine engine, Tensor tensor)
    {
        var host = Tensor.Allocate(DType.F32, tensor.Shape);
        engine.Copy(tensor, host);
        return host;
    }

    private static Tensor Times(double[] values, double factor) => HostValues.ToTensor([.. values.Select(v => v * factor)]);
}
