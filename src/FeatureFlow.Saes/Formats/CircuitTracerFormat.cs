using System.Globalization;
using System.Text.RegularExpressions;
using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Transcoders of circuit-tracer: one <c>layer_5.safetensors</c> a layer, W_enc and W_dec both [F,d], b_enc, b_dec, a threshold for JumpReLU, k for
/// TopK, W_skip [d,d]; a <c>config.yaml</c> beside them names model, hooks and activation.
/// </summary>
internal sealed partial class CircuitTracerFormat : ISaeFormat
{
    private const string ConfigName = "config.yaml";
    private static readonly EnumerationOptions s_visible = new() { AttributesToSkip = 0, IgnoreInaccessible = true };

    public bool Matches(SaeFiles files)
    {
        if (files.File is null) return files.Has("W_enc_0.safetensors") && files.Has("W_dec_0.safetensors");
        if (!files.File.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)) return false;
        if (LayerFile().IsMatch(files.File) || CrossLayerFile().IsMatch(files.File)) return true;
        var file = files.Tensors(files.File);
        return file.Contains("W_enc") && file.Contains("W_dec") && file.Entry("W_enc").Shape is [var f, var d] && f != d && file.Entry("W_dec").Shape is [var g, _] && f == g;
    }

    /// <summary>The transcoders of a folder, each an SAE of its own.</summary>
    public static IEnumerable<string> FilesOf(string folder) =>
        Directory.EnumerateFiles(folder, "layer_*.safetensors", s_visible).Where(f => LayerFile().IsMatch(Path.GetFileName(f))).OrderBy(f => LayerOf(Path.GetFileName(f)));

    public SaeParts Read(SaeFiles files)
    {
        var config = files.Has(ConfigName) ? YamlFacts.Read(files.At(ConfigName)) : [];
        if (files.File is null || CrossLayerFile().IsMatch(files.File) || config.GetValueOrDefault("model_kind") == "cross_layer_transcoder")
        {
            throw SaeErrors.Unsupported(files.Path, "model_kind", "cross_layer_transcoder", "its features write to several layers; an SAE here has one output.");
        }

        var file = files.Tensors(files.File);
        foreach (var name in new[] { "W_enc", "W_dec", "b_enc", "b_dec" })
        {
            if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
        }

        var (f, d) = SaeFiles.Extents(file, "W_enc");
        var output = file.Entry("W_dec").Shape is [_, > 0] shape ? shape[1] : d;
        var threshold = Array.Find(["activation_function.threshold", "threshold"], file.Contains);
        var (architecture, k) = Activation(config, file, f, threshold is not null);
        var hook = config.GetValueOrDefault("feature_input_hook");
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "circuit-tracer",
                Architecture = architecture,
                InputWidth = d,
                OutputWidth = output,
                FeatureCount = f,
                K = k,
                Site = Site.Tc,
                Layer = LayerOf(files.File),
                IsTranscoder = true,
                ModelName = config.GetValueOrDefault("model_name"),
                HookName = hook is not null && LayerOf(files.File) is { } l ? string.Create(CultureInfo.InvariantCulture, $"blocks.{l}.{hook}") : hook,
                WeightType = file.Entry("W_dec").DType,
            },
            EncoderWeights = files.Matrix(file, "W_enc", d, f, transposed: true),
            DecoderWeights = files.Matrix(file, "W_dec", f, output),
            SkipWeights = file.Contains("W_skip") ? files.Matrix(file, "W_skip", output, d) : null,
            EncoderBias = files.Vector(file, "b_enc", f),
            DecoderBias = files.Vector(file, "b_dec", output),
            Threshold = architecture == SaeArchitecture.JumpRelu ? files.Vector(file, threshold!, f, scalar: true) : null,
        };
        return parts with { Info = parts.Info with { Notes = [.. files.Unused(file, "k")] } };
    }

    // what the configuration says wins, as in the project; else what the file holds
    private static (SaeArchitecture Architecture, int? K) Activation(Dictionary<string, string> config, TensorFile file, int f, bool hasThreshold)
    {
        switch (config.GetValueOrDefault("activation"))
        {
            case "relu": return (SaeArchitecture.Relu, null);
            case "topk": return (SaeArchitecture.TopK, K(config.GetValueOrDefault("k")));
            default:
                if (hasThreshold) return (SaeArchitecture.JumpRelu, null);
                return file.Contains("k") ? (SaeArchitecture.TopK, K(null)) : (SaeArchitecture.Relu, null);
        }

        int K(string? text)
        {
            var k = text is not null && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n
                : file.Contains("k") ? (int)Math.Clamp(SaeFiles.Scalar(file, "k"), 0, int.MaxValue)
                : throw SaeErrors.MissingArray(file.Path, "k", file.Entries.Select(e => e.Name));
            return k > 0 && k <= f ? k : throw SaeErrors.Mismatch(file.Path, "k", k, $"there are {f} features");
        }
    }

    private static int? LayerOf(string name) => LayerFile().Match(name) is { Success: true } m ? int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : null;

    [GeneratedRegex(@"^layer_(\d{1,4})\.safetensors$")]
    private static partial Regex LayerFile();

    [GeneratedRegex(@"^W_(?:enc|dec)_\d{1,4}\.safetensors$")]
    private static partial Regex CrossLayerFile();
}
