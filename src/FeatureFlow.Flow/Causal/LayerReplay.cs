using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// One clean pass over a document, from which single tokens are computed anew through single layers under any number of cuts: only what a cut inside a layer
/// can change is recomputed, with the keys and values of the other tokens as the clean pass left them, many cuts as one batch (METHODS: causal tests).
/// </summary>
internal sealed class LayerReplay : ISiteHook, IDisposable
{
    /// <summary>Bytes of copied keys and values at most.</summary>
    private const long CacheBytes = 128L << 20;
    private const int MostTogether = 96;

    private readonly OpenedPack _pack;
    private readonly LanguageModel _model;
    private readonly int[] _ids;
    private readonly int[] _positions;
    private readonly KvCache _clean;
    private readonly Dictionary<int, Tensor> _inputs = [];
    private readonly CancellationToken _cancel;

    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="document">The document.</param>
    /// <param name="positions">Positions at which cuts will be made; activations are read there.</param>
    /// <param name="targets">Places of the targets, with the places of their predecessors.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public LayerReplay(OpenedPack pack, LanguageModel model, TokenDocument document, int[] positions, IReadOnlyDictionary<Place, Lanes> targets, CancellationToken cancel)
    {
        (_pack, _model, _ids, _positions, _cancel) = (pack, model, document.Ids, positions, cancel);
        foreach (var layer in targets.Keys.Select(t => t.Layer)) _inputs[layer] = model.Engine.Allocate(DType.F32, positions.Length, model.Config.Width);
        _clean = model.NewCache(1, _ids.Length);
        Activations = new ActivationReader(pack, model, targets.Keys.Concat(targets.Values.SelectMany(l => l.All()).Select(l => l.Place)), cancel);
        try
        {
            Activations.Choose(positions);
            model.Forward(
                new TokenBatch([_ids]),
                new ForwardOptions { Cache = _clean, Hook = new SiteHooks(this, Activations), LastLayer = targets.Keys.Max(t => t.Layer), Logits = LogitsWanted.None },
                cancel).Dispose();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Activations of the clean pass, a row for every position.</summary>
    public ActivationReader Activations { get; }

    bool ISiteHook.Wants(SiteAddress at) => at.Site == Site.ResPre && _inputs.ContainsKey(at.Layer);

    void ISiteHook.Visit(SiteAddress at, Tensor x_TD, TokenBatch batch) => _model.Engine.GatherRows(x_TD, _positions, _inputs[at.Layer]);

    /// <summary>Tries cuts; outcomes in their order.</summary>
    /// <param name="target">Where the targets are: the output of a layer, or one of its modules.</param>
    /// <param name="lanes">Where their predecessors are.</param>
    /// <param name="cuts">Any number.</param>
    public CutOutcome[] Run(Place target, Lanes lanes, IReadOnlyList<Cut> cuts)
    {
        var outcomes = new CutOutcome[cuts.Count];
        if (cuts.Count == 0) return outcomes;

        // later positions first: every row of the cache is filled once, and the prefix of a later batch is a part of what it holds
        int[] order = [.. Enumerable.Range(0, cuts.Count).OrderByDescending(i => _positions[cuts[i].Row])];
        var longest = _positions[cuts[order[0]].Row];
        var bytes = 2L * sizeof(float) * (longest + 1) * _model.Config.KeyValueHeads * _model.Config.HeadWidth;
        var together = (int)Math.Clamp(CacheBytes / bytes, 8, Math.Min(MostTogether, Math.Max(8, cuts.Count)));
        using var cache = _model.NewLayerCache(target.Layer, Math.Min(together, cuts.Count), longest + 1);
        for (var row = 0; row < cache.Rows; row++) cache.CopyFrom(_clean, 0, row, longest);
        using var lease = _pack.Lease(target.Layer, target.Site);
        using var features = target.Site == Site.Res ? new SaeSelection(lease.Sae, _model.Engine, [.. cuts.Select(c => c.Feature).Distinct().Order()]) : null;
        for (var start = 0; start < order.Length; start += cache.Rows)
        {
            _cancel.ThrowIfCancellationRequested();
            Batch(target, lanes, cuts, order.AsSpan(start, Math.Min(cache.Rows, order.Length - start)).ToArray(), cache, features, outcomes);
        }

        return outcomes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Activations?.Dispose();
        _clean?.Dispose();
        foreach (var input in _inputs.Values) input.Dispose();
    }

    private void Batch(Place target, Lanes lanes, IReadOnlyList<Cut> cuts, int[] which, KvCache cache, SaeSelection? features, CutOutcome[] outcomes)
    {
        var (engine, n) = (_model.Engine, which.Length);
        for (var row = 0; row < n; row++) cache.Truncate(row, _positions[cuts[which[row]].Row]);
        var batch = TokenBatch.Continue(cache, [.. which.Select(i => new[] { _ids[_positions[cuts[i].Row]] })]);
        using var set = new InterventionSet(_pack, _model, [.. which.Select(i => cuts[i].Edits)], _cancel);
        using var edits = set.Hook([.. which.Select((_, i) => new RowEdits(i))]);
        using var watch = new TargetReader(_pack, engine, which.SelectMany(i => (cuts[i].Watched?.SelectMany(w => w ?? []) ?? []).Concat(features is null ? [target.Feature(cuts[i].Feature)] : [])));
        var hook = new SiteHooks(edits, watch);
        using var x_ND = engine.Allocate(DType.F32, n, _model.Config.Width);
        engine.GatherRows(_inputs[target.Layer], [.. which.Select(i => cuts[i].Row)], x_ND);

        // the output of the layer below is the input of this one: the pass begins behind it, so what is done there is done here
        if (lanes.Res is { Site: Site.Res } below && hook.Wants(below.Address)) hook.Visit(below.Address, x_ND, batch);
        using var pass = _model.Forward(batch, new ForwardOptions { FirstLayer = target.Layer, LastLayer = target.Layer, Resid_TD = x_ND, Cache = cache, Hook = hook, Logits = LogitsWanted.None }, _cancel);

        if (features is null)
        {
            for (var row = 0; row < n; row++) outcomes[which[row]] = new CutOutcome(null, watch.Activation(target.Feature(cuts[which[row]].Feature), row) ?? 0, PredecessorSites.None);
            return;
        }

        var width = features.Features.Count;
        using var z_NU = engine.Allocate(DType.F32, n, width);
        using var pre_NU = engine.Allocate(DType.F32, n, width);
        features.Encode(pass.Resid_TD, z_NU, cancel: _cancel);
        var knowsPre = features.PreActivations(pass.Resid_TD, pre_NU, _cancel);
        float[] z = Host(z_NU), pre = Host(pre_NU);
        var columns = features.Features.Select((f, i) => (f, i)).ToDictionary(p => p.f, p => p.i);
        for (var row = 0; row < n; row++)
        {
            var cut = cuts[which[row]];
            var at = (row * width) + columns[cut.Feature];
            var active = PredecessorSites.None;
            for (var kind = 0; cut.Watched is { } watched && kind < watched.Length; kind++)
            {
                foreach (var candidate in watched[kind] ?? [])
                {
                    if (watch.Activation(candidate, row) > 0) active |= ActivationGroups.Sites[kind];
                }
            }

            outcomes[which[row]] = new CutOutcome(knowsPre ? pre[at] : null, z[at], active);
        }

        float[] Host(Tensor values)
        {
            using var host = Tensor.Allocate(DType.F32, values.Shape);
            engine.Copy(values, host);
            return host.AsSpan<float>().ToArray();
        }
    }
}
