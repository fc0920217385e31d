using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>Encoding and decoding, as each project defines them (docs/formats.md).</summary>
public sealed partial class Sae
{
    // Rows worked on at a time: enough to keep the product busy, few enough that what is between stays small.
    private const int ChunkRows = 1024;

    // SAELens adds it to the standard deviation before dividing, and not back when undoing.
    private const float LayerNormEpsilon = 1e-5f;

    /// <summary>z = σ(x·W_enc + b_enc), x being the input transformed as <see cref="Info"/> says.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="h_TD">Raw inputs [T,D], any floating type.</param>
    /// <param name="z_TF">[T,F] float32 with contiguous rows; overwritten.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF3020: not these shapes; FF3011, FF2026: the weights are damaged.</exception>
    public void Encode(ITensorEngine engine, Tensor h_TD, Tensor z_TF, CancellationToken cancel = default)
    {
        Expect("the input", h_TD, Info.InputWidth, h_TD.Rank == 0 ? 0 : h_TD.Shape[0]);
        Expect("the output of encoding", z_TF, Info.FeatureCount, h_TD.Shape[0]);
        var wEnc_DF = EncoderWeights_DF;
        ForChunks(h_TD.Shape[0], cancel, (start, rows) =>
        {
            var z = z_TF.Rows(start, rows);
            using var x = Transformed(engine, h_TD.Rows(start, rows));
            if (Info.Architecture == SaeArchitecture.Gated)
            {
                EncodeGated(engine, x.Value, wEnc_DF, z, cancel);
                return;
            }

            engine.MatMul(x.Value, wEnc_DF, z, new MatMulEpilogue(EncoderScale_F, EncoderBias_F), cancel);
            switch (Info.Architecture)
            {
                case SaeArchitecture.Relu: engine.Relu(z, z); break;
                case SaeArchitecture.JumpRelu: engine.JumpRelu(z, Threshold_F!, z); break;
                case SaeArchitecture.TopK: engine.TopKActivation(z, Info.K!.Value, z); break;
                case SaeArchitecture.GroupMax: engine.GroupMaxActivation(z, Info.K!.Value, z); break;
                default: throw new InvalidOperationException(Info.Architecture.ToString());
            }

            if (_activationScale_F.Value is { } scale) engine.ScaleColumns(z, scale, z);
        });
    }

    /// <summary>ĥ = z·W_dec + b_dec, normalisation undone, skip added.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="z_TF">Activations [T,F].</param>
    /// <param name="h_TD">The raw inputs [T,D] they were encoded from: needed to undo a normalisation and for skips.</param>
    /// <param name="recon_TD">[T,O] float32 with contiguous rows; overwritten.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF3020: not these shapes; FF3011, FF2026: the weights are damaged.</exception>
    public void Decode(ITensorEngine engine, Tensor z_TF, Tensor h_TD, Tensor recon_TD, CancellationToken cancel = default)
    {
        Expect("the activations", z_TF, Info.FeatureCount, z_TF.Rank == 0 ? 0 : z_TF.Shape[0]);
        Expect("the input", h_TD, Info.InputWidth, z_TF.Shape[0]);
        Expect("the output of decoding", recon_TD, Info.OutputWidth, z_TF.Shape[0]);
        var wDec_FD = DecoderWeights_FD;
        ForChunks(z_TF.Shape[0], cancel, (start, rows) =>
        {
            var (z, h, recon) = (z_TF.Rows(start, rows), h_TD.Rows(start, rows), recon_TD.Rows(start, rows));
            using var scaled = Scaled(engine, z);
            engine.MatMulSparse(scaled.Value, wDec_FD, recon, new MatMulEpilogue(Bias_N: DecoderBias_D), cancel);
            if (_parts.SkipWeights is null && Info.InputTransform == InputTransform.None) return;
            using var floats = Dense(engine, h);
            if (!Info.IsTranscoder) UndoTransform(engine, floats.Value, recon, cancel);
            if (_parts.SkipWeights is { } skip) engine.MatMul(floats.Value, Open(skip.View).Transpose(), recon, new MatMulEpilogue(Accumulate: true), cancel);
        });
    }

    /// <summary>The L2 norm of every decoder row, its scale applied.</summary>
    public double[] DecoderNorms(ITensorEngine engine)
    {
        using var norm_F = engine.Allocate(DType.F32, Info.FeatureCount);
        engine.RowNorms(DecoderWeights_FD, norm_F);
        var norms = HostValues.Read(engine, norm_F);
        if (DecoderScale_F is not { } scale) return norms;
        var factors = HostValues.ToDoubles(scale);
        for (var i = 0; i < norms.Length; i++) norms[i] *= factors[i];
        return norms;
    }

