namespace FeatureFlow.Experiments;

/// <summary>Messages about steering (FF54xx).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException Settings(string path, string what) =>
        new(FailureKind.Input, "FF5401", $"These are no steering settings: {what}", path);

    public static FeatureFlowException PlanFormat(string path) =>
        new(FailureKind.Usage, "FF5402", "Steering plans are written as .yaml or .csv; give the file one of these endings.", path);

    public static FeatureFlowException SeveralPlans(string path, int count) =>
        new(FailureKind.Usage, "FF5403", $"A .yaml file holds one plan, and here are {count}; write them as .csv, or to a file each.", path);
}
