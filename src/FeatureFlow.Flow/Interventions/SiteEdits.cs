using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// What several interventions do at one site, as matrices: every row of a batch then is edited by picking a row of each. Row 0 is no edit.
/// </summary>
internal sealed class SiteEdits : IDisposable
{
    private readonly ITensorEngine _engine;
    private readonly SaeLease _lease;
    private readonly SaeSelection? _rescaled;
    private readonly Tensor? _factor_PU;
    private readonly Tensor? _added_PO;
    private readonly int[] _rescaleRow;
    private readonly int[] _addRow;
    private float[]? _addNorm_P;

    /// <summary>Gathers what interventions do with features of one SAE.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">The model that will be edited.</param>
    /// <param name="place">Where the SAE is.</param>
    /// <param name="edits">By intervention: its edits of features of this SAE.</param>
    public SiteEdits(OpenedPack pack, LanguageModel model, Place place, IReadOnlyList<IReadOnlyList<FeatureEdit>> edits)
    {
        _engine = model.Engine;
        _lease = pack.Lease(place.Layer, place.Site);
        try
        {
            var sae = _lease.Sae;
            Read = new SiteAddress(place.Layer, place.Site);
            Write = sae.Info.IsTranscoder ? new SiteAddress(place.Layer, Site.Mlp) : Read;
            Check(pack, model, place, sae.Info);
            _rescaleRow = Rows(edits, EditMethod.Rescale);
            _addRow = Rows(edits, EditMethod.Add);
            if (_rescaleRow.Max() > 0)
            {
                var features = Union(edits, EditMethod.Rescale);
                _rescaled = new SaeSelection(sae, _engine, features);
                _factor_PU = Matrix(edits, _rescaleRow, features, EditMethod.Rescale, e => e.Coefficient - 1);
            }

            if (_addRow.Max() > 0)
            {
                var features = Union(edits, EditMethod.Add);
                var fold = edits.Any(of => of.Any(e => e.Folded)) ? FoldedSae.Of(_engine, sae).Scale_F.ToArray() : null;
                using var selected = new SaeSelection(sae, _engine, features);
                using var factor_PU = Matrix(edits, _addRow, features, EditMethod.Add, e => e.Coefficient * (e.Folded ? fold![e.Feature.Index] : 1));
                _added_PO = _engine.Allocate(DType.F32, factor_PU.Shape[0], selected.Decoder_UO.Shape[1]);
                _engine.MatMul(factor_PU, selected.Decoder_UO, _added_PO);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where activations are read.</summary>
    public SiteAddress Read { get; }

    /// <summary>Where the state is changed: the same but for transcoders, which write the MLP's output.</summary>
    public SiteAddress Write { get; }

    /// <summary>Whether any intervention needs activations.</summary>
    public bool Rescales => _rescaled is not null;

    /// <summary>Number of rescaled features.</summary>
    public int Width => _rescaled?.Features.Count ?? 0;

    /// <summary>Row of the rescaling matrix, 0 for none.</summary>
    public int RescaleRow(int intervention) => _rescaleRow[intervention];

    /// <summary>Row of the matrix of what is added, 0 for none.</summary>
    public int AddRow(int intervention) => _addRow[intervention];

    /// <summary>Whether features can be read and rescaled in one step: the state that is read is the one that is written.</summary>
    public bool IsDirect => Read == Write && _rescaled?.IsDirect == true;

    /// <summary>y += (c − 1)·z·W_dec in one step, z read from x.</summary>
    public void Rescale(Tensor x_TD, ReadOnlySpan<int> rows, Tensor y_TO) => _rescaled!.Rescale(x_TD, _factor_PU!, rows, y_TO);

    /// <summary>Contributions of the rescaled features times (c − 1), [T,U], from the state that has arrived.</summary>
    public void Changes(Tensor x_TD, ReadOnlySpan<int> rows, Tensor change_TU, Tensor scratch_TU)
    {
        _rescaled!.Encode(x_TD, change_TU, written: true);
        _engine.GatherRows(_factor_PU!, rows, scratch_TU);

        // activations are never negative: this is their product with the factors
        _engine.GatedProduct(change_TU, scratch_TU, Activation.Relu, change_TU);
    }

    /// <summary>x += change·W_dec.</summary>
    public void Rescale(Tensor change_TU, Tensor x_TO) => _engine.MatMulSparse(change_TU, _rescaled!.Decoder_UO, x_TO, new MatMulEpilogue(Accumulate: true));

    /// <summary>L2 norm of what a row of the matrix adds.</summary>
    public float AddNorm(int row) => (_addNorm_P ??= Norms())[row];

    /// <summary>x += what is added, row by row.</summary>
    public void Add(ReadOnlySpan<int> rows, Tensor x_TO) => _engine.GatherRows(_added_PO!, rows, x_TO, accumulate: true);

    public void Dispose()
    {
        _rescaled?.Dispose();
        _factor_PU?.Dispose();
        _added_PO?.Dispose();
        _lease.Dispose();
    }

    private float[] Norms()
    {
        using var norm_P = _engine.Allocate(DType.F32, _added_PO!.Shape[0]);
        using var host_P = Tensor.Allocate(DType.F32, _added_PO.Shape[0]);
        _engine.RowNorms(_added_PO, norm_P);
        _engine.Copy(norm_P, host_P);
        return host_P.AsSpan<float>().ToArray();
    }

    private static void Check(OpenedPack pack, LanguageModel model, Place place, SaeInfo info)
    {
        var config = model.Config;
        if (place.Layer >= config.Layers) throw FlowErrors.OtherModel(pack.Pack, place, $"the model has layers 0 to {config.Layers - 1}");
        if (info.InputWidth != config.WidthAt(place.Site)) throw FlowErrors.OtherModel(pack.Pack, place, $"its SAE reads {info.InputWidth} numbers where the model has {config.WidthAt(place.Site)}");
    }

    // rows of the matrix of a method: interventions that use it, from 1
    private static int[] Rows(IReadOnlyList<IReadOnlyList<FeatureEdit>> edits, EditMethod method)
    {
        var next = 1;
        return [.. edits.Select(of => of.Any(e => e.Method == method && !e.IsNothing) ? next++ : 0)];
    }

    private static int[] Union(IReadOnlyList<IReadOnlyList<FeatureEdit>> edits, EditMethod method) =>
        [.. edits.SelectMany(of => of).Where(e => e.Method == method && !e.IsNothing).Select(e => e.Feature.Index).Distinct().Order()];

    private Tensor Matrix(IReadOnlyList<IReadOnlyList<FeatureEdit>> edits, int[] rows, int[] features, EditMethod method, Func<FeatureEdit, double> value)
    {
        using var host_PU = Tensor.Allocate(DType.F32, rows.Max() + 1, features.Length);
        var values = host_PU.AsSpan<float>();
        for (var i = 0; i < edits.Count; i++)
        {
            // an edit made twice is made twice
            foreach (var e in edits[i].Where(e => e.Method == method && !e.IsNothing)) values[rows[i] * features.Length + Array.BinarySearch(features, e.Feature.Index)] += (float)value(e);
        }

        var matrix_PU = _engine.Allocate(DType.F32, host_PU.Shape);
        _engine.Copy(host_PU, matrix_PU);
        return matrix_PU;
    }
}
