using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Gemma Scope 2: <c>params.safetensors</c> with w_enc [d,F], w_dec [F,d_out], b_enc, b_dec, threshold and perhaps affine_skip_connection [d,d_out], beside
/// <c>config.json</c>. z = pre where pre > θ; transcoders with the affine part add h·A.
/// </summary>
internal sealed partial class GemmaScope2Format : ISaeFormat
{
    private const string ConfigName = "config.json", WeightsName = "params.safetensors", Skip = "affine_skip_connection";

    public bool Matches(SaeFiles files) => files.Asks(ConfigName, WeightsName) && files.Has(WeightsName);

    public SaeParts Read(SaeFiles files)
    {
        var file = files.Tensors(WeightsName);
        var config = files.Has(ConfigName) ? files.Config(ConfigName) : null;
        if (config?.Text("architecture") is { } architecture and not ("jump_relu" or "jumprelu")) throw SaeErrors.Unsupported(config.Path, "architecture", architecture, "jump_relu is known.");
        string encoder = Find(file, "w_enc"), decoder = Find(file, "w_dec"), bias = Find(file, "b_enc"), decoderBias = Find(file, "b_dec"), threshold = Find(file, "threshold");
        if (file.Entry(decoder).Shape.Length == 3) throw SaeErrors.Unsupported(file.Path, "shape of " + decoder, file.Entry(decoder).ToString(), "cross-layer transcoders and crosscoders write to several layers; an SAE here has one output.");
        var (d, f) = SaeFiles.Extents(file, encoder);
        var output = file.Entry(decoder).Shape is [_, > 0] shape && shape[0] == f ? shape[1] : d;
        if (config?.Kind("width") == JsonValueKind.Number && config.Int("width") is { } width && width != f) throw SaeErrors.Mismatch(config.Path, "width", width, $"'{encoder}' of the weights is {file.Entry(encoder)}");

        var (from, to) = (config?.Text("hf_hook_point_in"), config?.Text("hf_hook_point_out"));
        var folders = files.Folder.Replace('\\', '/').Split('/');
        var transcodes = output != d || file.Contains(Skip) || (from is not null && to is not null ? from != to : folders.Any(p => p.StartsWith("transcoder", StringComparison.Ordinal)));
        var (site, layer) = HookNames.Parse(from, transcodes);
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "gemma-scope-2",
                Architecture = SaeArchitecture.JumpRelu,
                InputWidth = d,
                OutputWidth = output,
                FeatureCount = f,
                Site = SiteOf(folders) ?? site,
                Layer = layer ?? LayerOf(folders),
                IsTranscoder = transcodes,
                DeclaredL0 = config?.Kind("l0") == JsonValueKind.Number ? config.Number("l0") : null,
                ModelName = config?.Text("model_name"),
                HookName = from,
                WeightType = file.Entry(decoder).DType,
            },
            EncoderWeights = files.Matrix(file, encoder, d, f),
            DecoderWeights = files.Matrix(file, decoder, f, output),
            SkipWeights = file.Contains(Skip) ? files.Matrix(file, Skip, output, d, transposed: true) : null,
            EncoderBias = files.Vector(file, bias, f),
            DecoderBias = files.Vector(file, decoderBias, output),
            Threshold = files.Vector(file, threshold, f),
        };
        return parts with { Info = parts.Info with { Notes = [.. files.Unused(file)] } };
    }

    private static string Find(TensorFile file, string name)
    {
        if (file.Contains(name)) return name;
        var other = name.Replace('w', 'W');
        return file.Contains(other) ? other : throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name).Concat(file.Unreadable));
    }

    // the folders of the release name the site more plainly than module names do: attn_out is the block's output at model width
    private static Site? SiteOf(string[] folders)
    {
        Site? site = null;
        foreach (var folder in folders)
        {
            site = folder.EndsWith("_all", StringComparison.Ordinal) ? Named(folder[..^4]) : Named(folder);
            if (site is not null) break;
        }

        return site;

        static Site? Named(string folder) => folder switch { "resid_post" => Site.Res, "attn_out" => Site.Att, "mlp_out" => Site.Mlp, "transcoder" => Site.Tc, _ => null };
    }

    private static int? LayerOf(string[] folders)
    {
        var match = folders.Select(f => LayerFolder().Match(f)).FirstOrDefault(m => m.Success);
        return match is null ? null : int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^layer_(\d{1,4})_width_")]
    private static partial Regex LayerFolder();
}
