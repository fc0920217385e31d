using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// SAELens: <c>cfg.json</c> and <c>sae_weights.safetensors</c>, perhaps <c>sparsity.safetensors</c>. Configurations before version 6 are flat,
/// later ones keep what is not needed for computing under <c>metadata</c>; both are read the same way, old names standing in for new ones.
/// </summary>
internal sealed class SaeLensFormat : ISaeFormat
{
    private const string ConfigName = "cfg.json", WeightsName = "sae_weights.safetensors", SparsityName = "sparsity.safetensors", ScalerName = "activation_scaler.json";

    public bool Matches(SaeFiles files) => files.Asks(ConfigName, WeightsName) && files.Has(ConfigName) && files.Has(WeightsName);

    public SaeParts Read(SaeFiles files)
    {
        var config = new SaeLensConfig(files.Config(ConfigName));
        var file = files.Tensors(WeightsName);
        var (d, f) = SaeFiles.Extents(file, Need(file, "W_enc"));
        config.Check("d_in", d, "W_enc", file.Entry("W_enc"));
        config.Check("d_sae", f, "W_enc", file.Entry("W_enc"));
        var decoderShape = file.Entry(Need(file, "W_dec")).Shape;
        var output = config.IsTranscoder && decoderShape is [_, > 0] ? decoderShape[1] : d;
        if (config.IsTranscoder) config.Check("d_out", output, "W_dec", file.Entry("W_dec"));

        var wEnc_DF = files.Matrix(file, "W_enc", d, f);
        var wDec_FD = files.Matrix(file, "W_dec", f, output);
        var norms = config.RescaleByDecoderNorm ? new DecoderNorms(wDec_FD) : null;
        var (architecture, k) = Activation(config, file, f);
        var gated = architecture == SaeArchitecture.Gated;
        var bias = files.Vector(file, Need(file, gated ? "b_gate" : "b_enc"), f);
        var decoderBias = files.Vector(file, Need(file, "b_dec"), output);
        var threshold = architecture == SaeArchitecture.JumpRelu ? Threshold(files, file, f) : null;
        (Func<double[]> Scale, Func<double[]> Bias)? magnitude = null;
        if (gated)
        {
            var rate = files.Vector(file, Need(file, "r_mag"), f);
            magnitude = (() => [.. rate().Select(Math.Exp)], files.Vector(file, Need(file, "b_mag"), f));
        }

        var notes = config.Notes(files.Has(ScalerName));
        var scale = FineTuning(config, files, file, f, notes);
        var skip = config.IsTranscoder && file.Contains("W_skip") ? files.Matrix(file, "W_skip", output, d) : null;
        if (skip is null && config.HasSkip) throw SaeErrors.MissingArray(file.Path, "W_skip", file.Entries.Select(e => e.Name));
        var sparsity = files.Has(SparsityName) && files.Tensors(SparsityName).Contains("sparsity") ? files.Vector(files.Tensors(SparsityName), "sparsity", f) : null;
        notes.AddRange(files.Unused(file, "scaling_factor"));
        var (site, layer) = HookNames.Parse(config.Hook, config.IsTranscoder);
        return new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "saelens",
                Architecture = architecture,
                InputWidth = d,
                OutputWidth = output,
                FeatureCount = f,
                K = k,
                Site = site ?? (config.ReadsHeads ? Site.AttZ : null),
                Layer = config.Layer ?? layer,
                IsTranscoder = config.IsTranscoder,
                InputTransform = config.Transform,
                ApplyBDecToInput = config.SubtractBDec,
                ModelName = config.Model,
                HookName = config.Hook,
                NeuronpediaId = config.NeuronpediaId,
                WeightType = file.Entry("W_dec").DType,
                Notes = notes,
            },
            EncoderWeights = wEnc_DF,
            DecoderWeights = wDec_FD,
            SkipWeights = skip,
            EncoderBias = norms is null ? bias : norms.Times(bias),
            DecoderBias = decoderBias,
            InputBias = config.SubtractBDec ? decoderBias : null,
            EncoderScale = norms is null ? null : norms.Values,
            DecoderScale = norms is null ? scale : scale is null ? () => norms.Inverse() : norms.Under(scale),
            Threshold = threshold,
            Magnitude = magnitude,
            LogSparsity = sparsity,
        };
    }

    private static (SaeArchitecture Architecture, int? K) Activation(SaeLensConfig config, TensorFile file, int f)
    {
        switch (config.Architecture)
        {
            case "standard" or "transcoder" or "skip_transcoder" when config.Activation == "topk":
            case "topk":
                return (SaeArchitecture.TopK, config.K(f));
            case "standard" or "transcoder" or "skip_transcoder":
                return (SaeArchitecture.Relu, null);

            // these select over a whole batch when training, and are saved with a threshold that does the same for a token
            case "batchtopk" or "matryoshka_batchtopk" or "jumprelu" or "jumprelu_transcoder" or "jumprelu_skip_transcoder":
                return (SaeArchitecture.JumpRelu, null);
            case "gated":
                return (SaeArchitecture.Gated, null);
            case "temporal" or "matching_pursuit":
                throw SaeErrors.Unsupported(config.Path, "architecture", config.Architecture, "it is no function of one token's vector.");
            default:
                throw SaeErrors.Unsupported(config.Path, "architecture", config.Architecture, "this version knows standard, jumprelu, topk, batchtopk, matryoshka_batchtopk, gated, transcoder, skip_transcoder, jumprelu_transcoder and jumprelu_skip_transcoder.");
        }
    }

    // training checkpoints hold its logarithm, or one number for all features
    private static Func<double[]> Threshold(SaeFiles files, TensorFile file, int f)
    {
        if (file.Contains("threshold")) return files.Vector(file, "threshold", f, scalar: true);
        if (file.Contains("topk_threshold")) return files.Vector(file, "topk_threshold", f, scalar: true);
        if (!file.Contains("log_threshold")) throw SaeErrors.MissingArray(file.Path, "threshold", file.Entries.Select(e => e.Name));
        var logarithm = files.Vector(file, "log_threshold", f);
        return () => [.. logarithm().Select(Math.Exp)];
    }

    private static Func<double[]>? FineTuning(SaeLensConfig config, SaeFiles files, TensorFile file, int f, List<string> notes)
    {
        if (!file.Contains("scaling_factor")) return null;
        var scale = ScalingFactor.Read(files, file, "scaling_factor", f, notes);
        return scale is null || config.FineTuned ? scale : throw SaeErrors.Mismatch(config.Path, "finetuning_scaling_factor", "false", "'scaling_factor' of the weights is not all ones");
    }

    private static string Need(TensorFile file, string name) =>
        file.Contains(name) ? name : throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name).Concat(file.Unreadable));
}
