using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>
/// Some features of an SAE, their weights gathered: activations of U features at the cost of U, and their embeddings as float32. For architectures in
/// which features compete (TopK, GroupMax) or that have two paths (gated), the whole SAE is encoded and the features are picked from it.
/// </summary>
public sealed class SaeSelection : IDisposable
{
    private readonly Sae _sae;
    private readonly ITensorEngine _engine;
    private readonly int[] _features;
    private readonly Tensor? _encoder_UD;
    private readonly Tensor? _bias_U;
    private readonly Tensor? _threshold_U;
    private readonly FeatureWeights? _direct;

    /// <summary>Gathers the weights of features.</summary>
    /// <param name="sae">The SAE; it must stay open until this is disposed.</param>
    /// <param name="engine">Who computes.</param>
    /// <param name="features">U indices.</param>
    /// <exception cref="FeatureFlowException">FF3114: no such feature; FF3011, FF2026: the weights are damaged.</exception>
    public SaeSelection(Sae sae, ITensorEngine engine, IReadOnlyList<int> features)
    {
        foreach (var f in features)
        {
            if ((uint)f >= (uint)sae.Info.FeatureCount) throw SaeErrors.NoFeature(sae.Info.Path, f, sae.Info.FeatureCount);
        }

        (_sae, _engine, _features) = (sae, engine, [.. features]);
        Decoder_UO = Rows(sae.DecoderWeights_FD, sae.DecoderScale_F);
        if (sae.Info.Architecture is not (SaeArchitecture.Relu or SaeArchitecture.JumpRelu)) return;
        _encoder_UD = Rows(sae.EncoderWeights_DF.Transpose(), sae.EncoderScale_F);
        _bias_U = Entries(sae.EncoderBias_F);
        _threshold_U = sae.Threshold_F is { } threshold ? Entries(threshold) : null;
        if (sae.Info.InputTransform != InputTransform.None || sae.ActivationScale_F is not null) return;
        _direct = new FeatureWeights(_encoder_UD, sae.BiasWithInput(engine, _encoder_UD, _bias_U), _threshold_U ?? HostValues.ToTensor(new double[_features.Length]), Decoder_UO);
    }

    /// <summary>Indices, in the order of rows and columns.</summary>
    public IReadOnlyList<int> Features => _features;

    /// <summary>Embeddings, [U,O] float32, norms and scales as the SAE decodes with.</summary>
    public Tensor Decoder_UO { get; }

    /// <summary>Activations of the features.</summary>
    /// <param name="h_TD">Raw inputs [T,D].</param>
    /// <param name="z_TU">[T,U] float32, dense rows; overwritten.</param>
    /// <param name="written">
    /// In the units of the hidden state: what each feature's embedding is multiplied with where the SAE writes its output. Differs from activations only for
    /// SAEs that normalise their input.
    /// </param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public void Encode(Tensor h_TD, Tensor z_TU, bool written = false, CancellationToken cancel = default)
    {
        if (_encoder_UD is not null)
        {
            _sae.EncodeSome(_engine, h_TD, _encoder_UD, _bias_U!, _threshold_U, z_TU, cancel);
            if (_sae.ActivationScale_F is { } scale) Scale(z_TU, scale);
        }
        else
        {
            using var z_TF = _engine.Allocate(DType.F32, h_TD.Shape[0], _sae.Info.FeatureCount);
            using var z_UT = _engine.Allocate(DType.F32, _features.Length, h_TD.Shape[0]);
            _sae.Encode(_engine, h_TD, z_TF, cancel);
            _engine.GatherRows(z_TF.Transpose(), _features, z_UT);
            _engine.Copy(z_UT.Transpose(), z_TU);
        }

        if (written) _sae.ToHiddenUnits(_engine, h_TD, z_TU);
    }

    /// <summary>Whether <see cref="Rescale"/> can be asked for: the features do not compete, and the SAE does not normalise its input.</summary>
    public bool IsDirect => _direct is not null;

    /// <summary>y += Σ_u factor[rows[t],u]·z_u·W_dec[u] with activations z read from x, in one go; y may be x.</summary>
    /// <param name="x_TD">Raw inputs [T,D] float32, dense rows.</param>
    /// <param name="factor_PU">[P,U] float32.</param>
    /// <param name="rows">[T]: the row of factors of every token.</param>
    /// <param name="y_TO">[T,O] float32.</param>
    public void Rescale(Tensor x_TD, Tensor factor_PU, ReadOnlySpan<int> rows, Tensor y_TO) => _engine.RescaleFeatures(x_TD, _direct!.Value, factor_PU, rows, y_TO);

    /// <summary>Activations and what goes into σ, with one product for both.</summary>
    /// <param name="h_TD">Raw inputs [T,D].</param>
    /// <param name="z_TU">Activations [T,U] float32, dense rows; overwritten.</param>
    /// <param name="pre_TU">Pre-activations [T,U] float32, dense rows; overwritten.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <returns>False for TopK, GroupMax and gated SAEs: their features compete, and the pre-activations are left as they are.</returns>
    public bool EncodeBoth(Tensor h_TD, Tensor z_TU, Tensor pre_TU, CancellationToken cancel = default)
    {
        if (_encoder_UD is null)
        {
            Encode(h_TD, z_TU, cancel: cancel);
            return false;
        }

        _sae.EncodeSome(_engine, h_TD, _encoder_UD, _bias_U!, null, pre_TU, cancel, activate: false);
        if (_threshold_U is not null) _engine.JumpRelu(pre_TU, _threshold_U, z_TU);
        else _engine.Relu(pre_TU, z_TU);
        if (_sae.ActivationScale_F is { } scale) Scale(z_TU, scale);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Decoder_UO.Dispose();
        _encoder_UD?.Dispose();
        _bias_U?.Dispose();
        _threshold_U?.Dispose();
        _direct?.Bias_U.Dispose();
        if (_threshold_U is null) _direct?.Threshold_U.Dispose();
    }

    private Tensor Rows(Tensor w_FD, Tensor? scale_F)
    {
        var rows_UD = _engine.Allocate(DType.F32, _features.Length, w_FD.Shape[1]);
        _engine.GatherRows(w_FD, _features, rows_UD);
        if (scale_F is null) return rows_UD;
        using var scale_U = Entries(scale_F);
        _engine.ScaleRows(rows_UD, scale_U, rows_UD);
        return rows_UD;
    }

    private Tensor Entries(Tensor vector_F)
    {
        var entries_U = _engine.Allocate(DType.F32, _features.Length);
        _engine.GatherRows(vector_F.Reshape((int)vector_F.Count, 1), _features, entries_U.Reshape(_features.Length, 1));
        return entries_U;
    }

    private void Scale(Tensor z_TU, Tensor scale_F)
    {
        using var scale_U = Entries(scale_F);
        _engine.ScaleColumns(z_TU, scale_U, z_TU);
    }
}
