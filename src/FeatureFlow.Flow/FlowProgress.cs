namespace FeatureFlow.Flow;

/// <summary>How far a long step is.</summary>
/// <param name="Stage">What is being done, in words: <c>layer 12 of 26</c>.</param>
/// <param name="Done">Share of the whole, 0 to 1, never falling.</param>
public readonly record struct FlowProgress(string Stage, double Done);
