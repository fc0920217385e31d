using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>A cut that is to be tried: at one token of a document, for one residual feature of a layer.</summary>
/// <param name="Row">Which of the sampled positions.</param>
/// <param name="Feature">Index of the target.</param>
/// <param name="Edits">What is done to its predecessors.</param>
/// <param name="Watched">Candidates whose activity after the cut is asked for, by res, mlp, att.</param>
internal sealed record Cut(int Row, int Feature, IReadOnlyList<FeatureEdit> Edits, IReadOnlyList<FeatureId>?[]? Watched = null);

/// <summary>What a cut did.</summary>
/// <param name="Pre">Pre-activation of the target; null where features compete.</param>
/// <param name="Activation">Its activation.</param>
/// <param name="Active">Sites at which a watched candidate is active after the cut.</param>
internal readonly record struct CutOutcome(double? Pre, double Activation, PredecessorSites Active);
