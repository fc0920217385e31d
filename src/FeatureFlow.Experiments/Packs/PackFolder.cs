using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>A folder of SAEs without a pack.yaml: found by their files, placed by what their configuration or path says.</summary>
internal static class PackFolder
{
    private const int MaxDepth = 8;

    /// <summary>Files that mark an SAE; the SAE is the file itself, or the folder it lies in when a configuration lies beside it.</summary>
    private static readonly string[] s_marks = ["params.npz", "params.safetensors", "sae_weights.safetensors", "sae.safetensors", "final.safetensors", "ae.safetensors"];

    public static Pack Scan(string folder)
    {
        var saes = new List<PackSae>();
        var options = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = MaxDepth, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true };
        foreach (var file in Directory.EnumerateFiles(folder, "*", options).Where(f => s_marks.Contains(Path.GetFileName(f))).Order(StringComparer.Ordinal))
        {
            var path = Path.GetFileName(file) switch
            {
                "params.npz" => file,
                "final.safetensors" => Path.GetDirectoryName(Path.GetDirectoryName(file))!,
                _ => Path.GetDirectoryName(file)!,
            };
            using var sae = Sae.Open(path);
            var site = sae.Info.Site ?? throw ExperimentErrors.NoPlace(path, "site");
            var layer = sae.Info.Layer ?? throw ExperimentErrors.NoPlace(path, "layer");
            saes.Add(new PackSae(layer, site, path, sae.Info.NeuronpediaId));
        }

        return saes.Count > 0
            ? new Pack(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)), folder, null, saes, [])
            : throw ExperimentErrors.EmptyPack(folder);
    }
}
