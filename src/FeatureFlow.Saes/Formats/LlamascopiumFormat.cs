using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Llamascopium, the successor of Llama Scope: <c>config.json</c> with sae_type and <c>sae_weights.safetensors</c> with W_E [d,F], b_E, W_D [F,d], b_D
/// (or encoder.weight [F,d] and so on), <c>log_jumprelu_threshold</c> and the norms of its data set. With n the norm of decoder rows,
/// z = pre where σ(pre·n) > 0: the norm decides what fires and is taken out again. The norms of the data set are folded as the project's loader does it
/// (<see cref="DatasetNorm"/>); like there, θ is compared as it is stored.
/// </summary>
internal sealed class LlamascopiumFormat : ISaeFormat
{
    private const string ConfigName = "config.json", WeightsName = "sae_weights.safetensors", NormPrefix = "dataset_average_activation_norm.";

    public bool Matches(SaeFiles files) => files.Asks(ConfigName, WeightsName) && files.Has(ConfigName) && files.Has(WeightsName) && !files.Has("cfg.json");

    public SaeParts Read(SaeFiles files)
    {
        var config = files.Config(ConfigName);
        if (config.Text("sae_type") is { } type and not "sae") throw SaeErrors.Unsupported(config.Path, "sae_type", type, "it writes to several places or reads several tokens; only 'sae' is a function of one vector.");
        if (config.Flag("use_glu_encoder") == true) throw SaeErrors.Unsupported(config.Path, "use_glu_encoder", "true", "encoders with a gated linear unit are not.");
        var file = files.Tensors(WeightsName);
        var names = Names.Of(file);
        var (rows, columns) = SaeFiles.Extents(file, names.Encoder);
        var (d, f) = names.Transposed ? (columns, rows) : (rows, columns);
        Check("d_model", config.Int("d_model"), d);
        Check("d_sae", config.Int("d_sae") ?? (int?)(config.Number("expansion_factor") * d), f);
        var (from, to) = (config.Text("hook_point_in"), config.Text("hook_point_out"));
        var transcodes = from is not null && to is not null && from != to;
        var scale = Norm(config, file, from, to, d);

        var wEnc_DF = files.Matrix(file, names.Encoder, d, f, names.Transposed);
        var wDec_FD = files.Matrix(file, names.Decoder, f, d, names.Transposed);
        var norms = config.Flag("sparsity_include_decoder_norm") != false ? new DecoderNorms(wDec_FD, scale.In / scale.Out) : null;
        var bias = Times(files.Vector(file, names.EncoderBias, f), 1 / scale.In);
        var decoderBias = config.Flag("use_decoder_bias") ?? file.Contains(names.DecoderBias) ? Times(files.Vector(file, names.DecoderBias, d), 1 / scale.Out) : null;
        var (architecture, k) = Activation(config, f);
        var threshold = architecture == SaeArchitecture.JumpRelu ? Threshold(files, config, file, f) : null;
        var selectsScaled = norms is not null && architecture == SaeArchitecture.TopK;
        var notes = files.Unused(file, [.. file.Entries.Select(e => e.Name).Where(n => n.StartsWith(NormPrefix, StringComparison.Ordinal))]).ToList();
        var (site, layer) = HookNames.Parse(from, transcodes);
        return new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "llamascopium",
                Architecture = architecture,
                InputWidth = d,
                OutputWidth = d,
                FeatureCount = f,
                K = k,
                Site = site,
                Layer = layer,
                IsTranscoder = transcodes,
                ModelName = config.Text("model_name"),
                HookName = from,
                WeightType = file.Entry(names.Decoder).DType,
                Notes = notes,
            },
            EncoderWeights = wEnc_DF,
            DecoderWeights = wDec_FD,
            EncoderBias = selectsScaled ? norms!.Times(bias) : bias,
            DecoderBias = decoderBias,
            EncoderScale = selectsScaled ? norms!.Values : null,
            ActivationScale = selectsScaled ? () => norms!.Inverse() : null,
            DecoderScale = scale.In == scale.Out ? null : () => [.. Enumerable.Repeat(scale.In / scale.Out, f)],
            Threshold = threshold is null || norms is null ? threshold : norms.Under(threshold),
        };

        void Check(string key, int? says, int actual)
        {
            if (says is { } n && n != actual) throw SaeErrors.Mismatch(config.Path, key, n, $"'{names.Encoder}' of the weights is {file.Entry(names.Encoder)}");
        }
    }

    private static (SaeArchitecture Architecture, int? K) Activation(JsonConfig config, int f)
    {
        var activation = config.Text("act_fn") ?? "relu";
        if (activation == "relu") return (SaeArchitecture.Relu, null);
        if (activation == "jumprelu") return (SaeArchitecture.JumpRelu, null);
        if (activation != "topk") throw SaeErrors.Unsupported(config.Path, "act_fn", activation, "relu, jumprelu and topk are known; batchtopk is saved as jumprelu once trained.");
        var k = config.Int("top_k") ?? 50;
        return k > 0 && k <= f ? (SaeArchitecture.TopK, k) : throw SaeErrors.Mismatch(config.Path, "top_k", k, $"there are {f} features");
    }

    private static Func<double[]> Threshold(SaeFiles files, JsonConfig config, TensorFile file, int f)
    {
        string[] names = ["log_jumprelu_threshold", "activation_function.log_jumprelu_threshold"];
        if (Array.Find(names, file.Contains) is { } name)
        {
            var logarithm = files.Vector(file, name, f, scalar: true);
            return () => [.. logarithm().Select(Math.Exp)];
        }

        var theta = config.Number("jump_relu_threshold") ?? throw SaeErrors.MissingArray(file.Path, names[0], file.Entries.Select(e => e.Name));
        return theta >= 0 ? () => [.. Enumerable.Repeat(theta, f)] : throw SaeErrors.NotPositive(config.Path, "jump_relu_threshold", 0, theta);
    }

    private static DatasetNorm Norm(JsonConfig config, TensorFile file, string? from, string? to, int d)
    {
        if (!DatasetNorm.IsUsed(config)) return new DatasetNorm(1, 1);
        var (into, outOf) = (NormPrefix + from, NormPrefix + to);
        if (!file.Contains(into)) return DatasetNorm.Read(config, d);
        return DatasetNorm.Of(file.Path, into, SaeFiles.Scalar(file, into), SaeFiles.Scalar(file, file.Contains(outOf) ? outOf : into), d);
    }

    private static Func<double[]> Times(Func<double[]> values, double factor) => factor == 1 ? values : () => [.. values().Select(v => v * factor)];

    private sealed record Names(string Encoder, string EncoderBias, string Decoder, string DecoderBias, bool Transposed)
    {
        public static Names Of(TensorFile file)
        {
            var names = file.Contains("encoder.weight")
                ? new Names("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias", true)
                : new Names("W_E", "b_E", "W_D", "b_D", false);
            foreach (var name in new[] { names.Encoder, names.EncoderBias, names.Decoder })
            {
                if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
            }

            return names;
        }
    }
}
