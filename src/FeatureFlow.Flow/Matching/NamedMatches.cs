using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Matches that a matcher names, with the facts of the pack: searches and graphs then go by assignment or correlation as they do by cosine.</summary>
internal sealed class NamedMatches(IMatchSource facts, IFeatureMatcher matcher) : IMatchSource
{
    public PlaceInfo Info(Place place) => facts.Info(place);

    public IReadOnlyList<TopKResult> Match(Place keys, IReadOnlyList<MatchQuery> queries, int top, IProgress<double>? progress, CancellationToken cancel) =>
        [.. queries.Select(query => Rows(matcher.Match(query.From.Address, keys.Address, query.Indices, cancel), top))];

    public FeatureFacts Facts(Place place, int[] indices, CancellationToken cancel) => facts.Facts(place, indices, cancel);

    public void Prefetch(Place keys, IReadOnlyList<Place> queries, int top)
    {
        // a matcher reads what it needs by itself
    }

    private static TopKResult Rows(IReadOnlyList<IReadOnlyList<Candidate>> found, int top)
    {
        var rows = new TopKResult(top, new int[found.Count * top], new double[found.Count * top]);
        rows.Indices_QK.AsSpan().Fill(-1);
        rows.Scores_QK.AsSpan().Fill(double.NegativeInfinity);
        for (var q = 0; q < found.Count; q++)
        {
            for (var k = 0; k < Math.Min(top, found[q].Count); k++) (rows.Indices_QK[(q * top) + k], rows.Scores_QK[(q * top) + k]) = found[q][k];
        }

        return rows;
    }
}
