using System.Globalization;
using System.Text.RegularExpressions;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Gemma Scope 2: <c>config.json</c> with <c>architecture: jump_relu</c> + <c>params.safetensors</c> with w_enc [d,F], w_dec [F,d], b_enc, b_dec, threshold,
/// in folders such as <c>resid_post/layer_5_width_16k_l0_small</c>. Attention SAEs read the attention output at the model's width.
/// </summary>
internal sealed partial class GemmaScope2Format : ISaeFormat
{
    private const string Configuration = "config.json";
    private const string Weights = "params.safetensors";
    private const string Skip = "affine_skip_connection";

    public bool Matches(SaeFiles files) => files.File is null or Configuration or Weights && files.Has(Weights) && files.Has(Configuration);

    public SaeParts Read(SaeFiles files)
    {
        var cfg = files.Config(Configuration);
        var file = files.Tensors(Weights);
        if ((cfg.Text("architecture") ?? "jump_relu") is var name and not ("jump_relu" or "jumprelu")) throw SaeErrors.Unsupported(cfg.Path, "architecture", name, "jump_relu is.");
        foreach (var array in new[] { "w_enc", "w_dec", "b_enc", "b_dec", "threshold" })
        {
            if (!file.Contains(array)) throw SaeErrors.MissingArray(file.Path, array, file.Entries.Select(e => e.Name));
        }

        if (file.Entry("w_dec").Shape.Length == 3) throw SaeErrors.Unsupported(cfg.Path, "w_dec", file.Entry("w_dec").ToString(), "a cross-layer transcoder writes to several layers, so its features have no one direction.");
        var (d, f) = SaeFiles.Extents(file, "w_enc");
        var output = SaeFiles.Extents(file, "w_dec").Columns;
        string? hook = cfg.Text("hf_hook_point_in"), hookOut = cfg.Text("hf_hook_point_out");
        var folder = files.Folder.Replace('\\', '/');
        var transcoder = output != d || folder.Contains("/transcoder", StringComparison.Ordinal) || (hook is not null && hookOut is not null && hook != hookOut);
        var (site, layer) = Place(folder, hook, transcoder);
        var notes = new List<string>();
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
                Site = site,
                Layer = layer,
                IsTranscoder = transcoder,
                ModelName = cfg.Text("model_name"),
                HookName = hook,
                WeightType = file.Entry("w_dec").DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, "w_enc", d, f),
            DecoderWeights = files.Matrix(file, "w_dec", f, output),

            // stored so that the input stands left of it: seen the other way round
            SkipWeights = file.Contains(Skip) ? files.Matrix(file, Skip, output, d, transposed: true) : null,
            EncoderBias = files.Vector(file, "b_enc", f),
            DecoderBias = files.Vector(file, "b_dec", output),
            Threshold = files.Vector(file, "threshold", f, scalar: true),
        };
        files.NoteUnused(file, notes);
        return parts;
    }

    private static (Site?, int?) Place(string folder, string? hook, bool transcoder)
    {
        var layer = LayerPart().Match(folder) is { Success: true } l ? int.Parse(l.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : HookNames.Parse(hook).Layer;
        if (transcoder) return (Site.Tc, layer);
        Site? site = SitePart().Match(folder).Groups[1].Value switch
        {
            "resid_post" => Site.Res,
            "attn_out" => Site.Att,
            "mlp_out" => Site.Mlp,
            _ => HookNames.Parse(hook).Site,
        };
        return (site, layer);
    }

    [GeneratedRegex(@"/layer_(\d{1,4})_width_[^/]*$")]
    private static partial Regex LayerPart();

    [GeneratedRegex(@"/(resid_post|attn_out|mlp_out)(?:_all)?/[^/]*$")]
    private static partial Regex SitePart();
}
