using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// sparsify: a folder named after its hook (<c>layers.5.mlp</c>) with <c>cfg.json</c> and <c>sae.safetensors</c>: encoder.weight [F,d], encoder.bias,
/// W_dec [F,d_out], b_dec, W_skip [d_out,d]. x = h − b_dec unless it transcodes; ReLU, then the k largest or the largest of each of k groups.
/// </summary>
internal sealed class SparsifyFormat : ISaeFormat
{
    private const string ConfigName = "cfg.json", WeightsName = "sae.safetensors";

    public bool Matches(SaeFiles files) => files.Asks(ConfigName, WeightsName) && files.Has(ConfigName) && files.Has(WeightsName);

    public SaeParts Read(SaeFiles files)
    {
        var config = files.Config(ConfigName);
        var file = files.Tensors(WeightsName);
        foreach (var name in new[] { "encoder.weight", "encoder.bias", "W_dec", "b_dec" })
        {
            if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
        }

        var (f, d) = SaeFiles.Extents(file, "encoder.weight");
        var transcodes = config.Flag("transcode") ?? false;
        var output = transcodes && file.Entry("W_dec").Shape is [_, > 0] shape ? shape[1] : d;
        Check("d_in", config.Int("d_in"), d);
        Check("num_latents", config.Int("num_latents") is > 0 and var latents ? latents : config.Int("expansion_factor") * d, f);
        var (architecture, k) = Activation(config, f);
        if (config.Flag("signed") == true) throw SaeErrors.Unsupported(config.Path, "signed", "true", "activations here are never negative.");
        var skips = config.Flag("skip_connection") ?? false;
        if (skips && !file.Contains("W_skip")) throw SaeErrors.MissingArray(file.Path, "W_skip", file.Entries.Select(e => e.Name));

        var hook = Path.GetFileName(files.Folder);
        var (site, layer) = HookNames.Parse(hook, transcodes);
        if (layer is null) (site, hook) = (null, null);
        var decoderBias = files.Vector(file, "b_dec", output);
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "sparsify",
                Architecture = architecture,
                InputWidth = d,
                OutputWidth = output,
                FeatureCount = f,
                K = k,
                Site = site,
                Layer = layer,
                IsTranscoder = transcodes,
                ApplyBDecToInput = !transcodes,
                HookName = hook,
                WeightType = file.Entry("W_dec").DType,
            },
            EncoderWeights = files.Matrix(file, "encoder.weight", d, f, transposed: true),
            DecoderWeights = files.Matrix(file, "W_dec", f, output),
            SkipWeights = skips ? files.Matrix(file, "W_skip", output, d) : null,
            EncoderBias = files.Vector(file, "encoder.bias", f),
            DecoderBias = decoderBias,
            InputBias = transcodes ? null : decoderBias,
        };
        return parts with { Info = parts.Info with { Notes = [.. files.Unused(file)] } };

        void Check(string key, int? says, int actual)
        {
            if (says is { } n && n != actual) throw SaeErrors.Mismatch(config.Path, key, n, $"'encoder.weight' of the weights is {file.Entry("encoder.weight")}");
        }
    }

    private static (SaeArchitecture Architecture, int K) Activation(JsonConfig config, int f)
    {
        var activation = config.Text("activation") ?? "topk";
        var k = config.Int("k") ?? 32;
        if (k <= 0 || k > f) throw SaeErrors.Mismatch(config.Path, "k", k, $"there are {f} features");
        if (activation == "groupmax" && f % k != 0) throw SaeErrors.Mismatch(config.Path, "k", k, $"{f} features make no {k} groups of one size");
        return activation switch
        {
            "topk" => (SaeArchitecture.TopK, k),
            "groupmax" => (SaeArchitecture.GroupMax, k),
            _ => throw SaeErrors.Unsupported(config.Path, "activation", activation, "topk and groupmax are known."),
        };
    }
}
