namespace FeatureFlow.Experiments;

/// <summary>Messages about the training of SAEs as an experiment (FF512x).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException SaeFileGone(string file) =>
        new(FailureKind.Input, "FF5120", $"The trained SAE {file} is not in the folder of the results; copy the SAEs of all shares there, or run with --force.");

    public static FeatureFlowException NoIds(string path, string tensor, IEnumerable<string> have) =>
        new(FailureKind.Input, "FF5121", $"'{tensor}' is not a tensor of token ids (int64 or int32, [N,T]); there is {string.Join(", ", have.Take(24))}.", path);
}
