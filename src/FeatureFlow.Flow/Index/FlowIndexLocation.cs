using System.Security.Cryptography;
using System.Text;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// Where the index of a pack lies: beside the pack (<c>gemma.yaml</c> has <c>gemma.flowindex/</c>, a bare folder <c>saes</c> has
/// <c>saes.flowindex/</c> next to it), or in the user's cache for presets and packs in folders that cannot be written.
/// </summary>
internal static class FlowIndexLocation
{
    /// <summary>Ending of the folder's name.</summary>
    public const string Ending = ".flowindex";

    /// <summary>Folders to look in, in this order.</summary>
    public static IReadOnlyList<string> Candidates(Pack pack) => Beside(pack.Source) is { } beside ? [beside, Cached(pack)] : [Cached(pack)];

    /// <summary>The folder to write to: the first candidate that can be made.</summary>
    public static string Writable(Pack pack)
    {
        Exception? last = null;
        foreach (var folder in Candidates(pack))
        {
            try
            {
                Directory.CreateDirectory(folder);
                using (File.Create(Path.Combine(folder, $".writable-{Guid.NewGuid():n}"), 1, FileOptions.DeleteOnClose))
                {
                }

                return folder;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                last = e;
            }
        }

        throw FlowErrors.IndexNotWritable(Cached(pack), last!);
    }

    private static string? Beside(string source)
    {
        // what the tool itself ships is not a place to write to
        if (source.StartsWith(AppContext.BaseDirectory, StringComparison.Ordinal)) return null;
        if (Directory.Exists(source))
        {
            var folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(source));
            return File.Exists(Path.Combine(folder, "pack.yaml")) ? Path.Combine(folder, "pack" + Ending)
                : Path.GetDirectoryName(folder) is { } parent ? Path.Combine(parent, Path.GetFileName(folder) + Ending)
                : null;
        }

        return File.Exists(source) ? Path.ChangeExtension(Path.GetFullPath(source), null) + Ending : null;
    }

    // FEATUREFLOW_CACHE, or the user's local application data
    private static string Cached(Pack pack)
    {
        var root = Environment.GetEnvironmentVariable("FEATUREFLOW_CACHE") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "FeatureFlow");
        var which = string.Join('\n', pack.Saes.Select(s => s.Path).Prepend(pack.Source));
        var name = string.Concat(pack.Name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_'));
        return Path.Combine(root, "flowindex", $"{name}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(which)))[..12]}{Ending}");
    }
}
