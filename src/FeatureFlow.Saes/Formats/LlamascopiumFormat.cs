using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Llamascopium, the successor of Llama Scope: <c>config.json</c> with <c>sae_type</c> + <c>sae_weights.safetensors</c> with W_E [d,F], b_E, W_D
/// [F,d], b_D, log_jumprelu_threshold and data set norms. Decoder norms n take part in the comparison only: z = pre where pre·n > θ. The
/// R1-Distill SAEs have the same configuration with encoder.weight and decoder.weight.
/// </summary>
internal sealed class LlamascopiumFormat : ISaeFormat
{
    private const string Configuration = "config.json";
    private const string Weights = "sae_weights.safetensors";
    private const string NormPrefix = "dataset_average_activation_norm.";
    private const string LogThreshold = "log_jumprelu_threshold";

    public bool Matches(SaeFiles files) =>
        files.File is null or Configuration or Weights && files.Has(Configuration) && files.Has(Weights) && !files.Has("cfg.json") && files.Config(Configuration).Has("hook_point_in");

    public SaeParts Read(SaeFiles files)
    {
        var cfg = files.Config(Configuration);
        var file = files.Tensors(Weights);
        if (cfg.Text("sae_type") is { } type and not "sae") throw SaeErrors.Unsupported(cfg.Path, "sae_type", type, "only single-layer SAEs have one decoder direction per feature.");
        if (cfg.Flag("use_glu_encoder") == true) throw SaeErrors.Unsupported(cfg.Path, "use_glu_encoder", "true", "an encoder with a second, gating matrix has no single direction per feature.");
        var old = file.Contains("encoder.weight");
        var (encoderName, decoderName) = old ? ("encoder.weight", "decoder.weight") : ("W_E", "W_D");
        var (biasName, decoderBiasName) = old ? ("encoder.bias", "decoder.bias") : ("b_E", "b_D");
        foreach (var name in new[] { encoderName, decoderName, biasName })
        {
            if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
        }

        var (rows, columns) = SaeFiles.Extents(file, encoderName);
        var (d, f) = old ? (columns, rows) : (rows, columns);
        if (cfg.Int("d_model") is { } says && says != d) throw SaeErrors.Mismatch(cfg.Path, "d_model", says, $"'{encoderName}' in {Weights} is {file.Entry(encoderName)}");
        var notes = new List<string>();
        string? hook = cfg.Text("hook_point_in"), hookOut = cfg.Text("hook_point_out") ?? hook;
        var norm = Norm(cfg, file, d, hook!, hookOut!);
        var decoder = files.Matrix(file, decoderName, f, d, transposed: old);
        var bias = norm.EncoderBias(files.Vector(file, biasName, f))!;
        var include = cfg.Flag("sparsity_include_decoder_norm") == true;
        var norms = new Lazy<double[]>(() => [.. SaeFiles.RowNorms(decoder).Select(n => n * norm.Decoder)]);
        Func<double[]>? encoderScale = null, decoderScale = norm.Decoder == 1 ? null : () => [.. Enumerable.Repeat(norm.Decoder, f)], threshold = null;
        int? k = null;
        SaeArchitecture architecture;
        switch (cfg.Text("act_fn"))
        {
            case "jumprelu":
                architecture = SaeArchitecture.JumpRelu;
                var logs = files.Vector(file, file.Contains(LogThreshold) ? LogThreshold : "activation_function." + LogThreshold, f, scalar: true);
                threshold = include ? () => [.. logs().Zip(norms.Value, (t, n) => Math.Exp(t) / n)] : () => [.. logs().Select(Math.Exp)];
                break;
            case "topk":
                architecture = SaeArchitecture.TopK;
                k = cfg.Need(cfg.Int("top_k"), "top_k");
                if (!include) break;
                var stored = bias;
                encoderScale = () => norms.Value;
                decoderScale = () => [.. norms.Value.Select(n => norm.Decoder / n)];
                bias = () => [.. stored().Zip(norms.Value, (b, n) => b * n)];
                notes.Add("activations are in units of what they write: multiplied by the decoder norm that the k largest are chosen by");
                break;
            case "relu": architecture = SaeArchitecture.Relu; break;
            case var other: throw SaeErrors.Unsupported(cfg.Path, "act_fn", other ?? "null", "jumprelu, topk and relu are.");
        }

        var (site, layer) = HookNames.Parse(hook, hook != hookOut);
        var parts = new SaeParts
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
                IsTranscoder = hook != hookOut,
                HookName = hook,
                WeightType = decoder.DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, encoderName, d, f, transposed: old),
            DecoderWeights = decoder,
            EncoderBias = bias,
            DecoderBias = file.Contains(decoderBiasName) && cfg.Flag("use_decoder_bias") != false ? norm.DecoderBias(files.Vector(file, decoderBiasName, d)) : null,
            EncoderScale = encoderScale,
            DecoderScale = decoderScale,
            Threshold = threshold,
        };
        files.NoteUnused(file, notes, [.. file.Entries.Select(e => e.Name).Where(n => n.StartsWith(NormPrefix, StringComparison.Ordinal))]);
        return parts;
    }

    private static DatasetNorm Norm(JsonConfig cfg, TensorFile file, int d, string hook, string hookOut)
    {
        if (cfg.Text("norm_activation") is not { } kind || kind == "inference") return DatasetNorm.None;
        if (kind != "dataset-wise") throw SaeErrors.Unsupported(cfg.Path, "norm_activation", kind, "dataset-wise and inference are.");
        return DatasetNorm.Of(d, Of(hook), Of(hookOut));

        double Of(string at)
        {
            if (!file.Contains(NormPrefix + at)) throw SaeErrors.MissingArray(file.Path, NormPrefix + at, file.Entries.Select(e => e.Name));
            var value = SaeFiles.Scalar(file, NormPrefix + at);
            return value > 0 ? value : throw SaeErrors.NotPositive(file.Path, NormPrefix + at, 0, value);
        }
    }
}
