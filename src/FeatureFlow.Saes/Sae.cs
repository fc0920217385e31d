using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>
/// An opened SAE: its facts, and its weights as views of the files. Nothing is copied: folds that a format asks for (Llama Scope's
/// norms, gated magnitudes) are kept as row and column scales beside the stored matrices. Disposing closes the files.
/// Opening reads headers only; every array is verified (finite, and CRC-32 where the file has one) on first use.
/// </summary>
public sealed partial class Sae : IDisposable
{
    private readonly SaeParts _parts;
    private readonly SaeFiles _files;
    private readonly Lazy<Tensor> _encoderBias_F;
    private readonly Lazy<Tensor> _decoderBias_D;
    private readonly Lazy<Tensor?> _inputBias_D;
    private readonly Lazy<Tensor?> _encoderScale_F;
    private readonly Lazy<Tensor?> _decoderScale_F;
    private readonly Lazy<Tensor?> _threshold_F;
    private readonly Lazy<Tensor?> _magnitudeScale_F;
    private readonly Lazy<Tensor?> _magnitudeBias_F;
    private readonly Lazy<Tensor?> _activationScale_F;

    private Sae(SaeParts parts, SaeFiles files)
    {
        _parts = parts;
        _files = files;
        Info = parts.Info;
        _encoderBias_F = new(() => Make(parts.EncoderBias) ?? Tensor.Allocate(DType.F32, Info.FeatureCount));
        _decoderBias_D = new(() => Make(parts.DecoderBias) ?? Tensor.Allocate(DType.F32, Info.OutputWidth));
        _inputBias_D = new(() => Make(parts.InputBias));
        _encoderScale_F = new(() => Make(parts.EncoderScale));
        _decoderScale_F = new(() => Make(parts.DecoderScale));
        _threshold_F = new(() => Make(parts.Threshold));
        _magnitudeScale_F = new(() => Make(parts.Magnitude?.Scale));
        _magnitudeBias_F = new(() => Make(parts.Magnitude?.Bias));
        _activationScale_F = new(() => Make(parts.ActivationScale));

        static Tensor? Make(Func<double[]>? values) => values is null ? null : HostValues.ToTensor(values());
    }

    /// <summary>What it is.</summary>
    public SaeInfo Info { get; }

    /// <summary>W_enc as stored, seen as [D,F]; <see cref="EncoderScale_F"/> is still to be applied.</summary>
    public Tensor EncoderWeights_DF => Open(_parts.EncoderWeights.View);

    /// <summary>W_dec as stored, seen as [F,O] (O = D but for transcoders); <see cref="DecoderScale_F"/> is still to be applied.</summary>
    public Tensor DecoderWeights_FD => Open(_parts.DecoderWeights.View);

    /// <summary>Positive factors of the columns of <see cref="EncoderWeights_DF"/>, float32 [F], or null for ones.</summary>
    public Tensor? EncoderScale_F => Open(_encoderScale_F.Value);

    /// <summary>Positive factors of the rows of <see cref="DecoderWeights_FD"/>, float32 [F], or null for ones. Directions and cosines need not apply them.</summary>
    public Tensor? DecoderScale_F => Open(_decoderScale_F.Value);

    /// <summary>θ, float32 [F]; null where the architecture has none.</summary>
    public Tensor? Threshold_F => Open(_threshold_F.Value);

    /// <summary>b_enc, float32 [F], scales and folds applied (the gate's bias for gated SAEs).</summary>
    public Tensor EncoderBias_F => Open(_encoderBias_F.Value);

    /// <summary>b_dec, float32 [O].</summary>
    public Tensor DecoderBias_D => Open(_decoderBias_D.Value);

    /// <summary>
    /// Opens the SAE of a file or folder, its format told by content (docs/formats.md). A folder may also hold exactly one SAE further down,
    /// or exactly one of the site and layer that are given.
    /// </summary>
    /// <param name="path">File or folder.</param>
    /// <param name="site">Where it reads, when known better than the files say.</param>
    /// <param name="layer">Its layer, when known better than the files say.</param>
    /// <exception cref="FeatureFlowException">FF20xx, FF30xx: missing, damaged, of no known format, or not what it says it is.</exception>
    public static Sae Open(string path, Site? site = null, int? layer = null)
    {
        var (format, files) = SaeFormats.Find(path, site, layer);
        try
        {
            var parts = format.Read(files);
            return new Sae(parts with { Info = parts.Info with { Site = site ?? parts.Info.Site, Layer = layer ?? parts.Info.Layer } }, files);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _parts.EncoderWeights.Dispose();
        _parts.DecoderWeights.Dispose();
        _parts.SkipWeights?.Dispose();
        _files.Dispose();
        IsDisposed = true;
    }

    private bool IsDisposed { get; set; }

    private T Open<T>(T value)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return value;
    }
}
