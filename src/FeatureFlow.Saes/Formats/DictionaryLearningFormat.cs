using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// dictionary_learning, its state saved as safetensors: <c>ae.safetensors</c>, and <c>config.json</c> whose trainer.dict_class says how it computes.
/// (The project itself writes <c>ae.pt</c>, a pickle, which is refused with the line of Python that converts it.)
/// </summary>
internal sealed class DictionaryLearningFormat : ISaeFormat
{
    private const string ConfigName = "config.json", WeightsName = "ae.safetensors";

    public bool Matches(SaeFiles files)
    {
        if (files.Has(WeightsName) && files.Asks(ConfigName, WeightsName)) return true;
        if (files.File?.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) != true) return false;
        var file = files.Tensors(files.File);
        return (file.Contains("encoder.weight") && file.Contains("decoder.weight")) || (file.Contains("W_enc") && file.Contains("W_dec"));
    }

    public SaeParts Read(SaeFiles files)
    {
        var file = files.Tensors(files.File is null or ConfigName ? WeightsName : files.File);
        var trainer = files.Has(ConfigName) ? files.Config(ConfigName).Object("trainer") : null;
        var kind = trainer?.Text("dict_class") ?? Guess(file);
        var isLinear = file.Contains("encoder.weight");
        string encoder = Need(isLinear ? "encoder.weight" : "W_enc"), decoder = Need(isLinear ? "decoder.weight" : "W_dec");
        var (rows, columns) = SaeFiles.Extents(file, encoder);
        var (d, f) = isLinear ? (columns, rows) : (rows, columns);
        Check("activation_dim", d);
        Check("dict_size", f);
        var wDec_FD = files.Matrix(file, decoder, f, d, isLinear);
        var place = Place(trainer, files.Folder);
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "dictionary-learning",
                Architecture = SaeArchitecture.Relu,
                InputWidth = d,
                OutputWidth = d,
                FeatureCount = f,
                Site = place.Site,
                Layer = place.Layer,
                ModelName = trainer?.Text("lm_name"),
                HookName = trainer?.Text("submodule_name"),
                WeightType = file.Entry(decoder).DType,
            },
            EncoderWeights = files.Matrix(file, encoder, d, f, isLinear),
            DecoderWeights = wDec_FD,
        };
        parts = kind switch
        {
            "AutoEncoder" => Subtracting(Biased(parts, "encoder.bias"), "bias"),
            "AutoEncoderNew" => Biased(parts, "encoder.bias") with { DecoderBias = Vector("decoder.bias", d) },
            "GatedAutoEncoder" => Gated(parts),
            "JumpReluAutoEncoder" => JumpRelu(parts),
            "AutoEncoderTopK" => TopK(Subtracting(Biased(parts, "encoder.bias"), "b_dec")),
            "BatchTopKSAE" => Thresholded(Subtracting(Biased(parts, "encoder.bias"), "b_dec")),
            "MatryoshkaBatchTopKSAE" => Thresholded(Subtracting(Biased(parts, isLinear ? "encoder.bias" : "b_enc"), "b_dec")),
            _ => throw SaeErrors.Unsupported(trainer?.Path ?? file.Path, "trainer.dict_class", kind, "AutoEncoder, AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder, AutoEncoderTopK, BatchTopKSAE and MatryoshkaBatchTopKSAE are known."),
        };
        return parts with { Info = parts.Info with { Notes = [.. files.Unused(file, "k", "threshold", "group_sizes")] } };

        string Need(string name) => file.Contains(name) ? name : throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));

        Func<double[]> Vector(string name, int length, bool scalar = false) => files.Vector(file, Need(name), length, scalar);

        void Check(string key, int actual)
        {
            if (trainer?.Int(key) is { } says && says != actual) throw SaeErrors.Mismatch(trainer.Path, "trainer." + key, says, $"'{encoder}' of the weights is {file.Entry(encoder)}");
        }

        SaeParts Biased(SaeParts p, string name) => p with { EncoderBias = Vector(name, f) };

        SaeParts Subtracting(SaeParts p, string name)
        {
            var bias = Vector(name, d);
            return p with { InputBias = bias, DecoderBias = bias, Info = p.Info with { ApplyBDecToInput = true } };
        }

        // both report activations times the decoder's norm
        SaeParts Gated(SaeParts p)
        {
            var norms = new DecoderNorms(wDec_FD);
            var rate = Vector("r_mag", f);
            return Subtracting(p, "decoder_bias") with
            {
                Info = p.Info with { Architecture = SaeArchitecture.Gated, ApplyBDecToInput = true },
                EncoderBias = Vector("gate_bias", f),
                Magnitude = (norms.Times(() => [.. rate().Select(Math.Exp)])!, norms.Times(Vector("mag_bias", f))!),
                DecoderScale = () => norms.Inverse(),
            };
        }

        SaeParts JumpRelu(SaeParts p)
        {
            var norms = new DecoderNorms(wDec_FD);
            return p with
            {
                Info = p.Info with { Architecture = SaeArchitecture.JumpRelu },
                EncoderBias = norms.Times(Vector("b_enc", f)),
                EncoderScale = norms.Values,
                Threshold = norms.Times(Vector("threshold", f)),
                DecoderBias = Vector("b_dec", d),
                DecoderScale = () => norms.Inverse(),
            };
        }

        SaeParts TopK(SaeParts p)
        {
            var k = trainer?.Int("k") ?? (int)Math.Clamp(SaeFiles.Scalar(file, Need("k")), 0, int.MaxValue);
            if (k <= 0 || k > f) throw SaeErrors.Mismatch(file.Path, "k", k, $"there are {f} features");
            return p with { Info = p.Info with { Architecture = SaeArchitecture.TopK, K = k } };
        }

        // chosen over a whole batch in training, by this one number afterwards
        SaeParts Thresholded(SaeParts p) => p with { Info = p.Info with { Architecture = SaeArchitecture.JumpRelu }, Threshold = Vector("threshold", f, scalar: true) };
    }

    // without a configuration: the arrays say, but for one case
    private static string Guess(TensorFile file)
    {
        if (file.Contains("r_mag")) return "GatedAutoEncoder";
        if (file.Contains("group_sizes")) return "MatryoshkaBatchTopKSAE";
        if (file.Contains("bias")) return "AutoEncoder";
        if (file.Contains("decoder.bias")) return "AutoEncoderNew";
        if (file.Contains("W_enc") && file.Contains("threshold")) return "JumpReluAutoEncoder";
        if (file.Contains("b_dec") && file.Contains("k") && !file.Contains("threshold")) return "AutoEncoderTopK";
        throw SaeErrors.MissingFile(file.Path, ConfigName, "the arrays alone do not say how this SAE computes; put it (with trainer.dict_class), or the cfg.json of SAELens, beside them.");
    }

    // resid_post_layer_5, mlp_out_layer3/10_32768: as the project's own scripts and releases name them
    private static (Site? Site, int? Layer) Place(JsonConfig? trainer, string folder)
    {
        Site? site = null;
        int? layer = trainer?.Int("layer");
        foreach (var name in folder.Replace('\\', '/').Split('/').TakeLast(4).Append(trainer?.Text("submodule_name") ?? ""))
        {
            layer ??= HookNames.Parse(name.Replace("layer", "_layer", StringComparison.Ordinal)).Layer;
            site = name switch
            {
                _ when name.Contains("resid_post", StringComparison.Ordinal) || name.Contains("resid_out", StringComparison.Ordinal) => Site.Res,
                _ when name.Contains("mlp_out", StringComparison.Ordinal) => Site.Mlp,
                _ when name.Contains("attn_out", StringComparison.Ordinal) => Site.Att,
                "embed" => Site.ResPre,
                _ => site,
            };
        }

        return (site, layer);
    }
}
