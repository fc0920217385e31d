using System.IO.Enumeration;

namespace FeatureFlow.Models;

/// <summary>Finds files by a relative pattern, <c>*</c> and <c>?</c> standing for characters of one path part. Results are sorted and never leave the root.</summary>
public static class PathGlob
{
    /// <summary>True when a pattern has a wildcard.</summary>
    public static bool IsPattern(string pattern) => pattern.AsSpan().IndexOfAny('*', '?') >= 0;

    /// <summary>Full paths of the files and folders below <paramref name="root"/> that match, in ordinal order; empty when there is none.</summary>
    /// <exception cref="FeatureFlowException">FF2040: the pattern leads out of the root; FF2041: a match is a link that does.</exception>
    public static IReadOnlyList<string> Find(string root, string pattern)
    {
        var full = Path.GetFullPath(root);
        if (SafePath.LeadsOut(pattern)) throw ModelErrors.NotRelative(full, pattern);
        List<string> found = [full];
        foreach (var part in pattern.Split('/', '\\'))
        {
            if (part is "" or ".") continue;
            found = [.. found.SelectMany(folder => Step(folder, part))];
        }

        foreach (var path in found) SafePath.CheckLinks(full, path);
        return found;
    }

    private static IEnumerable<string> Step(string folder, string part)
    {
        if (!IsPattern(part))
        {
            var path = Path.Combine(folder, part);
            return Path.Exists(path) ? [path] : [];
        }

        if (!Directory.Exists(folder)) return [];
        return Directory.EnumerateFileSystemEntries(folder)
            .Where(p => FileSystemName.MatchesSimpleExpression(part, Path.GetFileName(p), ignoreCase: false))
            .Order(StringComparer.Ordinal);
    }
}
