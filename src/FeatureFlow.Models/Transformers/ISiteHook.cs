using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// Looks at, and may change, the activations at sites during a forward pass. Sites are visited in the order of computation: in a layer res_pre, att_z,
/// att, tc, mlp, res; where attention and MLP run side by side (NeoX), both read the same input and are added together.
/// </summary>
public interface ISiteHook
{
    /// <summary>True for a site that it wants to see; asked once per site and pass.</summary>
    bool Wants(SiteAddress at);

    /// <summary>The activations at a site, before anything has read them: what is written into them is what the model goes on with.</summary>
    /// <param name="at">The site.</param>
    /// <param name="x_TD">[T, D] float32, dense rows, valid during the call only.</param>
    /// <param name="batch">Which tokens they belong to.</param>
    void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch);
}

/// <summary>Copies of the activations at chosen sites, in host memory.</summary>
public sealed class SiteCapture(ITensorEngine engine, IEnumerable<SiteAddress> sites) : ISiteHook
{
    private readonly HashSet<SiteAddress> _sites = [.. sites];
    private readonly Dictionary<SiteAddress, Tensor> _captured = [];

    /// <summary>What the last pass brought, [T, D] float32 each, by site.</summary>
    public IReadOnlyDictionary<SiteAddress, Tensor> Captured => _captured;

    /// <inheritdoc/>
    public bool Wants(SiteAddress at) => _sites.Contains(at);

    /// <inheritdoc/>
    public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
    {
        var copy = Tensor.Allocate(DType.F32, x_TD.Shape);
        engine.Copy(x_TD, copy);
        _captured[at] = copy;
    }
}

/// <summary>Several hooks, each site shown to them in turn.</summary>
public sealed class SiteHooks(params IReadOnlyList<ISiteHook> hooks) : ISiteHook
{
    /// <inheritdoc/>
    public bool Wants(SiteAddress at) => hooks.Any(h => h.Wants(at));

    /// <inheritdoc/>
    public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
    {
        foreach (var hook in hooks)
        {
            if (hook.Wants(at)) hook.Visit(at, x_TD, batch);
        }
    }
}
