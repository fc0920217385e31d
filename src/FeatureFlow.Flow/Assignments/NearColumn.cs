namespace FeatureFlow.Flow;

/// <summary>A column that may be a row's.</summary>
/// <param name="Reduced">Cost − price when the row was asked: a lower bound of what it is now.</param>
/// <param name="Cost">Exact cost of the pair.</param>
/// <param name="Column">Column.</param>
internal readonly record struct NearColumn(double Reduced, double Cost, int Column);
