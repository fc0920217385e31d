namespace FeatureFlow.Experiments;

/// <summary>Messages about feature maps (FF515x).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException MapFormat(string path) =>
        new(FailureKind.Usage, "FF5150", "Feature maps are .csv or .npy files; choose one of these extensions.", path);

    public static FeatureFlowException NothingDescribed(string pack) =>
        new(FailureKind.Input, "FF5152", "Nobody described the features of this map: name texts to describe them by, or descriptions in the pack.", pack);

    public static FeatureFlowException NoTextModel(string pack) =>
        new(FailureKind.Usage, "FF5153", "The pack names no model to read texts with; name one.", pack);

    public static FeatureFlowException NotAMap(string path, int line, string what) =>
        new(FailureKind.Input, "FF5151", Sentence(what), path, line, line > 0 ? 1 : 0);
}
