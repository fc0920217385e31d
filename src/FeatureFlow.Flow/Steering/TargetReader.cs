using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Reads the activations of a few features during a forward pass.</summary>
internal sealed class TargetReader : ISiteHook, IDisposable
{
    private readonly ITensorEngine _engine;
    private readonly Dictionary<SiteAddress, (SaeLease Lease, SaeSelection Features)> _sites = [];
    private readonly Dictionary<SiteAddress, Tensor> _seen = [];

    public TargetReader(OpenedPack pack, ITensorEngine engine, IEnumerable<FeatureId> features)
    {
        _engine = engine;
        foreach (var site in features.Distinct().GroupBy(Place.Of))
        {
            pack.Check(site.Key, site.Select(f => f.Index));
            var lease = pack.Lease(site.Key.Layer, site.Key.Site);
            _sites[new SiteAddress(site.Key.Layer, site.Key.Site)] = (lease, new SaeSelection(lease.Sae, engine, [.. site.Select(f => f.Index).Order()]));
        }
    }

    /// <summary>What was read of a feature since <see cref="Forget"/>, or null: a pass that did not come by its site.</summary>
    public float? Activation(FeatureId feature, int token)
    {
        var at = new SiteAddress(feature.Layer, feature.Site);
        if (!_seen.TryGetValue(at, out var z_TU)) return null;
        var features = _sites[at].Features.Features;
        var column = 0;
        while (features[column] != feature.Index) column++;
        return z_TU.AsSpan<float>()[token * features.Count + column];
    }

    public void Forget()
    {
        foreach (var seen in _seen.Values) seen.Dispose();
        _seen.Clear();
    }

    public bool Wants(SiteAddress at) => _sites.ContainsKey(at);

    public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
    {
        var features = _sites[at].Features;
        using var z_TU = _engine.Allocate(DType.F32, batch.Count, features.Features.Count);
        features.Encode(x_TD, z_TU);
        var host = Tensor.Allocate(DType.F32, z_TU.Shape);
        _engine.Copy(z_TU, host);
        if (_seen.Remove(at, out var old)) old.Dispose();
        _seen[at] = host;
    }

    public void Dispose()
    {
        Forget();
        foreach (var (lease, features) in _sites.Values)
        {
            features.Dispose();
            lease.Dispose();
        }
    }
}
