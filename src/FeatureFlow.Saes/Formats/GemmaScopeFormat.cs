using System.Globalization;
using System.Text.RegularExpressions;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// Gemma Scope: <c>params.npz</c> with W_enc [d,F], W_dec [F,d_out], b_enc, b_dec, threshold. z = pre where pre > θ; nothing is subtracted or
/// normalised. The file says nothing of site and layer: the repository name and the path do (<c>gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_68</c>).
/// </summary>
internal sealed partial class GemmaScopeFormat : ISaeFormat
{
    private const string Name = "params.npz";

    public bool Matches(SaeFiles files) => files.File?.EndsWith(".npz", StringComparison.OrdinalIgnoreCase) ?? files.Has(Name);

    public SaeParts Read(SaeFiles files)
    {
        var file = files.Tensors(files.File ?? Name);
        var notes = new List<string>();
        string encoder = Find(file, "W_enc"), decoder = Find(file, "W_dec"), encoderBias = Find(file, "b_enc"), decoderBias = Find(file, "b_dec"), threshold = Find(file, "threshold");
        var (d, f) = SaeFiles.Extents(file, encoder);
        var decoderShape = file.Entry(decoder).Shape;
        var output = decoderShape is [_, > 0] && decoderShape[0] == f ? decoderShape[1] : d;
        var scaling = Optional(file, "scaling_factor");
        foreach (var extra in file.Entries.Select(e => e.Name).Concat(file.Unreadable))
        {
            if (extra != encoder && extra != decoder && extra != encoderBias && extra != decoderBias && extra != threshold && extra != scaling) notes.Add($"array '{extra}' is not used");
        }

        var place = Place(file.Path, d, output, notes);
        return new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "gemma-scope",
                Architecture = SaeArchitecture.JumpRelu,
                InputWidth = d,
                OutputWidth = output,
                FeatureCount = f,
                Site = place.Site,
                Layer = place.Layer,
                IsTranscoder = place.Site == Site.Tc || output != d,
                DeclaredL0 = place.L0,
                ModelName = place.Model,
                HookName = place.Hook,
                WeightType = file.Entry(decoder).DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, encoder, d, f),
            DecoderWeights = files.Matrix(file, decoder, f, output),
            EncoderBias = files.Vector(file, encoderBias, f),
            DecoderBias = files.Vector(file, decoderBias, output),
            Threshold = files.Vector(file, threshold, f),
            DecoderScale = scaling is null ? null : ScalingFactor.Read(files, file, scaling, f, notes),
        };
    }

    private static string Find(TensorFile file, string name) =>
        Optional(file, name) ?? throw SaeErrors.MissingArray(file.Path, name, file.Entries.Select(e => e.Name).Concat(file.Unreadable));

    // other tools write the names in lower case
    private static string? Optional(TensorFile file, string name)
    {
        if (file.Contains(name)) return name;
        var lower = name.ToLowerInvariant();
        return file.Contains(lower) ? lower : null;
    }

    private static (Site? Site, int? Layer, double? L0, string? Model, string? Hook) Place(string path, int d, int output, List<string> notes)
    {
        var parts = path.Replace('\\', '/').Split('/');
        int? layer = null;
        double? l0 = null;
        Site? site = null;
        string? model = null;
        foreach (var part in parts)
        {
            if (LayerPart().Match(part) is { Success: true } l) layer = int.Parse(l.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
            if (L0Part().Match(part) is { Success: true } n) l0 = double.Parse(n.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
            if (Sites.TryParse(part, out var named)) site = named;
            if (Repository().Match(part) is not { Success: true } r) continue;
            model = $"google/gemma-2-{r.Groups[1].Value}" + (r.Groups[2].Value == "it" ? "-it" : "");
            site = r.Groups[3].Value switch { "res" => Site.Res, "mlp" => Site.Mlp, "att" => Site.AttZ, _ => Site.Tc };
        }

        if (parts.Contains("embedding"))
        {
            (site, layer) = (Site.ResPre, 0);
            notes.Add("an embedding SAE: it reads the embedding times √d, the input of layer 0");
        }

        if (site == Site.AttZ) notes.Add($"reads the {d} concatenated head outputs (hook_z), not the residual stream: no cosine with residual features");
        if (output != d) site = Site.Tc;
        var hook = (site, layer) switch
        {
            (Site.Res, { } i) => $"blocks.{i}.hook_resid_post",
            (Site.Mlp, { } i) => $"blocks.{i}.hook_mlp_out",
            (Site.AttZ, { } i) => $"blocks.{i}.attn.hook_z",
            _ => null,
        };
        return (site, layer, l0, model, hook);
    }

    [GeneratedRegex(@"^layer_(\d{1,4})$")]
    private static partial Regex LayerPart();

    [GeneratedRegex(@"^average_l0_(\d{1,6}(?:\.\d+)?)$")]
    private static partial Regex L0Part();

    [GeneratedRegex(@"gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)", RegexOptions.IgnoreCase)]
    private static partial Regex Repository();
}
