using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// Where matches and facts of features come from: computed from decoders, or read from a flow index. Both give the same bits, so
/// that everything above cannot tell them apart.
/// </summary>
internal interface IMatchSource
{
    /// <summary>What the SAE at a place of the pack is, without reading weights.</summary>
    PlaceInfo Info(Place place);

    /// <summary>
    /// The best features of <paramref name="keys"/> for every feature asked about, by cosine of decoder rows; one result per query,
    /// each with K = <paramref name="top"/>. Whatever is read of <paramref name="keys"/> is read once for all queries.
    /// </summary>
    IReadOnlyList<TopKResult> Match(Place keys, IReadOnlyList<MatchQuery> queries, int top, IProgress<double>? progress, CancellationToken cancel);

    /// <summary>Norms and thresholds of some features of a place.</summary>
    FeatureFacts Facts(Place place, int[] indices, CancellationToken cancel);

    /// <summary>A hint that <see cref="Match"/> will be asked for these keys next; returns at once.</summary>
    void Prefetch(Place keys, IReadOnlyList<Place> queries, int top);
}

/// <summary>Number of features, width of a decoder row, <c>model/source</c> at Neuronpedia if known.</summary>
internal sealed record PlaceInfo(int FeatureCount, int Width, string? NeuronpediaId);

/// <summary>Features of one place whose matches are wanted, in any order.</summary>
internal sealed record MatchQuery(Place From, int[] Indices);

/// <summary>Norms of decoder rows, and thresholds where the architecture has them; in the order asked.</summary>
internal sealed record FeatureFacts(double[] Norms, double?[] Thresholds);
