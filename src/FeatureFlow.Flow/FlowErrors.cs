namespace FeatureFlow.Flow;

/// <summary>Every message of the flow floor (FF40xx).</summary>
internal static class FlowErrors
{
}
