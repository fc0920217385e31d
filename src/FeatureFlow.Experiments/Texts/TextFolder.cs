using System.Text.RegularExpressions;

namespace FeatureFlow.Experiments.Texts;

/// <summary>The files of a folder or pattern, in ordinal order: <c>src/**/*.cs</c>, <c>data/*.jsonl.gz</c>, or a folder with all texts and sources below it.</summary>
internal static class TextFolder
{
    private static readonly HashSet<string> Kinds = new(
        [
            ".txt", ".md", ".rst", ".tex", ".jsonl", ".ndjson", ".csv", ".tsv", ".cs", ".fs", ".vb", ".py", ".js", ".ts", ".jsx", ".tsx", ".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".java", ".kt", ".scala", ".go", ".rs", ".rb", ".php", ".pl",
            ".lua", ".jl", ".r", ".m", ".swift", ".hs", ".ml", ".sh", ".ps1", ".psm1", ".sql", ".html", ".css",
        ],
        StringComparer.OrdinalIgnoreCase);

    private static readonly string[] Skipped = ["bin", "obj", "node_modules", "__pycache__"];

    private static readonly EnumerationOptions Below = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden | FileAttributes.System | FileAttributes.ReparsePoint, IgnoreInaccessible = true };

    /// <summary>True for a folder or a pattern.</summary>
    public static bool IsMany(string path) => Directory.Exists(path) || (path.AsSpan().IndexOfAny('*', '?') >= 0 && !File.Exists(path));

    /// <summary>Full paths and the names that documents have from them, relative to the folder where the pattern starts.</summary>
    public static IReadOnlyList<(string Path, string Name)> Files(string path)
    {
        if (Directory.Exists(path)) return Find(path, relative => Kinds.Contains(Path.GetExtension(relative.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? relative[..^3] : relative)) && !relative.Split('/').Any(Skipped.Contains));
        var parts = path.Replace('\\', '/').Split('/');
        var plain = parts.TakeWhile(p => p.AsSpan().IndexOfAny('*', '?') < 0).Count();
        var root = string.Join('/', parts[..plain]);
        if (root.Length == 0) root = plain > 0 ? "/" : ".";
        var pattern = new Regex("^" + string.Concat(parts[plain..].Select((p, i) => Part(p, last: plain + i == parts.Length - 1))) + "$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        return Directory.Exists(root) ? Find(root, pattern.IsMatch) : [];
    }

    private static List<(string Path, string Name)> Find(string root, Func<string, bool> wanted) =>
    [
        .. Directory.EnumerateFiles(root, "*", Below)
            .Select(f => (Path: Path.GetFullPath(f), Name: Path.GetRelativePath(root, f).Replace('\\', '/')))
            .Where(f => wanted(f.Name))
            .OrderBy(f => f.Name, StringComparer.Ordinal),
    ];

    private static string Part(string part, bool last) => part == "**"
        ? last ? ".*" : "(?:[^/]+/)*"
        : Regex.Escape(part).Replace("\\*", "[^/]*", StringComparison.Ordinal).Replace("\\?", "[^/]", StringComparison.Ordinal) + (last ? "" : "/");
}
