namespace FeatureFlow.Experiments;

/// <summary>Messages of Storyworld (FF52xx).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException NoTheme(string theme, IEnumerable<string> themes) =>
        new(FailureKind.Usage, "FF5201", $"There is no theme '{theme}'; there are {string.Join(", ", themes)}.");
}
