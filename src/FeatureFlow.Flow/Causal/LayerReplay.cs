using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// One clean pass over a document, from which single tokens are computed anew through single layers under any number of cuts, many as one batch. Only what a cut can change
/// is computed: behind a cut of the layer's input all of the layer, behind one of what attention adds the MLP, behind one of what the MLP adds a sum. Everything else, the keys
/// and values of the other tokens too, is as the clean pass left it (METHODS: causal tests).
/// </summary>
internal sealed class LayerReplay : ISiteHook, IDisposable
{
    private const int MostTogether = 512;

    private readonly OpenedPack _pack;
    private readonly LanguageModel _model;
    private readonly int[] _positions;
    private readonly KvCache _cache;
    private readonly ReplayMemory _memory;
    private readonly Dictionary<SiteAddress, Tensor> _clean = [];
    private readonly CancellationToken _cancel;

    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="document">The document.</param>
    /// <param name="positions">Positions at which cuts will be made; activations are read there.</param>
    /// <param name="targets">Places of the targets, with the places of their predecessors.</param>
    /// <param name="memory">Kept from one document to the next; for one of these at a time.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public LayerReplay(OpenedPack pack, LanguageModel model, TokenDocument document, int[] positions, IReadOnlyDictionary<Place, Lanes> targets, ReplayMemory memory, CancellationToken cancel)
    {
        (_pack, _model, _positions, _memory, _cancel) = (pack, model, positions, memory, cancel);
        foreach (var layer in targets.Keys.Select(t => t.Layer).Distinct())
        {
            foreach (var site in new[] { Site.ResPre, Site.Att, Site.Mlp }) _clean[new SiteAddress(layer, site)] = memory.Here.Take($"clean {layer} {site}", positions.Length, model.Config.Width);
        }

        _cache = memory.Cache(document.Ids.Length);
        Activations = new ActivationReader(pack, model, targets.Keys.Concat(targets.Values.SelectMany(l => l.All()).Select(l => l.Place)), cancel);
        try
        {
            Activations.Choose(positions);
            model.Forward(
                new TokenBatch([document.Ids]),
                new ForwardOptions { Cache = _cache, Hook = new SiteHooks(this, Activations), LastLayer = targets.Keys.Max(t => t.Layer), Logits = LogitsWanted.None },
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

    bool ISiteHook.Wants(SiteAddress at) => _clean.ContainsKey(at);

    void ISiteHook.Visit(SiteAddress at, Tensor x_TD, TokenBatch batch) => _model.Engine.GatherRows(x_TD, _positions, _clean[at]);

    /// <summary>Tries cuts.</summary>
    /// <param name="target">Where the targets are: the output of a layer, or one of its modules.</param>
    /// <param name="lanes">Where their predecessors are.</param>
    /// <param name="plan">Cuts and questions, any number.</param>
    /// <returns>Outcomes in the order of the questions.</returns>
    public CutOutcome[] Run(Place target, Lanes lanes, CutPlan plan)
    {
        var outcomes = new CutOutcome[plan.Questions.Count];
        if (outcomes.Length == 0) return outcomes;
        var asked = new List<int>[plan.Cuts.Count];
        for (var q = 0; q < outcomes.Length; q++) (asked[plan.Questions[q].Cut] ??= []).Add(q);

        using var lease = _pack.Lease(target.Layer, target.Site);
        using var features = new SaeSelection(lease.Sae, _model.Engine, [.. plan.Questions.Select(q => q.Feature).Distinct().Order()]);

        // cuts of one kind together, and versions of one token side by side: they see the same keys
        int[] order = [.. Enumerable.Range(0, asked.Length).Where(c => asked[c] is not null).OrderBy(c => plan.Cuts[c].Row)];
        foreach (var together in order.Chunk(MostTogether))
        {
            _cancel.ThrowIfCancellationRequested();
            int[] some = [.. together.OrderBy(c => CutBatch.Depth(plan.Cuts[c], lanes))];
            using var batch = new CutBatch(_pack, _model, target, lanes, [.. some.Select(c => plan.Cuts[c])], [.. some.Select(c => Watched(plan, asked[c]))], _memory.Here, _cancel);
            var state_ND = batch.Run(_clean, _positions, _cache);
            Answer(plan, features, some, asked, batch, state_ND, outcomes);
        }

        return outcomes;
    }

    /// <inheritdoc/>
    public void Dispose() => Activations.Dispose();

    private static List<FeatureId>? Watched(CutPlan plan, List<int> questions)
    {
        List<FeatureId>? all = null;
        foreach (var question in questions)
        {
            foreach (var candidates in plan.Questions[question].Watched ?? []) (all ??= []).AddRange(candidates ?? []);
        }

        return all;
    }

    private void Answer(CutPlan plan, SaeSelection features, int[] cuts, List<int>[] asked, CutBatch batch, Tensor state_ND, CutOutcome[] outcomes)
    {
        var (engine, width) = (_model.Engine, features.Features.Count);
        Tensor z_NU = _memory.Here.Take("z", cuts.Length, width), pre_NU = _memory.Here.Take("pre", cuts.Length, width), host_NU = _memory.Host.Take("z", cuts.Length, width), hostPre_NU = _memory.Host.Take("pre", cuts.Length, width);
        var knowsPre = features.EncodeBoth(state_ND, z_NU, pre_NU, _cancel);
        engine.Copy(z_NU, host_NU);
        engine.Copy(pre_NU, hostPre_NU);
        Span<float> z = host_NU.AsSpan<float>(), pre = hostPre_NU.AsSpan<float>();
        int[] columns = [.. features.Features];
        for (var i = 0; i < cuts.Length; i++)
        {
            foreach (var q in asked[cuts[i]])
            {
                var question = plan.Questions[q];
                var at = (i * width) + Array.BinarySearch(columns, question.Feature);
                outcomes[q] = new CutOutcome(knowsPre ? pre[at] : null, z[at], Active(i, plan.Cuts[cuts[i]].Row, question.Watched));
            }
        }

        PredecessorSites Active(int cut, int row, IReadOnlyList<FeatureId>?[]? watched)
        {
            var active = PredecessorSites.None;
            for (var kind = 0; kind < watched?.Length; kind++)
            {
                foreach (var candidate in watched[kind] ?? [])
                {
                    if (batch.Active((EdgeKind)kind, cut, candidate.Index) ?? Activations[Place.Of(candidate)].At(row, candidate.Index) > 0) active |= ActivationGroups.Sites[kind];
                }
            }

            return active;
        }
    }
}

/// <summary>What replays need between the layers, kept from one document to the next.</summary>
internal sealed class ReplayMemory(LanguageModel model) : IDisposable
{
    private KvCache? _cache;

    /// <summary>Tensors where the engine computes.</summary>
    public Workspace Here { get; } = new(model.Engine);

    /// <summary>Tensors in host memory.</summary>
    public Workspace Host { get; } = new(CpuEngine.Shared);

    /// <summary>An empty cache of one row.</summary>
    public KvCache Cache(int length)
    {
        _cache ??= model.NewCache(1, length);
        _cache.Truncate(0, 0);
        return _cache;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Here.Dispose();
        Host.Dispose();
        _cache?.Dispose();
    }
}
