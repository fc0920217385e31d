namespace FeatureFlow.Flow;

/// <summary>The matches of one feature in one place, best first: a window of a top-k result.</summary>
internal readonly record struct MatchRow(ReadOnlyMemory<int> Indices, ReadOnlyMemory<double> Scores)
{
    /// <summary>The best cosine, whatever its sign; null when nothing was compared.</summary>
    public double? Best => Indices.Length > 0 && Indices.Span[0] >= 0 ? Scores.Span[0] : null;

    /// <summary>
    /// Matches of at least <paramref name="threshold"/>. A match needs a cosine above 0: a zero-norm embedding resembles nothing, and
    /// the index that wins a tie at 0 means nothing.
    /// </summary>
    public IEnumerable<(int Index, double Similarity)> Kept(double threshold)
    {
        for (var i = 0; i < Indices.Length; i++)
        {
            var (index, score) = (Indices.Span[i], Scores.Span[i]);
            if (index < 0 || !(score > 0) || score < threshold) yield break;
            yield return (index, score);
        }
    }
}
