namespace FeatureFlow.Models.Texts;

/// <summary>Documents as forward passes take them.</summary>
public static class DocumentBatches
{
    /// <summary>Documents in their order, as many together as have so many tokens at most (one at least); empty ones are left out.</summary>
    public static List<List<TokenDocument>> Of(IReadOnlyList<TokenDocument> documents, int tokensTogether)
    {
        ArgumentNullException.ThrowIfNull(documents);
        var batches = new List<List<TokenDocument>>();
        var tokens = tokensTogether;
        foreach (var document in documents.Where(d => d.Ids.Length > 0))
        {
            if (tokens + document.Ids.Length > tokensTogether)
            {
                batches.Add([]);
                tokens = 0;
            }

            batches[^1].Add(document);
            tokens += document.Ids.Length;
        }

        return batches;
    }

    /// <summary>The tokens of a batch that statistics count, by their place in it: never BOS; without the last of each document, those that predict one.</summary>
    public static IEnumerable<int> Counted(TokenBatch batch, IReadOnlyList<TokenDocument> documents, bool last)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(documents);
        for (var i = 0; i < documents.Count; i++)
        {
            for (var t = documents[i].FirstPosition; t < documents[i].Ids.Length - (last ? 0 : 1); t++) yield return batch.Rows[i].Token + t;
        }
    }
}
