using FeatureFlow.Models.Texts;

namespace FeatureFlow.Flow;

/// <summary>A text, and the positions of it that are looked at.</summary>
/// <param name="Dataset">The corpus it is from.</param>
/// <param name="Sequence">Its number in the corpus.</param>
/// <param name="Document">Its tokens.</param>
/// <param name="Positions">Positions, never BOS.</param>
public sealed record SampledText(string Dataset, int Sequence, TokenDocument Document, IReadOnlyList<int> Positions)
{
    /// <summary>Random positions of every document, in order (<see cref="Sampling.Positions"/>).</summary>
    /// <param name="documents">Documents with the names of their corpora.</param>
    /// <param name="positions">Positions of each.</param>
    /// <param name="seed">Seed of the draws.</param>
    public static IReadOnlyList<SampledText> Draw(IEnumerable<(string Corpus, TokenDocument Document)> documents, int positions, ulong seed)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. documents.Select(d =>
        {
            var number = numbers.GetValueOrDefault(d.Corpus);
            numbers[d.Corpus] = number + 1;
            return new SampledText(d.Corpus, number, d.Document, Sampling.Positions(d.Document, positions, seed, number));
        })];
    }

    /// <summary>Given positions, a list of (sequence, position); documents without any are left out.</summary>
    /// <param name="documents">Documents of one corpus, or of several laid one after the other.</param>
    /// <param name="positions">Number of the document, position in it.</param>
    /// <exception cref="FeatureFlowException">FF4080, FF4081: no such document or position, or BOS.</exception>
    public static IReadOnlyList<SampledText> At(IReadOnlyList<(string Corpus, TokenDocument Document)> documents, IEnumerable<(int Sequence, int Position)> positions)
    {
        var wanted = positions.Distinct().ToLookup(p => p.Sequence, p => p.Position);
        foreach (var sequence in wanted)
        {
            if ((uint)sequence.Key >= (uint)documents.Count) throw FlowErrors.NoText(sequence.Key, documents.Count);
            var document = documents[sequence.Key].Document;
            foreach (var position in sequence)
            {
                if (position < document.FirstPosition || position >= document.Ids.Length) throw FlowErrors.NoPosition(sequence.Key, position, document);
            }
        }

        return [.. documents.Select((d, i) => new SampledText(d.Corpus, i, d.Document, [.. wanted[i]])).Where(t => t.Positions.Count > 0)];
    }
}
