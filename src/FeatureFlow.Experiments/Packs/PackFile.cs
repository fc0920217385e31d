using System.Reflection;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>
/// Opens packs by any name a user has for them: a pack.yaml, a folder that holds one, a folder of SAEs without one, or a preset. Reads no
/// weights, follows no path out of the pack, downloads nothing.
/// </summary>
public static class PackFile
{
    /// <summary>The file that makes a folder a pack.</summary>
    public const string FileName = "pack.yaml";

    private const string PresetPrefix = "FeatureFlow.Experiments.Packs.Presets.";

    /// <summary>Names of the published packs that can be opened from the hub cache.</summary>
    public static IReadOnlyList<string> Presets { get; } =
    [
        .. typeof(PackFile).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith(PresetPrefix, StringComparison.Ordinal))
            .Select(n => n[PresetPrefix.Length..^".yaml".Length])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Opens a pack.</summary>
    /// <param name="path">pack.yaml, folder, or preset name.</param>
    /// <param name="hub">Hub cache to look in; this user's by default.</param>
    /// <exception cref="FeatureFlowException">FF5001-FF5004: the file is not a pack; FF5010-FF5017, FF2051: something it names is not there.</exception>
    public static Pack Load(string path, HubCache? hub = null)
    {
        hub ??= HubCache.Default;
        if (File.Exists(path)) return Read(Text(path), Path.GetFullPath(path), Path.GetDirectoryName(Path.GetFullPath(path))!, hub);
        if (Directory.Exists(path))
        {
            var folder = Path.GetFullPath(path);
            var inside = Path.Combine(folder, FileName);
            return File.Exists(inside) ? Read(Text(inside), inside, folder, hub) : PackFolder.Scan(folder);
        }

        if (Presets.Contains(path)) return Read(PresetText(path), path, null, hub);
        throw ExperimentErrors.NoPack(path, Spelling.Nearest(path, Presets), Presets);
    }

    /// <summary>True when a path means a pack rather than one SAE: a YAML file, a folder that holds a pack.yaml, a preset.</summary>
    public static bool IsPack(string path) =>
        File.Exists(path) ? Path.GetExtension(path).ToLowerInvariant() is ".yaml" or ".yml" && Path.GetFileName(path) != "config.yaml"
        : Directory.Exists(path) ? File.Exists(Path.Combine(path, FileName))
        : Presets.Contains(path);

    /// <summary>The YAML of a preset: a start for a pack of one's own.</summary>
    public static string PresetText(string preset)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(PresetPrefix + preset + ".yaml")
            ?? throw ExperimentErrors.NoPack(preset, Spelling.Nearest(preset, Presets), Presets);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    internal static string Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ExperimentErrors.Unreadable(path, e.Message);
        }
    }

    private static Pack Read(string text, string source, string? root, HubCache hub)
    {
        var values = PackSchema.Pack.ReadDocument(YamlTree.Read(text, source));
        var saes = values.Records("saes").SelectMany(entry => new PackEntry(entry, source, root, hub).Resolve()).ToList();
        if (saes.Count == 0) throw ExperimentErrors.YamlMissing(source, values.Node.Line, values.Node.Column, "the pack names no SAEs.");
        var model = values.Text("model");
        if (model is not null && root is not null && !SafePath.LeadsOut(model) && Directory.Exists(Path.Combine(root, model)))
        {
            model = Path.Combine(root, model);
            SafePath.CheckLinks(root, model);
        }

        var name = values.Text("name") ?? (root is null ? source : Path.GetFileName(Path.GetFileName(source) == FileName ? root : Path.GetFileNameWithoutExtension(source)));
        return new Pack(name, source, model, saes, DescriptionFiles.Resolve(values, source, root));
    }
}
