using System.Text.Json;
using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>A <c>cfg.json</c> of SAELens, of any version: the later key first, then the older ones, then the default of that time.</summary>
internal sealed class SaeLensConfig
{
    private readonly JsonConfig _config;
    private readonly JsonConfig? _metadata;

    public SaeLensConfig(JsonConfig config)
    {
        _config = config;
        _metadata = config.Object("metadata") ?? config.Object("meta");
        Architecture = config.Text("architecture") ?? "standard";
        IsTranscoder = Architecture.EndsWith("transcoder", StringComparison.Ordinal);
        Activation = config.Text("activation_fn_str") ?? config.Text("activation_fn") ?? "relu";
        if (Activation is not ("relu" or "topk")) throw SaeErrors.Unsupported(Path, "activation_fn", Activation, "relu and topk are known.");
        Transform = ReadTransform(out var average);
        NeedsAverage = average;
        SubtractBDec = config.Flag("apply_b_dec_to_input") ?? !IsTranscoder;
        if (SubtractBDec && IsTranscoder) throw SaeErrors.Unsupported(Path, "apply_b_dec_to_input", "true", "b_dec of a transcoder belongs to its output.");
    }

    public string Path => _config.Path;

    public string Architecture { get; }

    public string Activation { get; }

    public bool IsTranscoder { get; }

    public bool HasSkip => Architecture.EndsWith("skip_transcoder", StringComparison.Ordinal);

    public InputTransform Transform { get; }

    /// <summary>Trained on inputs scaled by a factor that the files do not hold.</summary>
    public bool NeedsAverage { get; }

    public bool SubtractBDec { get; }

    public bool RescaleByDecoderNorm => Architecture == "topk" && (_config.Flag("rescale_acts_by_decoder_norm") ?? false);

    public bool FineTuned => _config.Flag("finetuning_scaling_factor") ?? false;

    public string? Hook => Fact("hook_name") ?? Fact("hook_point");

    public int? Layer => _config.Int("hook_layer") ?? _config.Int("hook_point_layer") ?? _metadata?.Int("hook_layer");

    public bool ReadsHeads => _config.Text("reshape_activations") == "hook_z" || Hook?.EndsWith("hook_z", StringComparison.Ordinal) == true;

    public string? Model => Fact("model_name");

    public string? NeuronpediaId => Fact("neuronpedia_id");

    /// <summary>k of TopK: <c>k</c>, before version 6 <c>activation_fn_kwargs.k</c>.</summary>
    public int K(int features)
    {
        var arguments = _config.Object("activation_fn_kwargs");
        var k = _config.Int("k") ?? (arguments is null ? _config.Need<int>(null, "k") : arguments.Need(arguments.Int("k"), "k"));
        return k > 0 && k <= features ? k : throw SaeErrors.Mismatch(Path, "k", k, $"there are {features} features");
    }

    /// <summary>Refuses a declared extent that is not the actual one.</summary>
    public void Check(string key, int actual, string name, TensorEntry entry)
    {
        if (_config.Int(key) is { } says && says != actual) throw SaeErrors.Mismatch(Path, key, says, $"'{name}' of the weights is {entry}");
    }

    /// <summary>What a reader of the SAE should know about its input.</summary>
    public List<string> Notes(bool hasScaler)
    {
        var notes = new List<string>();
        if (NeedsAverage) notes.Add("trained on inputs scaled to a mean norm of √d (expected_average_only_in); as in SAELens nothing is scaled on loading: multiply the inputs by the factor" + (hasScaler ? " in activation_scaler.json" : "") + " and divide the reconstructions by it");
        if (ReadsHeads) notes.Add("reads the concatenated head outputs (hook_z), not the residual stream: no cosine with residual features");
        if ((_metadata?.Int("hook_head_index") ?? _config.Int("hook_head_index") ?? _config.Int("hook_point_head_index")) is { } head) notes.Add($"reads head {head} alone");
        if ((_metadata?.Object("model_from_pretrained_kwargs") ?? _config.Object("model_from_pretrained_kwargs"))?.Flag("center_writing_weights") == true) notes.Add("trained on a mean-centred residual stream (center_writing_weights): subtract the mean over d from raw activations first");
        return notes;
    }

    private InputTransform ReadTransform(out bool average)
    {
        var text = _config.Kind("normalize_activations") switch
        {
            JsonValueKind.True => "expected_average_only_in",
            JsonValueKind.False => "none",
            _ => _config.Text("normalize_activations") ?? "none",
        };
        average = text == "expected_average_only_in";
        return text switch
        {
            "none" or "expected_average_only_in" => InputTransform.None,
            "constant_norm_rescale" => InputTransform.ConstantNorm,
            "layer_norm" => InputTransform.LayerNorm,
            _ => throw SaeErrors.Unsupported(Path, "normalize_activations", text, "none, expected_average_only_in, constant_norm_rescale and layer_norm are known."),
        };
    }

    private string? Fact(string key) => _metadata?.Text(key) ?? _config.Text(key);
}
