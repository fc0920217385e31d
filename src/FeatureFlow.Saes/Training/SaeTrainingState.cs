using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>Everything that an update changes: what a checkpoint keeps.</summary>
internal sealed class SaeTrainingState : IDisposable
{
    private readonly ITensorEngine _engine;
    private readonly SaeRecipe _recipe;

    public SaeTrainingState(ITensorEngine engine, SaeRecipe recipe, int width)
    {
        (_engine, _recipe) = (engine, recipe);
        var (f, d) = (recipe.FeatureCount, width);
        (WEnc_FD, WEncMoment_FD, WDec_FD, WDecMoment_FD) = (New(f, d), New(f, d), New(f, d), New(f, d));
        (BEnc_F, BEncMoment_F, BDec_D, BDecMoment_D) = (New(f), New(f), New(d), New(d));
        (LogThreshold_F, LogThresholdMoment_F) = (New(f), New(f));
        LastActive = new long[f];
        Penalty = recipe.Penalty;

        Tensor New(params ReadOnlySpan<int> shape) => engine.Allocate(DType.F32, shape);
    }

    public Tensor WEnc_FD { get; }

    public Tensor WEncMoment_FD { get; }

    public Tensor WDec_FD { get; }

    public Tensor WDecMoment_FD { get; }

    public Tensor BEnc_F { get; }

    public Tensor BEncMoment_F { get; }

    public Tensor BDec_D { get; }

    public Tensor BDecMoment_D { get; }

    public Tensor LogThreshold_F { get; }

    public Tensor LogThresholdMoment_F { get; }

    /// <summary>The last step at which a feature was active.</summary>
    public long[] LastActive { get; }

    /// <summary>Inputs are multiplied by it.</summary>
    public double Scale { get; private set; } = 1;

    /// <summary>Mean squared distance of scaled inputs from their mean.</summary>
    public double Variance { get; private set; } = 1;

    /// <summary>As steered.</summary>
    public double Penalty { get; set; }

    /// <summary>Mean over recent batches; −1 before the first.</summary>
    public double MeanL0 { get; set; } = -1;

    /// <summary>Of BatchTopK: the mean of the smallest activations kept; −1 before the first batch.</summary>
    public double FittedThreshold { get; set; } = -1;

    /// <summary>
    /// Starts from data: decoder rows from centred activations at the first tokens of the text, so that SAEs of other sites and layers, which start from the same tokens,
    /// have counterparts; the encoder as its transpose; thresholds such that a token has some of them active.
    /// </summary>
    public void Initialise(Tensor first_ND, ulong seed, CancellationToken cancel)
    {
        var (n, d) = (first_ND.Shape[0], first_ND.Shape[1]);
        var address = _recipe.Address;
        using var norms_N = _engine.Allocate(DType.F32, n);
        using var mean_D = _engine.Allocate(DType.F32, d);
        _engine.RowNorms(first_ND, norms_N, cancel);
        _engine.ColumnSums(first_ND, mean_D);
        var meanNorm = HostValues.Read(_engine, norms_N).Average();
        if (!(meanNorm > 0) || !double.IsFinite(meanNorm)) throw SaeErrors.ConstantActivations(address);
        Scale = Math.Sqrt(d) / meanNorm;
        var mean = HostValues.Read(_engine, mean_D).Select(s => s / n * Scale).ToArray();

        using var x_ND = Tensor.Allocate(DType.F32, n, d);
        _engine.Copy(first_ND, x_ND);
        var x = x_ND.AsSpan<float>();
        for (var i = 0; i < x.Length; i++) x[i] = (float)(x[i] * Scale - mean[i % d]);
        double squares = 0;
        foreach (var v in x) squares += (double)v * v;
        Variance = squares / n;
        if (!(Variance > 0)) throw SaeErrors.ConstantActivations(address);

        // every SAE has its own noise, whatever is trained beside it
        var prng = new Prng(seed, (ulong)address.Layer, (ulong)address.Site);
        using var rows_FD = Tensor.Allocate(DType.F32, _recipe.FeatureCount, d);
        using var bias_F = Tensor.Allocate(DType.F32, _recipe.FeatureCount);
        var rows = rows_FD.AsSpan<float>();
        var bias = bias_F.AsSpan<float>();
        for (var f = 0; f < _recipe.FeatureCount; f++)
        {
            var row = rows.Slice(f * d, d);
            x.Slice(f % n * d, d).CopyTo(row);
            // a token that is used again, or lies at the mean, needs noise to be told apart
            var noise = _recipe.InitialNoise * Math.Max(Norm(row), 1e-3) / Math.Sqrt(d) + (f < n ? 0 : 0.5 * Math.Sqrt(Variance / d));
            for (var i = 0; i < d; i++) row[i] += (float)(noise * prng.NextGaussian());
            var norm = Norm(row);
            double along = 0;
            for (var i = 0; i < d; i++)
            {
                row[i] = (float)(row[i] / norm);
                along += row[i] * mean[i];
            }

            bias[f] = (float)-along;
        }

        _engine.Copy(rows_FD, WDec_FD);
        _engine.Copy(rows_FD, WEnc_FD);
        _engine.Copy(bias_F, BEnc_F);
        using (var host = HostValues.ToTensor(mean)) _engine.Copy(host, BDec_D);
        Balance(x_ND, cancel);
    }

