using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Reads what SAEs of a pack make of chosen tokens, pass after pass, and keeps the non-zero part.</summary>
internal sealed class ActivationReader : ISiteHook, IDisposable
{
    private const int RowsTogether = 256;
    private const int TokensTogether = 2048;

    private readonly ITensorEngine _engine;
    private readonly Workspace _here;
    private readonly Workspace _host = new(CpuEngine.Shared);
    private readonly CancellationToken _cancel;
    private readonly Dictionary<Place, (SaeLease Lease, SparseActivations Activations)> _places = [];
    private readonly Dictionary<Place, double> _norms = [];
    private int[] _tokens = [];

    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="places">Whose activations are read.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <param name="spill">Takes activations that memory has no room for; null keeps all. Not disposed.</param>
    public ActivationReader(OpenedPack pack, LanguageModel model, IEnumerable<Place> places, CancellationToken cancel, ActivationSpill? spill = null)
    {
        (_engine, _here, _cancel) = (model.Engine, new Workspace(model.Engine), cancel);
        foreach (var place in places.Distinct())
        {
            var lease = pack.Lease(place.Layer, place.Site);
            _places[place] = (lease, new SparseActivations(lease.Sae.Info.FeatureCount, spill));
            if (place.Layer >= model.Config.Layers) throw FlowErrors.OtherModel(pack.Pack, place, $"it has {model.Config.Layers} layers");
            var width = model.Config.WidthAt(place.Site);
            if (lease.Sae.Info.InputWidth != width) throw FlowErrors.OtherModel(pack.Pack, place, $"the SAE reads {lease.Sae.Info.InputWidth} numbers where the model has {width}");
        }
    }

    /// <summary>What was read of a place, one row a token in the order of reading.</summary>
    public SparseActivations this[Place place] => _places[place].Activations;

    /// <summary>Sum of the L2 norms of the states that were read at a place.</summary>
    public double Norms(Place place) => _norms.GetValueOrDefault(place);

    /// <summary>Which tokens of the next pass are read.</summary>
    public void Choose(int[] tokens) => _tokens = tokens;

    public bool Wants(SiteAddress at) => _tokens.Length > 0 && _places.ContainsKey(new Place(at.Layer, at.Site));

    public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
    {
        var place = new Place(at.Layer, at.Site);
        var (lease, activations) = _places[place];
        var most = Math.Min(RowsTogether, _tokens.Length);
        Tensor rows_ND = _here.Take("rows", most, x_TD.Shape[1]), z_NF = _here.Take("z", most, activations.Features);
        Tensor host_NF = _host.Take("z", most, activations.Features), norm_N = _host.Take("norms", 1, most).Reshape(most);
        for (var start = 0; start < _tokens.Length; start += most)
        {
            var n = Math.Min(most, _tokens.Length - start);
            _engine.GatherRows(x_TD, _tokens.AsSpan(start, n), rows_ND.Rows(0, n));
            _engine.RowNorms(rows_ND.Rows(0, n), norm_N.Rows(0, n), _cancel);
            foreach (var norm in norm_N.AsSpan<float>()[..n]) _norms[place] = _norms.GetValueOrDefault(place) + norm;
            lease.Sae.Encode(_engine, rows_ND.Rows(0, n), z_NF.Rows(0, n), _cancel);
            _engine.Copy(z_NF.Rows(0, n), host_NF.Rows(0, n));
            activations.Append(host_NF.Rows(0, n));
        }
    }

    /// <summary>Passes over whole documents, several together, reading the positions of each that are asked for.</summary>
    public void Run(LanguageModel model, IReadOnlyList<(TokenDocument Document, IReadOnlyList<int> Positions)> texts, IProgress<double>? progress = null)
    {
        var last = _places.Keys.Select(p => p.Layer).DefaultIfEmpty(-1).Max();
        if (last < 0) return;
        for (var at = 0; at < texts.Count;)
        {
            var together = new List<(TokenDocument Document, IReadOnlyList<int> Positions)>();
            for (var tokens = 0; at < texts.Count && (together.Count == 0 || tokens + texts[at].Document.Ids.Length <= TokensTogether); at++)
            {
                tokens += texts[at].Document.Ids.Length;
                if (texts[at].Positions.Count > 0) together.Add(texts[at]);
            }

            if (together.Count == 0) continue;
            var batch = new TokenBatch([.. together.Select(d => d.Document.Ids)]);
            var chosen = new List<int>();
            for (var i = 0; i < together.Count; i++)
            {
                foreach (var position in together[i].Positions) chosen.Add(batch.Rows[i].Token + position);
            }

            Choose([.. chosen]);
            model.Forward(batch, new ForwardOptions { Hook = this, Logits = LogitsWanted.None, LastLayer = last }, _cancel).Dispose();
            progress?.Report((double)at / texts.Count);
        }
    }

    public void Dispose()
    {
        foreach (var (lease, _) in _places.Values) lease.Dispose();
        _here.Dispose();
        _host.Dispose();
    }
}
