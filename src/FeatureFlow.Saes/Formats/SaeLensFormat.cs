using System.Text.Json;
using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// SAELens: <c>cfg.json</c> + <c>sae_weights.safetensors</c>, with or without <c>metadata</c> (from version 6, and before it). W_enc [d,F], W_dec
/// [F,d_out]; b_dec is subtracted from the (normalised) input unless the configuration says no.
/// </summary>
internal sealed class SaeLensFormat : ISaeFormat
{
    private const string Configuration = "cfg.json";
    private const string Weights = "sae_weights.safetensors";

    public bool Matches(SaeFiles files) => files.File is null or Configuration or Weights && files.Has(Weights) && files.Has(Configuration);

    public SaeParts Read(SaeFiles files)
    {
        var cfg = new SaeLensConfig(files.Config(Configuration));
        var file = files.Tensors(Weights);
        var notes = new List<string>();
        foreach (var name in new[] { "W_enc", "W_dec", "b_dec" })
        {
            if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
        }

        var (d, f) = SaeFiles.Extents(file, "W_enc");
        cfg.Check("d_in", d, "W_enc", file);
        cfg.Check("d_sae", f, "W_enc", file);
        var output = cfg.IsTranscoder ? cfg.OutputWidth ?? SaeFiles.Extents(file, "W_dec").Columns : d;
        var (site, layer) = cfg.Place();
        var decoder = files.Matrix(file, "W_dec", f, output);
        var decoderBias = files.Vector(file, "b_dec", output);
        var bias = cfg.Architecture == SaeArchitecture.Gated ? files.Vector(file, "b_gate", f) : files.Vector(file, "b_enc", f);
        Func<double[]>? encoderScale = null, decoderScale = null;
        if (cfg.RescaleByDecoderNorm)
        {
            // pre-activations are compared in units of what they write; activations keep those units, so decoding divides again
            var norms = new Lazy<double[]>(() => SaeFiles.RowNorms(decoder));
            var stored = bias;
            (encoderScale, decoderScale) = (() => norms.Value, () => [.. norms.Value.Select(n => 1 / n)]);
            bias = () => [.. stored().Zip(norms.Value, (b, n) => b * n)];
        }

        if (file.Contains("scaling_factor") && ScalingFactor.Read(files, file, "scaling_factor", f, notes) is { } factor)
        {
            var before = decoderScale;
            decoderScale = before is null ? factor : () => [.. before().Zip(factor(), (a, b) => a * b)];
        }

        cfg.AddNotes(notes);
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "saelens",
                Architecture = cfg.Architecture,
                InputWidth = d,
                OutputWidth = output,
                FeatureCount = f,
                K = cfg.K,
                Site = site,
                Layer = layer,
                IsTranscoder = cfg.IsTranscoder,
                InputTransform = cfg.InputTransform,
                ApplyBDecToInput = cfg.ApplyBDecToInput,
                ModelName = cfg.Text("model_name"),
                HookName = cfg.Hook,
                NeuronpediaId = cfg.Text("neuronpedia_id"),
                WeightType = decoder.DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, "W_enc", d, f),
            DecoderWeights = decoder,
            SkipWeights = file.Contains("W_skip") ? files.Matrix(file, "W_skip", output, d) : null,
            EncoderBias = bias,
            DecoderBias = decoderBias,
            InputBias = cfg.ApplyBDecToInput ? decoderBias : null,
            EncoderScale = encoderScale,
            DecoderScale = decoderScale,
            Threshold = cfg.Architecture == SaeArchitecture.JumpRelu ? Threshold(files, file, f) : null,
            Magnitude = cfg.Architecture == SaeArchitecture.Gated ? (Exponential(files.Vector(file, "r_mag", f)), files.Vector(file, "b_mag", f)) : null,
            LogSparsity = files.Has("sparsity.safetensors") ? Sparsity(files, f, notes) : null,
        };
        files.NoteUnused(file, notes, "scaling_factor");
        return parts;
    }

    // training checkpoints keep its logarithm
    private static Func<double[]> Threshold(SaeFiles files, TensorFile file, int f)
    {
        if (file.Contains("threshold")) return files.Vector(file, "threshold", f, scalar: true);
        if (file.Contains("log_threshold")) return Exponential(files.Vector(file, "log_threshold", f, scalar: true));
        throw SaeErrors.MissingArray(file.Path, "threshold", file.Entries.Select(e => e.Name));
    }

    private static Func<double[]>? Sparsity(SaeFiles files, int f, List<string> notes)
    {
        var file = files.Tensors("sparsity.safetensors");
        if (file.Contains("sparsity")) return files.Vector(file, "sparsity", f);
        notes.Add("sparsity.safetensors has no 'sparsity'");
        return null;
    }

    private static Func<double[]> Exponential(Func<double[]> values) => () => [.. values().Select(Math.Exp)];
}

/// <summary>A cfg.json of any version: before 6 flat and with other names, from 6 with the facts about the model under <c>metadata</c>.</summary>
internal sealed class SaeLensConfig
{
    private readonly JsonConfig _cfg;
    private readonly JsonConfig? _metadata;

