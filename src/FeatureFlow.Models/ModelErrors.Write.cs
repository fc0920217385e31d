namespace FeatureFlow.Models;

/// <summary>Writing of arrays (FF2033).</summary>
internal static partial class ModelErrors
{
    public static Exception NoNumpyType(string path, string name) =>
        new FeatureFlowException(FailureKind.Usage, "FF2033", $"'{name}' is bfloat16, which numpy does not know; write it as float32 or float16.", path);
}
