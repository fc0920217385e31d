using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>
/// What a format reader found: facts, where the matrices lie, and how the small vectors are made from the stored ones. Nothing is
/// read before it is used. Encode: pre = (x·W_enc) ∘ EncoderScale + EncoderBias; decode: (z ∘ DecoderScale)·W_dec + DecoderBias + h·W_skipᵀ.
/// </summary>
internal sealed record SaeParts
{
    public required SaeInfo Info { get; init; }

    /// <summary>[D,F].</summary>
    public required WeightMatrix EncoderWeights { get; init; }

    /// <summary>[F,O].</summary>
    public required WeightMatrix DecoderWeights { get; init; }

    /// <summary>[O,D], on the raw input.</summary>
    public WeightMatrix? SkipWeights { get; init; }

    /// <summary>[F], the bias of pre-activations (of the gate, for gated SAEs); zero when null.</summary>
    public Func<double[]>? EncoderBias { get; init; }

    /// <summary>[O]; zero when null.</summary>
    public Func<double[]>? DecoderBias { get; init; }

    /// <summary>[D], subtracted from the (normalised) input; nothing when null.</summary>
    public Func<double[]>? InputBias { get; init; }

    /// <summary>[F], factors of the columns of W_enc; one when null.</summary>
    public Func<double[]>? EncoderScale { get; init; }

    /// <summary>[F], positive factors of the rows of W_dec; one when null.</summary>
    public Func<double[]>? DecoderScale { get; init; }

    /// <summary>[F], of JumpReLU.</summary>
    public Func<double[]>? Threshold { get; init; }

    /// <summary>[F], factor and bias of the magnitude path of gated SAEs.</summary>
    public (Func<double[]> Scale, Func<double[]> Bias)? Magnitude { get; init; }

    /// <summary>[F], positive factors of activations, for projects that select in another frame than they report; one when null.</summary>
    public Func<double[]>? ActivationScale { get; init; }

    /// <summary>[F], log10 of the firing rate that the release measured.</summary>
    public Func<double[]>? LogSparsity { get; init; }
}

/// <summary>A matrix where it lies: a view is made, and its numbers looked at, on first use.</summary>
internal sealed class WeightMatrix(TensorFile file, string name, bool transposed) : IDisposable
{
    private readonly Lock _lock = new();
    private Tensor? _view;
    private Tensor? _copy;

    public string Name => name;

    public TensorFile File => file;

    public DType DType => file.Entry(name).DType;

    /// <summary>The verified view, in the orientation that the readers agreed on.</summary>
    public Tensor View
    {
        get
        {
            lock (_lock)
            {
                return _view ??= Make();
            }
        }
    }

    /// <summary>The L2 norm of every row, summed in float64.</summary>
    public double[] RowNorms()
    {
        using var norm_N = Tensor.Allocate(DType.F32, View.Shape[0]);
        CpuEngine.Shared.RowNorms(View, norm_N);
        return HostValues.ToDoubles(norm_N);
    }

    public void Dispose() => _copy?.Dispose();

    private Tensor Make()
    {
        var stored = SaeFiles.Verified(file, name);
        if (stored.DType == DType.F64) stored = _copy = HostValues.ToFloat32(stored);
        return transposed ? stored.Transpose() : stored;
    }
}
