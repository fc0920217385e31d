using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>What is measured (METHODS 5).</summary>
public sealed record ApproximationOptions
{
    /// <summary>First layers t of the pairs t → t+1; null for every pair of neighbours with residual SAEs.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>Shares of the pairs, those of smallest folded decoder error first, that go through the permutation (SAE Match, appendix B).</summary>
    public IReadOnlyList<double> Quantiles { get; init; } = [0, 0.25, 0.5, 0.75, 1];

    /// <summary>k of the transition maps (Feature Flow, appendix F).</summary>
    public IReadOnlyList<int> TransitionTops { get; init; } = [1, 2];

    /// <summary>Measure how the loss rises: a forward pass for every substitute.</summary>
    public bool Losses { get; init; } = true;

    /// <summary>What the assignments compare.</summary>
    public MatchCost Cost { get; init; } = MatchCost.Both;

    /// <summary>More permutations to use as transition maps, by what they compare, each found folded and unfolded (Feature Flow, figure 23).</summary>
    public IReadOnlyList<PermutationKind> Permutations { get; init; } = [];

    /// <summary>How to fold; null for thresholds where the architecture has them, decoder norms elsewhere.</summary>
    public FoldRule? Fold { get; init; }

    /// <summary>Intervals over documents (over features for matching scores).</summary>
    public Bootstrap Bootstrap { get; init; } = new();
}

/// <summary>What a permutation compares.</summary>
public enum PermutationKind
{
    /// <summary>Decoder rows.</summary>
    Decoder,

    /// <summary>Encoder columns.</summary>
    Encoder,

    /// <summary>Both, without the encoder bias.</summary>
    DecoderEncoder,

    /// <summary>Both, and the encoder bias.</summary>
    Both,
}

/// <summary>One substitute for the hidden state of a layer: a row of <c>approx.csv</c>.</summary>
/// <param name="Layer">t: the state of layer t+1 is substituted.</param>
/// <param name="Substitute">layer-drop, encode-decode-current, encode-decode-previous, encode-permute-decode, encode-permute-decode-unfolded or quantile-q.</param>
/// <param name="ExplainedVariance">1 − Var(x̂ − x)/Var(x), a constant error being free.</param>
/// <param name="ExplainedVarianceUncentred">1 − mean |x̂ − x|²/Var(x).</param>
/// <param name="CrossEntropy">Mean next-token cross-entropy with the substitute, nats; null when not measured.</param>
/// <param name="DeltaCrossEntropy">Its rise.</param>
/// <param name="MatchingScore">P(matched feature active at t+1 | feature active at t), unweighted over features that fired; null where nothing is matched.</param>
public sealed record LayerApproximation(int Layer, string Substitute, double ExplainedVariance, double ExplainedVarianceUncentred, double? CrossEntropy, double? DeltaCrossEntropy, double? MatchingScore)
{
    /// <summary>Interval of the explained variance over documents (blocks of some where there are more than 200), the means being held fixed; null where there are too few.</summary>
    public Interval? ExplainedVarianceInterval { get; init; }

    /// <summary>Interval of the rise of the cross-entropy over documents.</summary>
    public Interval? DeltaInterval { get; init; }

    /// <summary>Interval of the matching score over features.</summary>
    public Interval? MatchingInterval { get; init; }

    /// <summary>What was folded by: <c>threshold</c>, <c>decoder-norm</c> or <c>mean-activation</c>.</summary>
    public string Fold { get; init; } = "";
}

/// <summary>A transition map used as a translayer transcoder: a row of <c>transitions.csv</c>.</summary>
/// <param name="Layer">t.</param>
/// <param name="Map">indicator-topK, weighted-topK, permutation, or permutation-COMPARED-(folded|unfolded).</param>
/// <param name="Inference">folded: activations and decoder rows folded; plain: neither.</param>
/// <param name="ExplainedVariance">1 − Var(x̂ − x)/Var(x).</param>
public sealed record TransitionApproximation(int Layer, string Map, string Inference, double ExplainedVariance)
{
    /// <summary>Interval over documents; null where there are too few.</summary>
    public Interval? ExplainedVarianceInterval { get; init; }
}

/// <summary>What an SAE does on the texts: a row of <c>layers.csv</c>.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Site">Site.</param>
/// <param name="MeanNorm">Mean L2 norm of the states.</param>
/// <param name="MeanTheta">Mean threshold; null where there are none.</param>
/// <param name="MeanL0">Active features of a token.</param>
/// <param name="NeverFired">Features that are active at none of the tokens.</param>
public sealed record LayerStatistics(int Layer, string Site, double MeanNorm, double? MeanTheta, double MeanL0, int NeverFired);

/// <summary>Everything <see cref="LayerApproximations.Measure"/> found.</summary>
/// <param name="Tokens">Tokens measured; BOS is left out.</param>
/// <param name="CrossEntropy">Loss of the untouched model; null when not measured.</param>
/// <param name="Layers">Every SAE of the pack.</param>
/// <param name="Approximations">Substitutes by layer.</param>
/// <param name="Transitions">Transition maps by layer.</param>
/// <param name="Maps">The folded permutations t → t+1.</param>
public sealed record ApproximationResult(
    long Tokens, double? CrossEntropy, IReadOnlyList<LayerStatistics> Layers, IReadOnlyList<LayerApproximation> Approximations, IReadOnlyList<TransitionApproximation> Transitions, IReadOnlyList<FeatureMap> Maps);
