using System.Globalization;
using System.Text.RegularExpressions;
using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>
/// circuit-tracer transcoders: one <c>layer_{i}.safetensors</c> per layer beside a <c>config.yaml</c>, with W_enc [F,d], W_dec [F,d], b_enc, b_dec,
/// a threshold or none, W_skip or none. Cross-layer sets (W_enc_{i}) are refused.
/// </summary>
internal sealed partial class CircuitTracerFormat : ISaeFormat
{
    private const string Configuration = "config.yaml";
    private static readonly string[] Thresholds = ["activation_function.threshold", "threshold"];

    public bool Matches(SaeFiles files) => files.File is { } name
        ? LayerFile().IsMatch(name) || CrossLayerFile().IsMatch(name)
        : files.Has(Configuration) && Layers(files).Any();

    public SaeParts Read(SaeFiles files)
    {
        if (files.File is null)
        {
            var all = Layers(files).ToList();
            if (all.Count > 1) throw SaeErrors.SeveralSaes(files.Folder, [.. all.Select(Path.GetFileName)!]);
        }

        var name = files.File ?? Path.GetFileName(Layers(files).First());
        var file = files.Tensors(name);
        if (CrossLayerFile().IsMatch(name)) throw SaeErrors.Unsupported(file.Path, "model_kind", "cross_layer_transcoder", "its features write to several layers, so they have no one direction.");
        foreach (var array in new[] { "W_enc", "W_dec", "b_enc", "b_dec" })
        {
            if (!file.Contains(array)) throw SaeErrors.MissingArray(file.Path, array, file.Entries.Select(e => e.Name));
        }

        var (f, d) = SaeFiles.Extents(file, "W_enc");
        var output = SaeFiles.Extents(file, "W_dec").Columns;
        var threshold = Array.Find(Thresholds, file.Contains);
        var notes = new List<string>();
        var hook = Setting(files, "feature_input_hook");
        var parts = new SaeParts
        {
            Info = new SaeInfo
            {
                Path = files.Path,
                Format = "circuit-tracer",
                Architecture = threshold is null ? SaeArchitecture.Relu : SaeArchitecture.JumpRelu,
                InputWidth = d,
                OutputWidth = output,
                FeatureCount = f,
                Site = Site.Tc,
                Layer = LayerFile().Match(name) is { Success: true } m ? int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : null,
                IsTranscoder = true,
                ModelName = Setting(files, "model_name"),
                HookName = hook,
                WeightType = file.Entry("W_dec").DType,
                Notes = notes,
            },
            EncoderWeights = files.Matrix(file, "W_enc", d, f, transposed: true),
            DecoderWeights = files.Matrix(file, "W_dec", f, output),
            SkipWeights = file.Contains("W_skip") ? files.Matrix(file, "W_skip", output, d) : null,
            EncoderBias = files.Vector(file, "b_enc", f),
            DecoderBias = files.Vector(file, "b_dec", output),
            Threshold = threshold is null ? null : files.Vector(file, threshold, f, scalar: true),
        };
        files.NoteUnused(file, notes);
        return parts;
    }

    // two plain words of a flat file, for show; nothing computed depends on them
    private static string? Setting(SaeFiles files, string key)
    {
        if (!files.Has(Configuration)) return null;
        var line = File.ReadLines(files.At(Configuration)).Take(1000).FirstOrDefault(l => l.StartsWith(key + ":", StringComparison.Ordinal));
        return line?[(key.Length + 1)..].Trim().Trim('"', '\'') is { Length: > 0 } value ? value : null;
    }

    private static IEnumerable<string> Layers(SaeFiles files) =>
        Directory.EnumerateFiles(files.Folder, "*.safetensors").Where(p => LayerFile().IsMatch(Path.GetFileName(p)) || CrossLayerFile().IsMatch(Path.GetFileName(p))).Order(StringComparer.Ordinal);

    [GeneratedRegex(@"^layer_(\d{1,4})\.safetensors$")]
    private static partial Regex LayerFile();

    [GeneratedRegex(@"^W_(?:enc|dec)_\d{1,4}\.safetensors$")]
    private static partial Regex CrossLayerFile();
}
