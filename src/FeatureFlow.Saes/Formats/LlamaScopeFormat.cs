using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Llama Scope: <c>hyperparams.json</c> + <c>checkpoints/final.safetensors</c> with encoder.weight [F,d], decoder.weight [d,F]. Data set norms
/// are folded, then the decoder norms if the SAE was trained with them; the threshold is one number, in the frame of the result.
/// </summary>
internal sealed class LlamaScopeFormat : ISaeFormat
{
    private const string Configuration = "hyperparams.json";
    private const string InFolder = "checkpoints/final.safetensors";
    private const string Beside = "final.safetensors";

    // one of its files may be asked for by name, too
    public bool Matches(SaeFiles files) => files.File is null or Configuration && files.Has(Configuration) && (files.Has(InFolder) || files.Has(Beside));

    public SaeParts Read(SaeFiles files)
    {
        var cfg = files.Config(Configuration);
        var file = files.Tensors(files.Has(InFolder) ? InFolder : Beside);
        if (cfg.Flag("use_glu_encoder") == true) throw SaeErrors.Unsupported(cfg.Path, "use_glu_encoder", "true", "an encoder with a second, gating matrix has no single direction per feature.");
        foreach (var name in new[] { "encoder.weight", "encoder.bias", "decoder.weight" })
        {
            if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
        }

        var (f, d) = SaeFiles.Extents(file, "encoder.weight");
        Check(cfg, "d_model", d, file);
        Check(cfg, "d_sae", f, file);
        var notes = new List<string>();
        var norm = Norm(cfg, d);
        var (architecture, k, threshold) = Activation(cfg);
        var decoder = files.Matrix(file, "decoder.weight", f, d, transposed: true);
        var bias = norm.EncoderBias(files.Vector(file, "encoder.bias", f))!;
        var decoderBias = file.Contains("decoder.bias") && cfg.Flag("use_decoder_bias") != false ? norm.DecoderBias(files.Vector(file, "decoder.bias", d)) : null;
        Func<double[]>? encoderScale = null, decoderScale = norm.Decoder == 1 ? null : () => [.. Enumerable.Repeat(norm.Decoder, f)];
        if (cfg.Flag("sparsity_include_decoder_norm") == true)
        {
            // n_i = ‖W_dec,i‖·s_in/s_out goes from the decoder into the encoder
            var norms = new Lazy<double[]>(() => [.. SaeFiles.RowNorms(decoder).Select(n => n * norm.Decoder)]);
            var stored = bias;
            encoderScale = () => norms.Value;
            decoderScale = () => [.. norms.Value.Select(n => norm.Decoder / n)];
            bias = () => [.. stored().Zip(norms.Value, (b, n) => b * n)];
        }

        string? hook = cfg.Text("hook_point_in"), hookOut = cfg.Text("hook_point_out");
        var transcoder = hookOut is not null && hook is not null && hookOut != hook;
        var (site, layer) = HookNames.Parse(hook, transcoder);
        files.NoteUnused(file, notes);
        return new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "llama-scope",
                Architecture = architecture,
                InputWidth = d,
                OutputWidth = d,
                FeatureCount = f,
                K = k,
                Site = site,
                Layer = layer,
                IsTranscoder = transcoder,
                ApplyBDecToInput = cfg.Flag("apply_decoder_bias_to_pre_encoder") == true,
                HookName = hook,
                WeightType = file.Entry("decoder.weight").DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, "encoder.weight", d, f, transposed: true),
            DecoderWeights = decoder,
            EncoderBias = bias,
            DecoderBias = decoderBias,
            InputBias = cfg.Flag("apply_decoder_bias_to_pre_encoder") == true ? decoderBias : null,
            EncoderScale = encoderScale,
            DecoderScale = decoderScale,
            Threshold = threshold is { } t ? () => [.. Enumerable.Repeat(t, f)] : null,
        };
    }

    // a topk configuration with a positive threshold is meant to run as jumprelu
    private static (SaeArchitecture, int? K, double? Threshold) Activation(JsonConfig cfg)
    {
        var threshold = cfg.Number("jump_relu_threshold");
        return cfg.Text("act_fn") switch
        {
            "jumprelu" => (SaeArchitecture.JumpRelu, null, cfg.Need(threshold, "jump_relu_threshold")),
            "topk" when threshold > 0 => (SaeArchitecture.JumpRelu, null, threshold),
            "topk" => (SaeArchitecture.TopK, cfg.Need(cfg.Int("top_k"), "top_k"), null),
            "relu" => (SaeArchitecture.Relu, null, null),
            var other => throw SaeErrors.Unsupported(cfg.Path, "act_fn", other ?? "null", "jumprelu, topk and relu are."),
        };
    }

    private static DatasetNorm Norm(JsonConfig cfg, int d)
    {
        const string Key = "dataset_average_activation_norm";
        switch (cfg.Text("norm_activation"))
        {
            case "dataset-wise":
                var norms = cfg.Object(Key);
                return DatasetNorm.Of(d, Positive(cfg, norms?.Number("in"), Key + ".in"), Positive(cfg, norms?.Number("out"), Key + ".out"));
            case null or "inference": return DatasetNorm.None;
            case var other: throw SaeErrors.Unsupported(cfg.Path, "norm_activation", other, "dataset-wise and inference are.");
        }
    }

    private static double Positive(JsonConfig cfg, double? value, string key) =>
        cfg.Need(value, key) is > 0 and var n ? n : throw SaeErrors.Unsupported(cfg.Path, key, $"{value}", "it must be positive.");

    private static void Check(JsonConfig cfg, string key, int actual, TensorFile file)
    {
        if (cfg.Int(key) is { } says && says != actual) throw SaeErrors.Mismatch(cfg.Path, key, says, $"'encoder.weight' in {Path.GetFileName(file.Path)} is {file.Entry("encoder.weight")}");
    }
}
