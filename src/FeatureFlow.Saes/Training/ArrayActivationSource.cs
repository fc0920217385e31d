using System.Globalization;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>Activations that lie in memory or in a mapped file; every pass has an order of its own, drawn from the seed.</summary>
public sealed class ArrayActivationSource : IActivationSource
{
    private readonly ITensorEngine _engine;
    private readonly IReadOnlyList<Tensor> _x_ND;
    private readonly ulong _seed;
    private readonly TensorFile? _file;
    private (int Epoch, int[] Order)? _order;

    /// <summary>Over tensors [N,d] of any floating type, which stay the caller's.</summary>
    public ArrayActivationSource(ITensorEngine engine, IReadOnlyList<(SiteAddress Address, Tensor X_ND)> sites, ulong seed, string identity)
        : this(engine, sites, seed, identity, null)
    {
    }

    private ArrayActivationSource(ITensorEngine engine, IReadOnlyList<(SiteAddress Address, Tensor X_ND)> sites, ulong seed, string identity, TensorFile? file)
    {
        if (sites.Count == 0) throw SaeErrors.NoSites(identity);
        foreach (var (address, x) in sites)
        {
            if (x.Rank != 2 || !x.DType.IsComputable() || x.Shape[0] != sites[0].X_ND.Shape[0]) throw SaeErrors.Activations(identity, address.TensorName, x, sites[0].X_ND.Shape[0]);
        }

        (_engine, _seed, _file) = (engine, seed, file);
        _x_ND = [.. sites.Select(s => s.X_ND)];
        Sites = [.. sites.Select(s => new ActivationSite(s.Address, s.X_ND.Shape[1]))];
        RowsPerEpoch = sites[0].X_ND.Shape[0];
        Identity = string.Create(CultureInfo.InvariantCulture, $"{identity} rows {RowsPerEpoch} seed {seed}");
    }

    /// <inheritdoc/>
    public IReadOnlyList<ActivationSite> Sites { get; }

    /// <inheritdoc/>
    public long RowsPerEpoch { get; }

    /// <inheritdoc/>
    public string Identity { get; }

    /// <summary>The tensors <c>site.layer</c> of a safetensors or npz file, as <c>featureflow activations</c> writes them; [B,T,d] is taken as rows.</summary>
    /// <exception cref="FeatureFlowException">FF3105: no such tensor in it; FF3106: not activations.</exception>
    public static ArrayActivationSource Open(ITensorEngine engine, string path, ulong seed)
    {
        var file = TensorFile.Open(path);
        try
        {
            var sites = new List<(SiteAddress, Tensor)>();
            foreach (var entry in file.Entries)
            {
                var dot = entry.Name.LastIndexOf('.');
                if (dot < 0 || !FeatureFlow.Sites.TryParse(entry.Name[..dot], out var site) || !int.TryParse(entry.Name[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var layer)) continue;
                var x = file.Get(entry.Name);
                sites.Add((new SiteAddress(layer, site), x.Rank == 3 ? x.Reshape(x.Shape[0] * x.Shape[1], x.Shape[2]) : x));
            }

            if (sites.Count == 0) throw SaeErrors.NoSites(path);
            sites.Sort((a, b) => a.Item1.CompareTo(b.Item1));
            return new ArrayActivationSource(engine, sites, seed, Path.GetFileName(path), file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Read(int epoch, long start, IReadOnlyList<Tensor?> x_ND, CancellationToken cancel = default)
    {
        if (_order is not { } order || order.Epoch != epoch)
        {
            var all = Enumerable.Range(0, (int)RowsPerEpoch).ToArray();
            new Prng(_seed, (ulong)epoch).Shuffle(all.AsSpan());
            _order = order = (epoch, all);
        }

        for (var i = 0; i < x_ND.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            if (x_ND[i] is { } x) _engine.GatherRows(_x_ND[i], order.Order.AsSpan((int)start, x.Shape[0]), x);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();
}
