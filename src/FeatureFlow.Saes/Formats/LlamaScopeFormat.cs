using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Llama Scope: <c>hyperparams.json</c> and <c>checkpoints/final.safetensors</c> with encoder.weight [F,d], encoder.bias, decoder.weight [d,F], decoder.bias.
/// Trained on inputs scaled to norm √d; here everything is in the frame of raw inputs, as the project's own loader leaves it: with
/// s = √d/norm, b_enc/s_in, b_dec/s_out, W_dec·s_in/s_out, then the norm n of decoder rows moved into the encoder, and only then θ compared.
/// </summary>
internal sealed class LlamaScopeFormat : ISaeFormat
{
    private const string ConfigName = "hyperparams.json";
    private static readonly string[] s_weights = ["checkpoints/final.safetensors", "final.safetensors", "checkpoints/pruned.safetensors", "pruned.safetensors"];

    public bool Matches(SaeFiles files) => files.Asks(ConfigName, "final.safetensors", "pruned.safetensors") && (files.Has(ConfigName) || (files.Has("../" + ConfigName) && (files.Has("final.safetensors") || files.Has("pruned.safetensors"))));

    public SaeParts Read(SaeFiles files)
    {
        var config = files.Config(files.Has(ConfigName) ? ConfigName : "../" + ConfigName);
        var asked = files.File is { } name && name != ConfigName ? name : Array.Find(s_weights, files.Has);
        var file = files.Tensors(asked ?? throw SaeErrors.MissingFile(files.Folder, "checkpoints/final.safetensors", $"{ConfigName} is here without it."));
        foreach (var array in new[] { "encoder.weight", "encoder.bias", "decoder.weight" })
        {
            if (!file.Contains(array)) throw SaeErrors.MissingArray(file.Path, array, file.Entries.Select(e => e.Name));
        }

        var (f, d) = SaeFiles.Extents(file, "encoder.weight");
        Check("d_model", config.Int("d_model"), d);
        Check("d_sae", config.Int("d_sae"), f);
        if (config.Flag("use_glu_encoder") == true) throw SaeErrors.Unsupported(config.Path, "use_glu_encoder", "true", "encoders with a gated linear unit are not.");

        var scale = DatasetNorm.Read(config, d);
        var (architecture, k, threshold) = Activation(config, f, out var note);
        List<string> notes = note is null ? [] : [note];
        var wEnc_DF = files.Matrix(file, "encoder.weight", d, f, transposed: true);
        var wDec_FD = files.Matrix(file, "decoder.weight", f, d, transposed: true);
        var norms = config.Flag("sparsity_include_decoder_norm") == true ? new DecoderNorms(wDec_FD, scale.In / scale.Out) : null;
        var bias = Times(files.Vector(file, "encoder.bias", f), 1 / scale.In);
        var hasBias = config.Flag("use_decoder_bias") ?? file.Contains("decoder.bias");
        var decoderBias = hasBias ? Times(files.Vector(file, "decoder.bias", d), 1 / scale.Out) : null;
        var subtracts = decoderBias is not null && config.Flag("apply_decoder_bias_to_pre_encoder") == true;
        notes.AddRange(files.Unused(file));
        var (from, to) = (config.Text("hook_point_in"), config.Text("hook_point_out"));
        var transcodes = from is not null && to is not null && from != to;
        var (site, layer) = HookNames.Parse(from, transcodes);
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
                IsTranscoder = transcodes,
                ApplyBDecToInput = subtracts,
                HookName = from,
                ModelName = ModelOf(files.Path),
                WeightType = file.Entry("decoder.weight").DType,
                Notes = notes,
            },
            EncoderWeights = wEnc_DF,
            DecoderWeights = wDec_FD,
            EncoderBias = norms is null ? bias : norms.Times(bias),
            DecoderBias = decoderBias,
            InputBias = subtracts ? decoderBias : null,
            EncoderScale = norms is null ? null : norms.Values,
            DecoderScale = norms is not null ? () => norms.Inverse(scale.In / scale.Out) : scale.In == scale.Out ? null : () => Constant(f, scale.In / scale.Out),
            Threshold = threshold is { } theta ? () => Constant(f, theta) : null,
        };

        void Check(string key, int? says, int actual)
        {
            if (says is { } n && n != actual) throw SaeErrors.Mismatch(config.Path, key, n, $"'encoder.weight' of the weights is {file.Entry("encoder.weight")}");
        }
    }

    private static (SaeArchitecture Architecture, int? K, double? Threshold) Activation(JsonConfig config, int f, out string? note)
    {
        var activation = config.Need(config.Text("act_fn"), "act_fn");
        var threshold = config.Number("jump_relu_threshold");
        note = null;
        switch (activation)
        {
            case "jumprelu":
                return (SaeArchitecture.JumpRelu, null, Positive(config.Need(threshold, "jump_relu_threshold")));
            case "topk" when threshold > 0:
                note = "act_fn says topk, but a threshold is given: run as jumprelu, as the project means it for inference";
                return (SaeArchitecture.JumpRelu, null, threshold);
            case "topk":
                var k = config.Need(config.Int("top_k"), "top_k");
                return k > 0 && k <= f ? (SaeArchitecture.TopK, k, null) : throw SaeErrors.Mismatch(config.Path, "top_k", k, $"there are {f} features");
            case "relu":
                return (SaeArchitecture.Relu, null, null);
            default:
                throw SaeErrors.Unsupported(config.Path, "act_fn", activation, "relu, jumprelu and topk are known.");
        }

        // the project keeps every pre > θ: below zero that would be negative activations
        double Positive(double theta) => theta >= 0 ? theta : throw SaeErrors.NotPositive(config.Path, "jump_relu_threshold", 0, theta);
    }

    // Llama3_1-8B-Base-L15R-8x is what the folder is called when it comes from the hub
    private static string? ModelOf(string path) => path.Contains("Llama3_1-8B-Base-L", StringComparison.Ordinal) ? "meta-llama/Llama-3.1-8B" : null;

    private static Func<double[]> Times(Func<double[]> values, double factor) => factor == 1 ? values : () => [.. values().Select(v => v * factor)];

    private static double[] Constant(int n, double value) => [.. Enumerable.Repeat(value, n)];
}
