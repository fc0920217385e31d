using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// EleutherAI sparsify: <c>{hookpoint}/cfg.json</c> + <c>sae.safetensors</c> with encoder.weight [F,d], encoder.bias, W_dec [F,d], b_dec, W_skip. ReLU,
/// then the k largest, or the largest of each of k groups; b_dec is subtracted from the input unless it transcodes.
/// </summary>
internal sealed class SparsifyFormat : ISaeFormat
{
    private const string Configuration = "cfg.json";
    private const string Weights = "sae.safetensors";

    public bool Matches(SaeFiles files) => files.File is null or Configuration or Weights && files.Has(Weights) && files.Has(Configuration);

    public SaeParts Read(SaeFiles files)
    {
        var cfg = files.Config(Configuration);
        var file = files.Tensors(Weights);
        foreach (var name in new[] { "encoder.weight", "encoder.bias", "W_dec", "b_dec" })
        {
            if (!file.Contains(name)) throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name));
        }

        var (f, d) = SaeFiles.Extents(file, "encoder.weight");
        if (cfg.Int("d_in") is { } says && says != d) throw SaeErrors.Mismatch(cfg.Path, "d_in", says, $"'encoder.weight' in {Weights} is {file.Entry("encoder.weight")}");
        var declared = cfg.Int("num_latents") is > 0 and var n ? n : d * (cfg.Int("expansion_factor") ?? f / d);
        if (declared != f) throw SaeErrors.Mismatch(cfg.Path, cfg.Int("num_latents") is > 0 ? "num_latents" : "expansion_factor", declared, $"'encoder.weight' in {Weights} is {file.Entry("encoder.weight")}");
        if (cfg.Flag("signed") == true) throw SaeErrors.Unsupported(cfg.Path, "signed", "true", "features with negative activations are no features here.");
        var architecture = cfg.Text("activation") switch
        {
            null or "topk" => SaeArchitecture.TopK,
            "groupmax" => SaeArchitecture.GroupMax,
            var other => throw SaeErrors.Unsupported(cfg.Path, "activation", other, "topk and groupmax are."),
        };
        var k = cfg.Int("k") ?? 32; // the project's default
        if (k < 1 || k > f || (architecture == SaeArchitecture.GroupMax && f % k != 0)) throw SaeErrors.Unsupported(cfg.Path, "k", $"{k}", $"{f} features do not give that many{(architecture == SaeArchitecture.GroupMax ? " equal groups" : "")}.");

        var transcode = cfg.Flag("transcode") == true;
        var skip = cfg.Flag("skip_connection") == true;
        if (skip && !file.Contains("W_skip")) throw SaeErrors.MissingArray(file.Path, "W_skip", file.Entries.Select(e => e.Name));
        var hook = Path.GetFileName(files.Folder);
        var (site, layer) = HookNames.Parse(hook, transcode);
        var notes = new List<string>();
        var decoderBias = files.Vector(file, "b_dec", d);
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "sparsify",
                Architecture = architecture,
                InputWidth = d,
                OutputWidth = d,
                FeatureCount = f,
                K = k,
                Site = site,
                Layer = layer,
                IsTranscoder = transcode,
                ApplyBDecToInput = !transcode,
                HookName = hook,
                WeightType = file.Entry("W_dec").DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, "encoder.weight", d, f, transposed: true),
            DecoderWeights = files.Matrix(file, "W_dec", f, d),
            SkipWeights = skip ? files.Matrix(file, "W_skip", d, d) : null,
            EncoderBias = files.Vector(file, "encoder.bias", f),
            DecoderBias = decoderBias,
            InputBias = transcode ? null : decoderBias,
        };
        files.NoteUnused(file, notes);
        return parts;
    }
}
