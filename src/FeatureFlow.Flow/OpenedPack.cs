using System.Security.Cryptography;
using System.Text;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// A pack as the shared engine holds it: SAEs opened when needed, descriptions, the flow index when there is one. Holds no file
/// itself, so it needs no disposing and may be kept; safe for several threads.
/// </summary>
public sealed class OpenedPack
{
    private readonly Dictionary<Place, SaeInfo> _infos = [];
    private readonly Lock _lock = new();
    private string? _content;

    internal OpenedPack(FlowEngine engine, Pack pack, FeatureDescriptions descriptions, IReadOnlyDictionary<Place, FileStamp> stamps, string identity, IFeatureMatcher? matcher = null)
    {
        Engine = engine;
        Pack = pack;
        Descriptions = descriptions;
        Identity = identity;
        Stamps = stamps;
        Computed = new ComputedMatches(this);
        Index = FlowIndex.TryOpen(this);
        Matches = Index is null ? Computed : new LayeredMatches(Index, Computed);
        if (matcher is not null) Matches = new NamedMatches(Matches, matcher);
    }

    /// <summary>The engine that holds it.</summary>
    public FlowEngine Engine { get; }

    /// <summary>The pack.</summary>
    public Pack Pack { get; }

    /// <summary>What is said about its features.</summary>
    public FeatureDescriptions Descriptions { get; }

    /// <summary>The pack's flow index, or null when it has none.</summary>
    public FlowIndex? Index { get; }

    /// <summary>What a user should hear once: a flow index that is out of date.</summary>
    public IReadOnlyList<string> Warnings => Index?.Warning is { } warning ? [warning] : [];

    internal string Identity { get; }

    internal IReadOnlyDictionary<Place, FileStamp> Stamps { get; }

    internal ComputedMatches Computed { get; }

    /// <summary>Where matches come from: the flow index as far as it goes, decoders for the rest.</summary>
    internal IMatchSource Matches { get; }

    /// <summary>The same pack with other descriptions: those that were found, not read.</summary>
    public OpenedPack With(FeatureDescriptions descriptions) => new(Engine, Pack, descriptions, Stamps, Identity);

    /// <summary>
    /// The same pack, whose searches and flow graphs go by another matcher than cosine: predecessors, successors and edges are its candidates, similarities its scores.
    /// The matcher must have been made for the pack itself, and give as many candidates as are asked for.
    /// </summary>
    public OpenedPack With(IFeatureMatcher matcher) => new(Engine, Pack, Descriptions, Stamps, Identity, matcher);

    /// <summary>
    /// SHA-256 over layer, site and content of every SAE: equal for copies of a pack, wherever they lie. Reads headers and samples of large
    /// files, small ones whole.
    /// </summary>
    public string ContentHash(CancellationToken cancel = default)
    {
        lock (_lock)
        {
            if (_content is not null) return _content;
        }

        var parts = string.Join('\n', Stamps.OrderBy(s => s.Key).Select(s => $"{s.Key} {ContentId.Of(s.Value, cancel)}"));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(parts)));
        lock (_lock) return _content = hash;
    }

    /// <summary>Facts of the SAE at a layer and site, without reading weights.</summary>
    /// <exception cref="FeatureFlowException">FF4001: the pack has none there; FF30xx: its files are not as they should be.</exception>
    public SaeInfo Info(int layer, Site site)
    {
        var place = new Place(layer, site);
        lock (_lock)
        {
            if (_infos.TryGetValue(place, out var known)) return known;
        }

        using var lease = Lease(layer, site);
        lock (_lock) return _infos[place] = lease.Sae.Info;
    }

    /// <summary>The SAE at a layer and site, for as long as the caller likes; the garbage collector closes it.</summary>
    /// <exception cref="FeatureFlowException">FF4001: the pack has none there; FF30xx: its files are not as they should be.</exception>
    public Sae Sae(int layer, Site site)
    {
        using var lease = Lease(layer, site);
        return lease.HandOut();
    }

    /// <summary>The SAE at a layer and site until the lease is disposed: for work that goes through many SAEs.</summary>
    /// <exception cref="FeatureFlowException">FF4001: the pack has none there; FF30xx: its files are not as they should be.</exception>
    public SaeLease Lease(int layer, Site site)
    {
        var place = new Place(layer, site);
        var sae = Pack.Find(layer, site) ?? throw FlowErrors.NoSae(Pack, place);
        return Engine.Lease(sae, Stamps[place]);
    }

    /// <summary>One feature.</summary>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4002: no such feature.</exception>
    public SaeFeature Feature(FeatureId id) => Features(id.Layer, id.Site, [id.Index]).First();

    /// <summary>Features of one SAE, all or those of <paramref name="indices"/> in that order, one after the other.</summary>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4002: no such feature (before the first is given).</exception>
    public IEnumerable<SaeFeature> Features(int layer, Site site, IReadOnlyList<int>? indices = null, CancellationToken cancel = default)
    {
        var place = new Place(layer, site);
        var count = Check(place, indices ?? []);
        return Stream(place, indices ?? [.. Enumerable.Range(0, count)], cancel);
    }

    /// <summary>The feature's page at Neuronpedia, or null when nobody says where that is.</summary>
    internal string? Url(FeatureId id) =>
        Pack.Find(id.Layer, id.Site)?.NeuronpediaId is { } source || (source = Matches.Info(Place.Of(id)).NeuronpediaId) is not null
            ? FormattableString.Invariant($"https://www.neuronpedia.org/{source}/{id.Index}")
            : null;

    /// <summary>Throws unless the place and all indices exist; returns the number of features.</summary>
    internal int Check(Place place, IEnumerable<int> indices)
    {
        if (Pack.Find(place.Layer, place.Site) is null) throw FlowErrors.NoSae(Pack, place);
        var count = Matches.Info(place).FeatureCount;
        foreach (var index in indices)
        {
            if ((uint)index >= (uint)count) throw FlowErrors.NoFeature(Pack, place, index, count);
        }

        return count;
    }

    private IEnumerable<SaeFeature> Stream(Place place, IReadOnlyList<int> indices, CancellationToken cancel)
    {
        const int Block = 256; // rows converted at a time: small beside any decoder, large beside the cost of a call
        using var lease = Lease(place.Layer, place.Site);
        var biases = lease.Sae.EncoderBias_F.ToFloats(Engine.Tensors);
        for (var start = 0; start < indices.Count; start += Block)
        {
            var block = indices.Skip(start).Take(Block).ToArray();
            var facts = Computed.Facts(place, block, cancel);
            for (var i = 0; i < block.Length; i++)
            {
                var id = place.Feature(block[i]);
                var said = Descriptions.Of(id);
                yield return new SaeFeature
                {
                    Pack = Pack.Source,
                    Layer = id.Layer,
                    Site = id.Site.Name(),
                    Index = id.Index,
                    Threshold = facts.Thresholds[i],
                    Norm = facts.Norms[i],
                    Bias = biases[id.Index],
                    Description = said.Count > 0 ? said[0].Text : null,
                    Descriptions = said.Count > 0 ? said : Array.Empty<FeatureDescription>(), // one object, so that equal features are equal
                    NeuronpediaUrl = Url(id),
                };
            }
        }
    }
}
