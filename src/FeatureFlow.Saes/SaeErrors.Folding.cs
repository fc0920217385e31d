namespace FeatureFlow.Saes;

/// <summary>Folding (FF312x).</summary>
internal static partial class SaeErrors
{
    public static Exception NoFold(string path, string why) =>
        new FeatureFlowException(FailureKind.Usage, "FF3120", $"It cannot be folded so: {why}.", path);
}
