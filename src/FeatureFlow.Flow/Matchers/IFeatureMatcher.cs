using FeatureFlow.Models;

namespace FeatureFlow.Flow;

/// <summary>A candidate predecessor.</summary>
/// <param name="Index">Index in its SAE.</param>
/// <param name="Score">Cosine or correlation; NaN where the matcher has none.</param>
public readonly record struct Candidate(int Index, double Score);

/// <summary>Names the candidate predecessors of features: by cosine, by assignment, by correlation. Groups and causal tests take any of them.</summary>
public interface IFeatureMatcher
{
    /// <summary>As tables name it: top1, top5, random, permutation, pearson.</summary>
    string Name { get; }

    /// <summary>Candidates of features, best first, in the order asked; none where a feature has no match.</summary>
    /// <param name="target">Where the features are.</param>
    /// <param name="source">Where candidates are looked for: the residual stream one layer below, or a module of the layer.</param>
    /// <param name="features">Their indices.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    IReadOnlyList<IReadOnlyList<Candidate>> Match(SiteAddress target, SiteAddress source, IReadOnlyList<int> features, CancellationToken cancel);
}