    /// <summary>Positive factors of activations, [F], or null for ones.</summary>
    internal Tensor? ActivationScale_F => Open(_activationScale_F.Value);

    /// <summary>z = σ(x·W_encᵀ + b) with gathered encoder rows [U,D], biases and thresholds; without σ when not to <paramref name="activate"/>.</summary>
    internal void EncodeSome(ITensorEngine engine, Tensor h_TD, Tensor wEnc_UD, Tensor bias_U, Tensor? threshold_U, Tensor z_TU, CancellationToken cancel, bool activate = true)
    {
        Expect("the input", h_TD, Info.InputWidth, h_TD.Rank == 0 ? 0 : h_TD.Shape[0]);
        ForChunks(h_TD.Shape[0], cancel, (start, rows) =>
        {
            var z = z_TU.Rows(start, rows);
            using var x = Transformed(engine, h_TD.Rows(start, rows));
            engine.MatMul(x.Value, wEnc_UD.Transpose(), z, new MatMulEpilogue(Bias_N: bias_U), cancel);
            if (!activate) return;
            if (threshold_U is not null) engine.JumpRelu(z, threshold_U, z);
            else engine.Relu(z, z);
        });
    }

    /// <summary>b − W·b_in: with it gathered encoder rows [U,D] can be multiplied with the input as it is.</summary>
    internal Tensor BiasWithInput(ITensorEngine engine, Tensor wEnc_UD, Tensor bias_U)
    {
        var all = HostValues.Read(engine, bias_U);
        if (_inputBias_D.Value is { } input_D)
        {
            using var shift_1U = engine.Allocate(DType.F32, 1, all.Length);
            engine.MatMul(input_D.Reshape(1, Info.InputWidth), wEnc_UD.Transpose(), shift_1U);
            var shift = HostValues.Read(engine, shift_1U.Reshape(all.Length));
            for (var u = 0; u < all.Length; u++) all[u] -= shift[u];
        }

        return HostValues.ToTensor(all);
    }

    /// <summary>Multiplies rows by what undoes the normalisation of their inputs; nothing for SAEs that do not normalise.</summary>
    internal void ToHiddenUnits(ITensorEngine engine, Tensor h_TD, Tensor z_TU)
    {
        if (Info.InputTransform == InputTransform.None || Info.IsTranscoder) return;
        using var floats = Dense(engine, h_TD);
        if (Info.InputTransform == InputTransform.ConstantNorm)
        {
            using var factor_T = NormFactors(engine, floats.Value, undo: true);
            engine.ScaleRows(z_TU, factor_T, z_TU);
            return;
        }

        using var mean_T = engine.Allocate(DType.F32, h_TD.Shape[0]);
        using var std_T = engine.Allocate(DType.F32, h_TD.Shape[0]);
        using var x_TD = engine.Allocate(DType.F32, h_TD.Shape);
        engine.StandardizeRows(floats.Value, LayerNormEpsilon, mean_T, std_T, x_TD);
        engine.ScaleRows(z_TU, std_T, z_TU);
    }

    private void EncodeGated(ITensorEngine engine, Tensor x_TD, Tensor wEnc_DF, Tensor z_TF, CancellationToken cancel)
    {
        // one product serves both paths: gate = p + b_gate, magnitude = p ∘ e^r + b_mag
        using var magnitude_TF = engine.Allocate(DType.F32, z_TF.Shape);
        engine.MatMul(x_TD, wEnc_DF, z_TF, default, cancel);
        engine.ScaleColumns(z_TF, _magnitudeScale_F.Value!, magnitude_TF);
        engine.AddRow(magnitude_TF, _magnitudeBias_F.Value!, 1, magnitude_TF);
        engine.AddRow(z_TF, EncoderBias_F, 1, z_TF);
        engine.GatedActivation(z_TF, magnitude_TF, z_TF);
    }

