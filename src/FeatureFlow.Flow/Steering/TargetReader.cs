using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Reads the activations of a few features during a forward pass.</summary>
internal sealed class TargetReader : ISiteHook, IDisposable
{
    private readonly ITensorEngine _engine;
    private readonly Dictionary<SiteAddress, (SaeLease Lease, SaeSelection Features)> _sites = [];
    private readonly Dictionary<SiteAddress, (Tensor Device_TU, Tensor Host_TU)> _buffers = [];
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

    public void Forget() => _seen.Clear();

    public bool Wants(SiteAddress at) => _sites.ContainsKey(at);

    public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
    {
        var features = _sites[at].Features;
        if (!_buffers.TryGetValue(at, out var buffers) || buffers.Host_TU.Shape[0] < batch.Count)
        {
            buffers.Device_TU?.Dispose();
            buffers.Host_TU?.Dispose();
            _buffers[at] = buffers = (_engine.Allocate(DType.F32, batch.Count, features.Features.Count), Tensor.Allocate(DType.F32, batch.Count, features.Features.Count));
        }

        var z_TU = buffers.Device_TU.Rows(0, batch.Count);
        features.Encode(x_TD, z_TU);
        _seen[at] = buffers.Host_TU.Rows(0, batch.Count);
        _engine.Copy(z_TU, _seen[at]);
    }

    public void Dispose()
    {
        foreach (var (device_TU, host_TU) in _buffers.Values)
        {
            device_TU.Dispose();
            host_TU.Dispose();
        }

        foreach (var (lease, features) in _sites.Values)
        {
            features.Dispose();
            lease.Dispose();
        }
    }
}