    /// <summary>θ [F], in the frame of training.</summary>
    public float[] Thresholds()
    {
        if (_recipe.Kind == SaeTrainingKind.TopK) return [];
        if (_recipe.Kind == SaeTrainingKind.BatchTopK) return [.. Enumerable.Repeat((float)Math.Max(0, FittedThreshold), _recipe.FeatureCount)];
        var logarithms = HostValues.Read(_engine, LogThreshold_F);
        var thresholds = new float[logarithms.Length];
        for (var f = 0; f < thresholds.Length; f++) thresholds[f] = (float)Math.Exp(logarithms[f]);
        return thresholds;
    }

    /// <summary>Tensors of a checkpoint, by name.</summary>
    public IEnumerable<(string Name, Tensor Value)> Tensors()
    {
        yield return ("w_enc", WEnc_FD);
        yield return ("w_enc.v", WEncMoment_FD);
        yield return ("w_dec", WDec_FD);
        yield return ("w_dec.v", WDecMoment_FD);
        yield return ("b_enc", BEnc_F);
        yield return ("b_enc.v", BEncMoment_F);
        yield return ("b_dec", BDec_D);
        yield return ("b_dec.v", BDecMoment_D);
        yield return ("log_threshold", LogThreshold_F);
        yield return ("log_threshold.v", LogThresholdMoment_F);
    }

    /// <summary>Numbers of a checkpoint.</summary>
    public double[] Numbers
    {
        get => [Scale, Variance, Penalty, MeanL0, FittedThreshold];
        set => (Scale, Variance, Penalty, MeanL0, FittedThreshold) = (value[0], value[1], value[2], value[3], value[4]);
    }

    public void Dispose()
    {
        foreach (var (_, tensor) in Tensors()) tensor.Dispose();
    }

    // the threshold of a feature lies where it is active at its share of the tokens; then everything the encoder gives is shrunk to what decodes best, for many
    // features that look alike are active together
    private void Balance(Tensor centred_ND, CancellationToken cancel)
    {
        var (f, d) = (_recipe.FeatureCount, centred_ND.Shape[1]);
        var rows = Math.Min(centred_ND.Shape[0], Math.Clamp((1 << 24) / f, 256, 8192));
        var share = Math.Min(_recipe.InitialL0Factor * (_recipe.TargetL0 ?? 64), f / 2.0) / f;
        using Tensor x_ND = _engine.Allocate(DType.F32, rows, d), pre_NF = _engine.Allocate(DType.F32, rows, f), recon_ND = _engine.Allocate(DType.F32, rows, d), threshold_F = _engine.Allocate(DType.F32, f);
        _engine.Copy(centred_ND.Rows(0, rows), x_ND);
        _engine.MatMul(x_ND, WEnc_FD.Transpose(), pre_NF, default, cancel);
        using var pre = Tensor.Allocate(DType.F32, rows, f);
        _engine.Copy(pre_NF, pre);
        var place = Math.Clamp((int)Math.Round(share * rows), 1, rows) - 1;
        var column = new float[rows];
        var thresholds = new double[f];
        for (var i = 0; i < f; i++)
        {
            for (var t = 0; t < rows; t++) column[t] = pre.AsSpan<float>()[t * f + i];
            Array.Sort(column);
            thresholds[i] = Math.Max(column[rows - 1 - place], 1e-3);
        }

        using (var host = HostValues.ToTensor(thresholds)) _engine.Copy(host, threshold_F);
        _engine.JumpRelu(pre_NF, threshold_F, pre_NF);
        _engine.MatMulSparse(pre_NF, WDec_FD, recon_ND, default, cancel);
        using Tensor x = Tensor.Allocate(DType.F32, rows, d), recon = Tensor.Allocate(DType.F32, rows, d);
        _engine.Copy(x_ND, x);
        _engine.Copy(recon_ND, recon);
        double both = 0, squares = 0;
        for (var i = 0; i < rows * d; i++)
        {
            both += (double)x.AsSpan<float>()[i] * recon.AsSpan<float>()[i];
            squares += (double)recon.AsSpan<float>()[i] * recon.AsSpan<float>()[i];
        }

        var factor = squares > 0 ? Math.Clamp(both / squares, 1e-3, 1) : 1;
        using var factor_D = HostValues.ToTensor([.. Enumerable.Repeat(factor, d)]);
        _engine.ScaleColumns(WEnc_FD, factor_D, WEnc_FD);
        using var bias = HostValues.ToTensor([.. HostValues.Read(_engine, BEnc_F).Select(b => b * factor)]);
        _engine.Copy(bias, BEnc_F);
        using var logarithms = HostValues.ToTensor([.. thresholds.Select(t => Math.Log(t * factor))]);
        _engine.Copy(logarithms, LogThreshold_F);
    }

    private static double Norm(ReadOnlySpan<float> row)
    {
        double squares = 0;
        foreach (var v in row) squares += (double)v * v;
        return Math.Sqrt(squares);
    }
}
