namespace FeatureFlow.Flow;

/// <summary>A residual feature at a token, whose predecessors are cut.</summary>
/// <param name="Sequence">Number of the text.</param>
/// <param name="Position">Position in it.</param>
/// <param name="Layer">Layer.</param>
/// <param name="Feature">Index.</param>
public readonly record struct CausalTarget(int Sequence, int Position, int Layer, int Feature);

/// <summary>What removing the active predecessors of a target did to it: a row of <c>causal.csv</c> (Feature Flow, section 5.2).</summary>
/// <param name="Target">The target.</param>
/// <param name="Strategy">Who named the predecessors.</param>
/// <param name="Group">Sites that count: a candidate was active there.</param>
/// <param name="Removed">What was removed: all candidates of those sites.</param>
/// <param name="ZOld">Activation before.</param>
/// <param name="ZNew">Activation after.</param>
/// <param name="PreNew">Pre-activation after; null where features compete.</param>
/// <param name="Threshold">θ of the target, or null.</param>
/// <param name="GroupAfter">Sites at which a candidate is active after the cut; null where that was not asked.</param>
/// <param name="ZNewRecorded">Activation after, with the activations of the clean run removed instead of those that arrive; null where not computed.</param>
public sealed record CausalRow(
    CausalTarget Target, string Strategy, PredecessorSites Group, IReadOnlyList<string> Removed, double ZOld, double ZNew, double? PreNew, double? Threshold,
    PredecessorSites? GroupAfter, double? ZNewRecorded)
{
    /// <summary>1 − z_new/z_old.</summary>
    public double ActivationChange => 1 - (ZNew / ZOld);

    /// <summary>The target is silent after the cut.</summary>
    public bool Deactivated => ZNew == 0;

    /// <summary>The group after the cut, in words; null where it was not asked.</summary>
    public string? GroupAfterName => GroupAfter is not { } group ? null : Deactivated ? ActivationGroups.Deactivated : group.Name();
}

/// <summary>One site cut alone: a row of <c>one_at_a_time.csv</c>.</summary>
/// <param name="Site">The site.</param>
/// <param name="Row">What it did; its group is that of the target.</param>
public sealed record OneSiteRow(PredecessorSites Site, CausalRow Row);

/// <summary>Predecessors rescaled: a row of <c>rsweep.csv</c>.</summary>
/// <param name="R">Factor of their activations.</param>
/// <param name="Row">What it did.</param>
public sealed record RescaleRow(double R, CausalRow Row);

/// <summary>What a cut did to the loss of the whole text: a row of <c>loss.csv</c>.</summary>
/// <param name="Target">The target.</param>
/// <param name="Removed">What was rescaled.</param>
/// <param name="R">By what.</param>
/// <param name="LossOld">Mean cross-entropy of the text before, nats.</param>
/// <param name="LossNew">After.</param>
public sealed record CutLossRow(CausalTarget Target, IReadOnlyList<string> Removed, double R, double LossOld, double LossNew)
{
    /// <summary>(L_new − L_old)/L_old.</summary>
    public double RelativeChange => (LossNew - LossOld) / LossOld;
}

/// <summary>How often cuts silence their target: a row of <c>summary.csv</c>.</summary>
/// <param name="Strategy">Strategy.</param>
/// <param name="Layer">Layer, or null for all.</param>
/// <param name="Group">Group, or null for all.</param>
/// <param name="Targets">Targets.</param>
/// <param name="WithPredecessor">Targets with an active predecessor.</param>
/// <param name="Deactivated">Of those, silenced.</param>
/// <param name="Success">Success rate with its interval (Wilson).</param>
/// <param name="Change">Mean activation change with its interval (bootstrap).</param>
public sealed record CausalSummary(string Strategy, int? Layer, PredecessorSites? Group, int Targets, int WithPredecessor, int Deactivated, Interval? Success, Interval? Change);
