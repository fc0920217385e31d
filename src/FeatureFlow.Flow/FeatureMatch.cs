namespace FeatureFlow.Flow;

/// <summary>
/// One match of a feature with a predecessor or successor: a row of <c>predecessors.csv</c>. Flat, so that it survives remoting and
/// <c>Export-Csv</c>.
/// </summary>
public sealed record FeatureMatch
{
    /// <summary>The pack's source path.</summary>
    public required string Pack { get; init; }

    /// <summary>Layer of the feature asked about.</summary>
    public required int Layer { get; init; }

    /// <summary>Site of the feature asked about.</summary>
    public required string Site { get; init; }

    /// <summary>Index of the feature asked about.</summary>
    public required int Index { get; init; }

    /// <summary>Layer of the match.</summary>
    public required int SourceLayer { get; init; }

    /// <summary>Site of the match.</summary>
    public required string SourceSite { get; init; }

    /// <summary>Index of the match.</summary>
    public required int SourceIndex { get; init; }

    /// <summary>1 for the best of its site.</summary>
    public required int Rank { get; init; }

    /// <summary>Cosine of the unit-normalised decoder rows, −1 to 1.</summary>
    public required double Similarity { get; init; }

    /// <summary>Description of the feature asked about.</summary>
    public string? Description { get; init; }

    /// <summary>Description of the match.</summary>
    public string? SourceDescription { get; init; }

    /// <summary><c>layer/site/index</c> of the feature asked about.</summary>
    public string Feature => $"{Layer}/{Site}/{Index}";

    /// <summary><c>layer/site/index</c> of the match.</summary>
    public string Source => $"{SourceLayer}/{SourceSite}/{SourceIndex}";
}
