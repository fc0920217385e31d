using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>A site of a source, and the width of its activations.</summary>
public readonly record struct ActivationSite(SiteAddress Address, int Width);

/// <summary>
/// Activations of one text at several sites, one row a token, the same token in the same row of every site. Rows are found by number alone, so that a
/// run can be taken up anywhere; BOS positions are left out (METHODS 9).
/// </summary>
public interface IActivationSource : IDisposable
{
    /// <summary>What there is.</summary>
    IReadOnlyList<ActivationSite> Sites { get; }

    /// <summary>Tokens of one pass over the text.</summary>
    long RowsPerEpoch { get; }

    /// <summary>Tells one source from another: a checkpoint made with another is refused.</summary>
    string Identity { get; }

    /// <summary>
    /// Rows <paramref name="start"/> ... of a pass, in that pass' own order, a function of these numbers alone.
    /// </summary>
    /// <param name="epoch">Which pass, from 0.</param>
    /// <param name="start">The first row.</param>
    /// <param name="x_ND">[N,d] float32 for every one of <see cref="Sites"/>, overwritten; null for a site that nobody asks for.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    void Read(int epoch, long start, IReadOnlyList<Tensor?> x_ND, CancellationToken cancel = default);
}

/// <summary>Looking things up in a source.</summary>
internal static class ActivationSources
{
    /// <summary>Where in <see cref="IActivationSource.Sites"/> an address is.</summary>
    /// <exception cref="FeatureFlowException">FF3103: it is not there.</exception>
    public static int Place(this IActivationSource source, SiteAddress address)
    {
        for (var i = 0; i < source.Sites.Count; i++)
        {
            if (source.Sites[i].Address == address) return i;
        }

        throw SaeErrors.NoSuchSite(address, source.Sites.Select(s => s.Address.ToString()));
    }

    /// <summary>Where an SAE reads.</summary>
    /// <exception cref="FeatureFlowException">FF3111: its files do not say.</exception>
    public static SiteAddress Address(this Sae sae) =>
        sae.Info is { Site: { } site, Layer: { } layer } ? new SiteAddress(layer, site) : throw SaeErrors.NoPlace(sae.Info.Path);
}
