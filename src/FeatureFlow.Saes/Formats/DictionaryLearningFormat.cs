using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// dictionary_learning without its pickle: <c>ae.safetensors</c> (converted from ae.pt, the same names) + <c>config.json</c> with <c>trainer</c>. The class of
/// dictionary decides: AutoEncoder, GatedAutoEncoder, JumpReluAutoEncoder, AutoEncoderTopK, BatchTopKSAE.
/// </summary>
internal sealed class DictionaryLearningFormat : ISaeFormat
{
    private const string Configuration = "config.json";
    private const string Weights = "ae.safetensors";

    public bool Matches(SaeFiles files) => files.File is null or Configuration or Weights && files.Has(Weights) && files.Has(Configuration);

    public SaeParts Read(SaeFiles files)
    {
        var cfg = files.Config(Configuration);
        var trainer = cfg.Object("trainer") ?? cfg;
        var file = files.Tensors(Weights);
        var kind = trainer.Text("dict_class") ?? "AutoEncoder";
        var linear = file.Contains("encoder.weight");
        var (encoderName, decoderName) = linear ? ("encoder.weight", "decoder.weight") : ("W_enc", "W_dec");
        foreach (var name in new[] { encoderName, decoderName })
        {
            if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
        }

        var (rows, columns) = SaeFiles.Extents(file, encoderName);
        var (d, f) = linear ? (columns, rows) : (rows, columns);
        foreach (var (key, actual) in new[] { ("activation_dim", d), ("dict_size", f) })
        {
            if (trainer.Int(key) is { } says && says != actual) throw SaeErrors.Mismatch(cfg.Path, "trainer." + key, says, $"'{encoderName}' in {Weights} is {file.Entry(encoderName)}");
        }

        var notes = new List<string>();
        var scalar = file.Contains("threshold") && file.Entry("threshold").Shape.All(n => n == 1);
        var threshold = file.Contains("threshold") ? files.Vector(file, "threshold", f, scalar: true) : null;
        var (architecture, bias, encoderBias, subtract) = kind switch
        {
            "AutoEncoder" => (SaeArchitecture.Relu, "bias", "encoder.bias", true),
            "AutoEncoderNew" => (SaeArchitecture.Relu, "decoder.bias", "encoder.bias", false),
            "GatedAutoEncoder" => (SaeArchitecture.Gated, "decoder_bias", "gate_bias", true),
            "JumpReluAutoEncoder" => (SaeArchitecture.JumpRelu, "b_dec", "b_enc", trainer.Flag("apply_b_dec_to_input") ?? false),
            "AutoEncoderTopK" => (SaeArchitecture.TopK, "b_dec", "encoder.bias", true),
            "BatchTopKSAE" or "MatryoshkaBatchTopKSAE" => (SaeArchitecture.JumpRelu, "b_dec", linear ? "encoder.bias" : "b_enc", true),
            _ => throw SaeErrors.Unsupported(cfg.Path, "trainer.dict_class", kind, "AutoEncoder, AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder, AutoEncoderTopK and BatchTopKSAE are."),
        };
        if (architecture == SaeArchitecture.JumpRelu && threshold is null) throw SaeErrors.MissingArray(file.Path, "threshold", file.Entries.Select(e => e.Name));
        int? k = null;
        if (architecture == SaeArchitecture.TopK)
        {
            k = trainer.Int("k") ?? (file.Contains("k") ? (int)SaeFiles.Scalar(file, "k") : trainer.Need((int?)null, "k"));
            if (threshold is not null && scalar) notes.Add("the threshold fitted for inference is not used: the k largest are taken");
        }

        var decoderBias = files.Vector(file, bias, d);
        var (site, layer) = Place(trainer);
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "dictionary-learning",
                Architecture = architecture,
                InputWidth = d,
                OutputWidth = d,
                FeatureCount = f,
                K = k,
                Site = site,
                Layer = layer,
                ApplyBDecToInput = subtract,
                ModelName = trainer.Text("lm_name"),
                HookName = trainer.Text("submodule_name"),
                WeightType = file.Entry(decoderName).DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, encoderName, d, f, transposed: linear),
            DecoderWeights = files.Matrix(file, decoderName, f, d, transposed: linear),
            EncoderBias = files.Vector(file, encoderBias, f),
            DecoderBias = decoderBias,
            InputBias = subtract ? decoderBias : null,
            Threshold = architecture == SaeArchitecture.JumpRelu ? threshold : null,
            Magnitude = architecture == SaeArchitecture.Gated ? (Exponential(files.Vector(file, "r_mag", f)), files.Vector(file, "mag_bias", f)) : null,
        };
        files.NoteUnused(file, notes, "k", "threshold");
        return parts;
    }

    private static (Site?, int?) Place(JsonConfig trainer)
    {
        var name = trainer.Text("submodule_name") ?? "resid_post";
        Site? site = name.StartsWith("resid", StringComparison.Ordinal) ? Site.Res : name.StartsWith("mlp", StringComparison.Ordinal) ? Site.Mlp : name.StartsWith("att", StringComparison.Ordinal) ? Site.Att : null;
        return (site, trainer.Int("layer"));
    }

    private static Func<double[]> Exponential(Func<double[]> values) => () => [.. values().Select(Math.Exp)];
}
