using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>How the features of two dictionaries are put together (METHODS 2).</summary>
public enum MapMethod
{
    /// <summary>SAE Match: one to one, least total cost.</summary>
    Assignment,

    /// <summary>The k targets of largest decoder cosine for every source, where it is positive (Feature Flow, section 3.2 and appendix F).</summary>
    Cosine,

    /// <summary>A composition of other maps (SAE Match, section 3.2).</summary>
    Composed,

    /// <summary>The k targets of largest correlation of activations over tokens for every source, where it is positive (Feature Flow, appendix C.4); similarities are correlations.</summary>
    Pearson,
}

/// <summary>Which parameters an assignment compares, by squared error.</summary>
public enum MatchCost
{
    /// <summary>Decoder rows.</summary>
    Decoder,

    /// <summary>Encoder columns.</summary>
    Encoder,

    /// <summary>Decoder rows, encoder columns and encoder bias, each with its weight: SAE Match's default.</summary>
    Both,
}

/// <summary>How a map is made.</summary>
public sealed record FeatureMapOptions
{
    /// <summary>Assignment or cosine.</summary>
    public MapMethod Method { get; init; } = MapMethod.Assignment;

    /// <summary>What the assignment compares.</summary>
    public MatchCost Cost { get; init; } = MatchCost.Both;

    /// <summary>Compare folded parameters (SAE Match, section 3.1).</summary>
    public bool Folded { get; init; } = true;

    /// <summary>How to fold; null for thresholds where the architecture has them, decoder norms elsewhere.</summary>
    public FoldRule? Fold { get; init; }

    /// <summary>Mean positive activations of the source's features, [F], for <see cref="FoldRule.MeanActivation"/> (<see cref="FeatureActivity"/>).</summary>
    public double[]? SourceMeans { get; init; }

    /// <summary>The same of the target's.</summary>
    public double[]? TargetMeans { get; init; }

    /// <summary>Weight of the decoder term of <see cref="MatchCost.Both"/>.</summary>
    public double DecoderWeight { get; init; } = 1;

    /// <summary>Weight of the encoder term.</summary>
    public double EncoderWeight { get; init; } = 1;

    /// <summary>Weight of the encoder bias term.</summary>
    public double BiasWeight { get; init; } = 1;

    /// <summary>Targets of a source, for cosine maps.</summary>
    public int Top { get; init; } = 1;

    /// <summary>Cosine maps: weigh pairs by their cosine instead of by 1.</summary>
    public bool Weighted { get; init; }

    /// <summary>How the assignment is looked for.</summary>
    public AssignmentOptions Assignment { get; init; } = new();
}

/// <summary>A source feature and a target feature that belong together.</summary>
/// <param name="Source">Index in the source dictionary.</param>
/// <param name="Target">Index in the target dictionary.</param>
/// <param name="Cost">Squared error of the compared parameters; null where none was asked for.</param>
/// <param name="Similarity">Cosine of the decoder rows; null where it is not defined.</param>
/// <param name="Weight">Entry of the map's matrix: 1, or the cosine of weighted maps.</param>
public readonly record struct FeaturePair(int Source, int Target, double? Cost, double? Similarity, double Weight = 1)
{
    /// <summary>Mean squared error of the folded decoder rows (SAE Match, figures 5 and 6); null for maps without parameters.</summary>
    public double? DecoderError { get; init; }
}

/// <summary>
/// Mean squared error of the matched features by group of parameters, always on folded parameters (SAE Match, figure 3), over all elements of a group.
/// </summary>
/// <param name="Decoder">Of decoder rows.</param>
/// <param name="Encoder">Of encoder columns.</param>
/// <param name="EncoderBias">Of encoder biases.</param>
public readonly record struct MapError(double Decoder, double Encoder, double EncoderBias)
{
    /// <summary>Mean norm of the folded decoder rows of the matched sources (SAE Match, figure 1).</summary>
    public double SourceNorm { get; init; }

    /// <summary>The same of their targets.</summary>
    public double TargetNorm { get; init; }
}

/// <summary>Which feature of one SAE is which of another: an object to compose, measure, write and approximate with.</summary>
public sealed record FeatureMap
{
    /// <summary>The pack's source path; null for maps read from files.</summary>
    public string? Pack { get; init; }

    /// <summary>Source layer and site, as <c>3/res</c>; null where unknown.</summary>
    public string? From { get; init; }

    /// <summary>Target layer and site, as <c>4/res</c>; null where unknown.</summary>
    public string? To { get; init; }

    /// <summary>How it was made.</summary>
    public required MapMethod Method { get; init; }

    /// <summary>What the assignment compared; null for others.</summary>
    public MatchCost? Cost { get; init; }

    /// <summary>How the compared parameters of the source were folded: <c>threshold</c>, <c>decoder-norm</c>, <c>mean-activation</c> or <c>none</c>.</summary>
    public string? SourceFold { get; init; }

    /// <summary>The same of the target.</summary>
    public string? TargetFold { get; init; }

    /// <summary>Source features without a fold (θ ≤ 0): they keep scale 1.</summary>
    public int SourceUnscaled { get; init; }

    /// <summary>Target features without a fold.</summary>
    public int TargetUnscaled { get; init; }

    /// <summary>Number of source features.</summary>
    public required int SourceCount { get; init; }

    /// <summary>Number of target features.</summary>
    public required int TargetCount { get; init; }

    /// <summary>The pairs, by source; of one source the best first.</summary>
    public required IReadOnlyList<FeaturePair> Pairs { get; init; }

    /// <summary>Sum of the pairs' costs; null where they have none.</summary>
    public double? TotalCost { get; init; }

    /// <summary>Folded errors of the pairs; null for maps without parameters.</summary>
    public MapError? Error { get; init; }

    /// <summary>The proof of an assignment.</summary>
    public AssignmentCertificate? Certificate { get; init; }

    /// <summary>What the assignment took.</summary>
    public AssignmentWork? Work { get; init; }

    /// <summary>Share of the sources of a direct map whose target is the same; null where there was none to compare with.</summary>
    public double? Agreement { get; init; }

    /// <summary>Sources without a target.</summary>
    public IEnumerable<int> UnmatchedSources => Enumerable.Range(0, SourceCount).Except(Pairs.Select(p => p.Source));

    /// <summary>Targets without a source.</summary>
    public IEnumerable<int> UnmatchedTargets => Enumerable.Range(0, TargetCount).Except(Pairs.Select(p => p.Target));

    /// <summary>For every source its best target, −1 for none.</summary>
    public int[] Targets()
    {
        var targets = new int[SourceCount];
        Array.Fill(targets, -1);
        foreach (var pair in Pairs)
        {
            if (targets[pair.Source] < 0) targets[pair.Source] = pair.Target;
        }

        return targets;
    }

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{From ?? "?"} -> {To ?? "?"}, {Method.ToString().ToLowerInvariant()}, {Pairs.Count} pairs");
}
