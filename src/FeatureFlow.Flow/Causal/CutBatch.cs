using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// A layer under many cuts, a row of a matrix for each: those of the layer's input first, then those of what attention adds, then those of what the MLP adds, so that the rows
/// a block has to compute anew are the first ones and the others are taken from the clean pass.
/// </summary>
internal sealed class CutBatch : IDisposable
{
    private readonly LanguageModel _model;
    private readonly Place _target;
    private readonly Lane?[] _lanes;
    private readonly int[] _rows;
    private readonly int _attended; // rows whose attention is computed anew
    private readonly int _behind; // rows that differ behind attention
    private readonly Workspace _space;
    private readonly CancellationToken _cancel;

    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="target">Whose state is wanted: the output of a layer, or of one of its modules.</param>
    /// <param name="lanes">Where edits are made.</param>
    /// <param name="cuts">In the order of <see cref="Depth"/>.</param>
    /// <param name="watched">By cut, features whose activity afterwards will be asked for; null for none.</param>
    /// <param name="space">Memory for what is between.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public CutBatch(OpenedPack pack, LanguageModel model, Place target, Lanes lanes, IReadOnlyList<Cut> cuts, IReadOnlyList<IReadOnlyList<FeatureId>?> watched, Workspace space, CancellationToken cancel)
    {
        (_model, _target, _space, _cancel) = (model, target, space, cancel);
        _rows = [.. cuts.Select(c => c.Row)];
        _attended = cuts.Count(c => Depth(c, lanes) == 0);
        _behind = cuts.Count(c => Depth(c, lanes) <= 1);
        _lanes = new Lane?[3];
        try
        {
            foreach (var (kind, place) in lanes.All())
                _lanes[(int)kind] = new Lane(pack, model, place, cuts, watched, kind switch { EdgeKind.Res => _attended, EdgeKind.Att => _behind, _ => cuts.Count });
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>How far into its layer a cut begins to matter: 0 at the input, 1 behind attention, 2 behind the MLP.</summary>
    public static int Depth(Cut cut, Lanes lanes)
    {
        var depth = 2;
        foreach (var edit in cut.Edits)
        {
            if (edit.IsNothing) continue;
            var place = Place.Of(edit.Feature);
            depth = Math.Min(depth, place == lanes.Res ? 0 : place == lanes.Att ? 1 : place == lanes.Mlp ? 2 : throw new ArgumentException($"{edit} is not next to the target."));
        }

        return depth;
    }

    /// <summary>The state at the target's site, [N,D], a row for every cut; in the workspace.</summary>
    /// <param name="clean">The sampled rows of a clean pass at the layer's input and behind its blocks.</param>
    /// <param name="positions">Their positions.</param>
    /// <param name="cache">Keys and values of that pass.</param>
    public Tensor Run(IReadOnlyDictionary<SiteAddress, Tensor> clean, int[] positions, KvCache cache)
    {
        var (layer, engine, n) = (_target.Layer, _model.Engine, _rows.Length);
        var (res, mlp, att) = (_lanes[0], _lanes[1], _lanes[2]);

        // the output of the layer below is the input of this one
        var x_ND = Taken(Site.ResPre, 0);
        res?.Read(x_ND);
        res?.Write(x_ND);
        if (res?.Place.Site is Site.Res or Site.ResPre) res.Watch(x_ND);

        var att_ND = Taken(Site.Att, _attended);
        if (_attended > 0) _model.AttendBranches(layer, x_ND.Rows(0, _attended), [.. _rows.Take(_attended).Select(r => positions[r])], cache, 0, att_ND.Rows(0, _attended), _cancel);
        att?.Read(att_ND);
        att?.Write(att_ND);
        att?.Watch(att_ND);
        if (_target.Site == Site.Att) return att_ND;

        // side by side, the MLP reads the layer's input; one after the other, what attention has made of it
        var parallel = _model.IsParallel(layer);
        if (!parallel) engine.Add(x_ND, att_ND, x_ND);
        var anew = parallel ? _attended : _behind;
        var transcoder = mlp?.Place.Site == Site.Tc;
        var normed = transcoder || _target.Site == Site.Tc ? n : anew;
        var normed_ND = _space.Take("normed", n, _model.Config.Width);
        if (normed > 0) _model.NormBeforeMlp(layer, x_ND.Rows(0, normed), normed_ND.Rows(0, normed));
        if (_target.Site == Site.Tc) return normed_ND;
        var mlp_ND = Taken(Site.Mlp, anew);
        if (anew > 0) _model.Mlp(layer, normed_ND.Rows(0, anew), mlp_ND.Rows(0, anew), _cancel);
        mlp?.Read(transcoder ? normed_ND : mlp_ND);
        mlp?.Write(mlp_ND);
        mlp?.Watch(transcoder ? normed_ND : mlp_ND);
        if (_target.Site == Site.Mlp) return mlp_ND;
        if (parallel) engine.Add(x_ND, att_ND, x_ND);
        engine.Add(x_ND, mlp_ND, x_ND);
        return x_ND;

        // rows of the clean pass, but the first ones, which will be computed
        Tensor Taken(Site site, int first)
        {
            var memory = _space.Take(site.Name(), n, _model.Config.Width);
            if (first < n) engine.GatherRows(clean[new SiteAddress(layer, site)], _rows.AsSpan(first), memory.Rows(first, n - first));
            return memory;
        }
    }

    /// <summary>Whether a watched feature is active after a cut; null where the cut cannot change its site.</summary>
    public bool? Active(EdgeKind kind, int cut, int feature) => _lanes[(int)kind]?.Active(cut, feature);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var lane in _lanes ?? []) lane?.Dispose();
    }

