namespace FeatureFlow.Experiments;

/// <summary>Messages about feature maps (FF515x).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException MapFormat(string path) =>
        new(FailureKind.Usage, "FF5150", "Feature maps are .csv or .npy files; choose one of these extensions.", path);

    public static FeatureFlowException NotAMap(string path, int line, string what) =>
        new(FailureKind.Input, "FF5151", Sentence(what), path, line, line > 0 ? 1 : 0);
}
