namespace FeatureFlow.Models;

/// <summary>Messages of learned vocabularies (FF212x) and of language-model training (FF24xx).</summary>
internal static partial class ModelErrors
{
    public static Exception VocabularyTooSmall(int size, int least) =>
        new FeatureFlowException(FailureKind.Usage, "FF2120", $"A byte-level vocabulary has at least {least} ids, not {size}.");

    public static Exception OtherPlan(string path) =>
        new FeatureFlowException(FailureKind.Usage, "FF2401", "The checkpoint was made by another plan (shape, rates, seed or data); train in another folder, or remove the checkpoint to begin again.", path);

    public static Exception Diverged(long step, double loss) =>
        new FeatureFlowException(FailureKind.Check, "FF2402", FormattableString.Invariant($"Training diverged: at step {step} the loss is {loss}; lower the rate or lengthen the warm-up."));
}