    public SaeLensConfig(JsonConfig cfg)
    {
        _cfg = cfg;
        _metadata = cfg.Object("metadata");
        var name = cfg.Text("architecture") ?? "standard";
        var activation = cfg.Text("activation_fn") ?? cfg.Text("activation_fn_str") ?? "relu";
        if (_metadata is null && activation == "topk") name = "topk"; // before 6, whatever 'architecture' says
        else if (activation is not ("relu" or "topk")) throw SaeErrors.Unsupported(cfg.Path, "activation_fn", activation, "ReLU and topk are.");
        (Architecture, IsTranscoder) = name switch
        {
            "standard" => (SaeArchitecture.Relu, false),
            "jumprelu" or "batchtopk" or "matryoshka_batchtopk" => (SaeArchitecture.JumpRelu, false), // batchtopk SAEs are saved with a threshold
            "topk" => (SaeArchitecture.TopK, false),
            "gated" => (SaeArchitecture.Gated, false),
            "transcoder" or "skip_transcoder" => (SaeArchitecture.Relu, true),
            "jumprelu_transcoder" or "jumprelu_skip_transcoder" => (SaeArchitecture.JumpRelu, true),
            _ => throw SaeErrors.Unsupported(cfg.Path, "architecture", name, "standard, jumprelu, topk, batchtopk, gated and transcoders are; a sequence model such as temporal has no feature directions of one token."),
        };
        if (Architecture == SaeArchitecture.TopK)
        {
            var k = cfg.Int("k") ?? cfg.Object("activation_fn_kwargs")?.Int("k");
            K = cfg.Need(k, "k") is > 0 and var n ? n : throw SaeErrors.Unsupported(cfg.Path, "k", $"{k}", "it must be positive.");
        }

        InputTransform = Normalisation(out var average);
        Averages = average;
    }

    public SaeArchitecture Architecture { get; }

    public bool IsTranscoder { get; }

    public int? K { get; }

    public InputTransform InputTransform { get; }

    public bool ApplyBDecToInput => !IsTranscoder && (_cfg.Flag("apply_b_dec_to_input") ?? true);

    public bool RescaleByDecoderNorm => Architecture == SaeArchitecture.TopK && (_cfg.Flag("rescale_acts_by_decoder_norm") ?? false);

    public int? OutputWidth => _cfg.Int("d_out");

    public string? Hook => Text("hook_name") ?? Text("hook_point");

    private bool Averages { get; }

    /// <summary>A fact about the model: under metadata, or in the flat file.</summary>
    public string? Text(string key) => _metadata?.Text(key) ?? (_cfg.Kind(key) == JsonValueKind.String ? _cfg.Text(key) : null);

    /// <summary>Refuses a declared extent that is not the actual one.</summary>
    public void Check(string key, int actual, string array, TensorFile file)
    {
        if (_cfg.Int(key) is { } says && says != actual) throw SaeErrors.Mismatch(_cfg.Path, key, says, $"'{array}' in {System.IO.Path.GetFileName(file.Path)} is {file.Entry(array)}");
    }

    public (Site? Site, int? Layer) Place()
    {
        var (site, layer) = HookNames.Parse(Hook, IsTranscoder);
        if (_cfg.Text("reshape_activations") == "hook_z") site = Site.AttZ;
        return (site, layer ?? _cfg.Int("hook_layer"));
    }

    public void AddNotes(List<string> notes)
    {
        if (Averages) notes.Add("trained on inputs scaled by a factor that the files do not hold (expected_average_only_in): computed unscaled, as SAELens does on loading");
        if (Place().Site == Site.AttZ) notes.Add("reads the concatenated head outputs (hook_z), not the residual stream: no cosine with residual features");
        if (IsTranscoder && _cfg.Flag("apply_b_dec_to_input") == true) notes.Add("'apply_b_dec_to_input' is true, which means nothing for a transcoder");
        if ((_metadata?.Int("hook_head_index") ?? _cfg.Int("hook_head_index")) is { } head) notes.Add($"reads head {head} alone");
        if ((_metadata ?? _cfg).Object("model_from_pretrained_kwargs")?.Flag("center_writing_weights") == true) notes.Add("trained on a residual stream with its mean taken out (center_writing_weights)");
    }

    private InputTransform Normalisation(out bool average)
    {
        average = false;
        const string Key = "normalize_activations";
        switch (_cfg.Kind(Key))
        {
            case JsonValueKind.Undefined or JsonValueKind.False: return InputTransform.None;
            case JsonValueKind.True: average = true; return InputTransform.None;
        }

        switch (_cfg.Text(Key))
        {
            case "none": return InputTransform.None;
            case "expected_average_only_in": average = true; return InputTransform.None;
            case "constant_norm_rescale": return InputTransform.ConstantNorm;
            case "layer_norm": return InputTransform.LayerNorm;
            default: throw SaeErrors.Unsupported(_cfg.Path, Key, _cfg.Text(Key)!, "none, expected_average_only_in, constant_norm_rescale and layer_norm are.");
        }
    }
}
