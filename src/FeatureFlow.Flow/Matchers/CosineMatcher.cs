using FeatureFlow.Models;

namespace FeatureFlow.Flow;

/// <summary>The k best by cosine of decoder rows, above 0 (Feature Flow, section 3.2).</summary>
/// <param name="pack">The pack.</param>
/// <param name="top">k.</param>
public sealed class CosineMatcher(OpenedPack pack, int top = 1) : IFeatureMatcher
{
    /// <inheritdoc/>
    public string Name => FormattableString.Invariant($"top{top}");

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<Candidate>> Match(SiteAddress target, SiteAddress source, IReadOnlyList<int> features, CancellationToken cancel)
    {
        var (from, to) = (new Place(target.Layer, target.Site), new Place(source.Layer, source.Site));
        pack.Check(from, features);
        var found = pack.Matches.Match(to, [new MatchQuery(from, [.. features])], top, null, cancel)[0];
        return [.. features.Select((_, i) => (IReadOnlyList<Candidate>)[.. Enumerable.Range(i * found.K, found.K).Where(j => found.Indices_QK[j] >= 0 && found.Scores_QK[j] > 0).Select(j => new Candidate(found.Indices_QK[j], found.Scores_QK[j]))])];
    }
}

/// <summary>One of the k best by cosine, drawn for every feature and site by a seed: what a match is worth beyond being near.</summary>
/// <param name="pack">The pack.</param>
/// <param name="top">k.</param>
/// <param name="seed">Seed of the draws.</param>
public sealed class RandomMatcher(OpenedPack pack, int top = 5, ulong seed = 0) : IFeatureMatcher
{
    private const ulong Key = 0xF1A9;
    private readonly CosineMatcher _best = new(pack, top);

    /// <inheritdoc/>
    public string Name => "random";

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<Candidate>> Match(SiteAddress target, SiteAddress source, IReadOnlyList<int> features, CancellationToken cancel) =>
        [.. _best.Match(target, source, features, cancel).Select((c, i) => (IReadOnlyList<Candidate>)(c.Count == 0 ? [] : [c[Draw(target, source, features[i], c.Count)]]))];

    private int Draw(SiteAddress target, SiteAddress source, int feature, int count) =>
        new Prng(seed, Key, (ulong)target.Layer, (ulong)target.Site, (ulong)feature, (ulong)source.Layer, (ulong)source.Site).Next(count);
}
