using FeatureFlow.Models;

namespace FeatureFlow.Flow;

/// <summary>The partner in the exact one-to-one assignment of the predecessors' dictionary to the targets' (SAE Match, section 3), read backwards.</summary>
/// <param name="pack">The pack.</param>
/// <param name="options">Cost and fold; SAE Match's defaults unless given.</param>
public sealed class AssignmentMatcher(OpenedPack pack, FeatureMapOptions? options = null) : IFeatureMatcher
{
    private readonly Dictionary<(SiteAddress Source, SiteAddress Target), Dictionary<int, Candidate>> _maps = [];

    /// <inheritdoc/>
    public string Name => "permutation";

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<Candidate>> Match(SiteAddress target, SiteAddress source, IReadOnlyList<int> features, CancellationToken cancel)
    {
        pack.Check(new Place(target.Layer, target.Site), features);
        if (!_maps.TryGetValue((source, target), out var partners))
        {
            var map = FeatureMapBuilder.Build(pack, source.Layer, source.Site, target.Layer, target.Site, options, cancel);
            _maps[(source, target)] = partners = map.Pairs.ToDictionary(p => p.Target, p => new Candidate(p.Source, p.Similarity ?? double.NaN));
        }

        return [.. features.Select(f => (IReadOnlyList<Candidate>)(partners.TryGetValue(f, out var partner) ? [partner] : []))];
    }
}