    /// <summary>The site of predecessors of one kind: what is done there, and what is looked at afterwards.</summary>
    private sealed class Lane : IDisposable
    {
        private readonly ITensorEngine _engine;
        private readonly int _count;
        private readonly SiteEdits? _edits;
        private readonly int[] _rescale = [];
        private readonly int[] _add = [];
        private readonly SaeLease? _lease;
        private readonly SaeSelection? _watched;
        private readonly int[] _watchedRows = [];
        private Tensor? _change_NU;
        private float[] _z = [];

        // count: the first rows, at which the site can differ from the clean pass
        public Lane(OpenedPack pack, LanguageModel model, Place place, IReadOnlyList<Cut> cuts, IReadOnlyList<IReadOnlyList<FeatureId>?> watched, int count)
        {
            (_engine, _count, Place) = (model.Engine, count, place);
            try
            {
                var edits = cuts.Take(count).Select(c => Here(c.Edits, place)).ToList();
                if (edits.Exists(of => of.Any(e => !e.IsNothing)))
                {
                    pack.Check(place, edits.SelectMany(of => of).Select(e => e.Feature.Index));
                    _edits = new SiteEdits(pack, model, place, edits);
                    _rescale = [.. Enumerable.Range(0, count).Select(_edits.RescaleRow)];
                    _add = [.. Enumerable.Range(0, count).Select(_edits.AddRow)];
                }

                _watchedRows = [.. Enumerable.Range(0, count).Where(i => watched[i]?.Any(f => Place.Of(f) == place) == true)];
                if (_watchedRows.Length == 0) return;
                int[] features = [.. _watchedRows.SelectMany(i => watched[i]!).Where(f => Place.Of(f) == place).Select(f => f.Index).Distinct().Order()];
                pack.Check(place, features);
                _lease = pack.Lease(place.Layer, place.Site);
                _watched = new SaeSelection(_lease.Sae, _engine, features);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public Place Place { get; }

        // nearly all cuts are of one site alone
        private static IReadOnlyList<FeatureEdit> Here(IReadOnlyList<FeatureEdit> edits, Place place)
        {
            var here = edits.Count(e => Place.Of(e.Feature) == place);
            return here == 0 ? [] : here == edits.Count ? edits : [.. edits.Where(e => Place.Of(e.Feature) == place)];
        }

        // activations that rescaling needs, where they cannot be read in the same step
        public void Read(Tensor x_ND)
        {
            if (_edits is not { Rescales: true, IsDirect: false }) return;
            _change_NU = _engine.Allocate(DType.F32, _count, _edits.Width);
            using var scratch_NU = _engine.Allocate(DType.F32, _count, _edits.Width);
            _edits.Changes(x_ND.Rows(0, _count), _rescale, _change_NU, scratch_NU);
        }

        public void Write(Tensor y_ND)
        {
            if (_edits is null) return;
            var y = y_ND.Rows(0, _count);
            if (_change_NU is not null) _edits.Rescale(_change_NU, y);
            else if (_edits.Rescales) _edits.Rescale(y, _rescale, y);
            if (Array.Exists(_add, r => r > 0)) _edits.Add(_add, y);
        }

        public void Watch(Tensor x_ND)
        {
            if (_watched is null) return;
            using var x_WD = _engine.Allocate(DType.F32, _watchedRows.Length, x_ND.Shape[1]);
            using var z_WU = _engine.Allocate(DType.F32, _watchedRows.Length, _watched.Features.Count);
            using var host_WU = Tensor.Allocate(DType.F32, z_WU.Shape);
            _engine.GatherRows(x_ND, _watchedRows, x_WD);
            _watched.Encode(x_WD, z_WU);
            _engine.Copy(z_WU, host_WU);
            _z = host_WU.AsSpan<float>().ToArray();
        }

        public bool? Active(int cut, int feature)
        {
            if (cut >= _count) return null;
            var features = (int[])_watched!.Features;
            return _z[(Array.BinarySearch(_watchedRows, cut) * features.Length) + Array.BinarySearch(features, feature)] > 0;
        }

        public void Dispose()
        {
            _edits?.Dispose();
            _watched?.Dispose();
            _lease?.Dispose();
            _change_NU?.Dispose();
        }
    }
}
