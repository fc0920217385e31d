namespace FeatureFlow.Flow;

/// <summary>The figures of a map, flat: a row of a table.</summary>
public sealed record FeatureMapMeasurement
{
    /// <summary>The pack's source path.</summary>
    public string? Pack { get; init; }

    /// <summary>Source layer and site.</summary>
    public string? From { get; init; }

    /// <summary>Target layer and site.</summary>
    public string? To { get; init; }

    /// <summary>How it was made.</summary>
    public MapMethod Method { get; init; }

    /// <summary>What the assignment compared.</summary>
    public MatchCost? Cost { get; init; }

    /// <summary>How the source was folded.</summary>
    public string? Fold { get; init; }

    /// <summary>How the target was folded.</summary>
    public string? TargetFold { get; init; }

    /// <summary>Number of pairs.</summary>
    public int Pairs { get; init; }

    /// <summary>Sum of their costs.</summary>
    public double? TotalCost { get; init; }

    /// <summary>Primal minus dual cost: 0 up to rounding for an assignment.</summary>
    public double? Gap { get; init; }

    /// <summary>Mean squared error of folded decoder rows.</summary>
    public double? DecoderError { get; init; }

    /// <summary>Mean squared error of folded encoder columns.</summary>
    public double? EncoderError { get; init; }

    /// <summary>Mean squared error of folded encoder biases.</summary>
    public double? BiasError { get; init; }

    /// <summary>Mean cosine of the decoder rows of the pairs.</summary>
    public double? MeanSimilarity { get; init; }

    /// <summary>Sources without a target.</summary>
    public int UnmatchedSources { get; init; }

    /// <summary>Targets without a source.</summary>
    public int UnmatchedTargets { get; init; }

    /// <summary>Share of targets that are those of a direct map.</summary>
    public double? Agreement { get; init; }

    /// <summary>Mean norm of the folded decoder rows of the matched sources.</summary>
    public double? SourceNorm { get; init; }

    /// <summary>The same of their targets.</summary>
    public double? TargetNorm { get; init; }

    /// <summary>P(matched feature active | feature active) on texts, mean over the features that fired; null when not measured (<see cref="FeatureActivity"/>).</summary>
    public double? MatchingScore { get; init; }

    /// <summary>Lower end of its confidence interval, over features.</summary>
    public double? MatchingScoreLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? MatchingScoreHigh { get; init; }

    /// <summary>Mean similarity of the descriptions of matched features, 1 different to 3 the same; null when no judge was asked.</summary>
    public double? JudgedSimilarity { get; init; }

    /// <summary>Lower end of its confidence interval, over pairs.</summary>
    public double? JudgedSimilarityLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? JudgedSimilarityHigh { get; init; }

    /// <summary>Share of the pairs that are the same.</summary>
    public double? JudgedSame { get; init; }

    /// <summary>Share of the pairs that are different.</summary>
    public double? JudgedDifferent { get; init; }

    /// <summary>Pairs that were judged.</summary>
    public int? Judged { get; init; }

    /// <summary>Who judged.</summary>
    public string? Judge { get; init; }

    /// <summary>Those of a map.</summary>
    public static FeatureMapMeasurement Of(FeatureMap map) => new()
    {
        Pack = map.Pack,
        From = map.From,
        To = map.To,
        Method = map.Method,
        Cost = map.Cost,
        Fold = map.SourceFold,
        TargetFold = map.TargetFold,
        Pairs = map.Pairs.Count,
        TotalCost = map.TotalCost,
        Gap = map.Certificate?.Gap,
        DecoderError = map.Error?.Decoder,
        EncoderError = map.Error?.Encoder,
        BiasError = map.Error?.EncoderBias,
        MeanSimilarity = map.Pairs.Any(p => p.Similarity is not null) ? map.Pairs.Average(p => p.Similarity) : null,
        UnmatchedSources = map.UnmatchedSources.Count(),
        UnmatchedTargets = map.UnmatchedTargets.Count(),
        Agreement = map.Agreement,
        SourceNorm = map.Error?.SourceNorm,
        TargetNorm = map.Error?.TargetNorm,
    };

    /// <summary>The same with a matching score.</summary>
    public FeatureMapMeasurement With(Interval score) => this with
    {
        MatchingScore = score.Count > 0 ? score.Value : null,
        MatchingScoreLow = score.Known ? score.Low : null,
        MatchingScoreHigh = score.Known ? score.High : null,
    };
}