    // what the encoder multiplies: the input itself when nothing is done to it
    private Scratch Transformed(ITensorEngine engine, Tensor h_TD)
    {
        var bias = _inputBias_D.Value;
        if (Info.InputTransform == InputTransform.None && bias is null) return Floats(engine, h_TD);
        using var floats = Dense(engine, h_TD);
        var x_TD = engine.Allocate(DType.F32, h_TD.Shape);
        switch (Info.InputTransform)
        {
            case InputTransform.ConstantNorm:
                using (var factor_T = NormFactors(engine, floats.Value, undo: false)) engine.ScaleRows(floats.Value, factor_T, x_TD);
                break;
            case InputTransform.LayerNorm:
                using (var mean_T = engine.Allocate(DType.F32, h_TD.Shape[0]))
                using (var std_T = engine.Allocate(DType.F32, h_TD.Shape[0])) engine.StandardizeRows(floats.Value, LayerNormEpsilon, mean_T, std_T, x_TD);
                break;
        }

        if (bias is not null) engine.AddRow(Info.InputTransform == InputTransform.None ? floats.Value : x_TD, bias, -1, x_TD);
        return new Scratch(x_TD, true);
    }

    private void UndoTransform(ITensorEngine engine, Tensor h_TD, Tensor recon_TD, CancellationToken cancel)
    {
        switch (Info.InputTransform)
        {
            case InputTransform.ConstantNorm:
                using (var factor_T = NormFactors(engine, h_TD, undo: true)) engine.ScaleRows(recon_TD, factor_T, recon_TD);
                break;
            case InputTransform.LayerNorm:
                using (var mean_T = engine.Allocate(DType.F32, h_TD.Shape[0], 1))
                using (var std_T = engine.Allocate(DType.F32, h_TD.Shape[0]))
                using (var x_TD = engine.Allocate(DType.F32, h_TD.Shape))
                using (var ones_1D = Ones(Info.OutputWidth))
                {
                    engine.StandardizeRows(h_TD, LayerNormEpsilon, mean_T.Reshape(h_TD.Shape[0]), std_T, x_TD);
                    engine.ScaleRows(recon_TD, std_T, recon_TD);
                    engine.MatMul(mean_T, ones_1D, recon_TD, new MatMulEpilogue(Accumulate: true), cancel);
                }

                break;
        }
    }

    // √d/‖h‖ of every row, or its inverse; a zero row stays zero both ways
    private Tensor NormFactors(ITensorEngine engine, Tensor h_TD, bool undo)
    {
        using var norm_T = engine.Allocate(DType.F32, h_TD.Shape[0]);
        engine.RowNorms(h_TD, norm_T);
        var norms = HostValues.Read(engine, norm_T);
        var root = Math.Sqrt(Info.InputWidth);
        return HostValues.ToTensor([.. norms.Select(n => undo ? n / root : n > 0 ? root / n : 0)]);
    }

    private Scratch Scaled(ITensorEngine engine, Tensor z_TF)
    {
        if (DecoderScale_F is not { } scale) return new Scratch(z_TF, false);
        using var floats = Dense(engine, z_TF);
        var scaled_TF = engine.Allocate(DType.F32, z_TF.Shape);
        engine.ScaleColumns(floats.Value, scale, scaled_TF);
        return new Scratch(scaled_TF, true);
    }

    // what is worked on number by number must be float32 with rows in one piece
    private static Scratch Dense(ITensorEngine engine, Tensor x_TD) =>
        x_TD.DType == DType.F32 && (x_TD.Strides[1] == 1 || x_TD.Shape[1] == 1) ? new Scratch(x_TD, false) : Copied(engine, x_TD);

    private static Scratch Floats(ITensorEngine engine, Tensor x_TD)
    {
        return x_TD.DType.IsComputable() ? new Scratch(x_TD, false) : Copied(engine, x_TD);
    }

    private static Scratch Copied(ITensorEngine engine, Tensor x_TD)
    {
        var floats = engine.Allocate(DType.F32, x_TD.Shape);
        engine.Copy(x_TD, floats);
        return new Scratch(floats, true);
    }

    private static Tensor Ones(int width)
    {
        var ones_1D = Tensor.Allocate(DType.F32, 1, width);
        ones_1D.AsSpan<float>().Fill(1);
        return ones_1D;
    }

    private static void ForChunks(int rows, CancellationToken cancel, Action<int, int> work)
    {
        for (var start = 0; start < rows; start += ChunkRows)
        {
            cancel.ThrowIfCancellationRequested();
            work(start, Math.Min(ChunkRows, rows - start));
        }
    }

    private void Expect(string what, Tensor tensor, int width, int rows)
    {
        if (tensor.Rank != 2 || tensor.Shape[1] != width || tensor.Shape[0] != rows) throw SaeErrors.Operand(Info.Path, what, tensor, $"[{rows},{width}]");
    }

    // a tensor that is either somebody else's or ours to give back
    private readonly record struct Scratch(Tensor Value, bool Owned) : IDisposable
    {
        public void Dispose()
        {
            if (Owned) Value.Dispose();
        }
    }
}
