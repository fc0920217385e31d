namespace FeatureFlow.Experiments;

/// <summary>Messages about the training of SAEs as an experiment (FF512x).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException SaeFileGone(string file) =>
        new(FailureKind.Input, "FF5120", $"The trained SAE {file} is not in the folder of the results; copy the SAEs of all shares there, or run with --force.");
}
