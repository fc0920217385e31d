using System.Globalization;

namespace FeatureFlow.Flow;

/// <summary>One file as it was: name relative to the SAE, length, time of last change. Links are followed (hub caches are made of them).</summary>
internal readonly record struct StampedFile(string Name, string FullPath, long Length, DateTime Changed);

/// <summary>
/// What tells whether the files of an SAE are still those that were opened: its data and configuration files with length and time.
/// No file is read.
/// </summary>
internal sealed class FileStamp
{
    private static readonly string[] Weights = [".npz", ".safetensors"];
    private static readonly string[] Configurations = ["cfg.json", "config.json", "hyperparams.json", "config.yaml"];

    private FileStamp(IReadOnlyList<StampedFile> files)
    {
        Files = files;
        Text = string.Join('\n', files.Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Name}|{f.Length}|{f.Changed.Ticks}")));
    }

    /// <summary>The files, by name.</summary>
    public IReadOnlyList<StampedFile> Files { get; }

    /// <summary>Equal for equal stamps.</summary>
    public string Text { get; }

    /// <summary>Bytes of all files.</summary>
    public long Bytes => Files.Sum(f => f.Length);

    /// <summary>
    /// Looks at a file and the configuration beside it, or at a folder two levels deep (Llama Scope keeps weights in
    /// <c>checkpoints/</c>). A path that does not exist has an empty stamp: opening it says what is wrong.
    /// </summary>
    public static FileStamp Of(string path)
    {
        if (Directory.Exists(path))
        {
            var deep = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 };
            return new FileStamp(Stamped(path, Directory.EnumerateFiles(path, "*", deep).Where(IsPart)));
        }

        if (!File.Exists(path)) return new FileStamp([]);
        var folder = Path.GetDirectoryName(path)!;
        return new FileStamp(Stamped(folder, Configurations.Select(c => Path.Combine(folder, c)).Where(File.Exists).Append(path).Distinct()));
    }

    /// <summary>The same for a single file; empty when it does not exist.</summary>
    public static FileStamp OfFile(string path) => new(File.Exists(path) ? Stamped(Path.GetDirectoryName(path)!, [path]) : []);

    private static bool IsPart(string file) => Weights.Contains(Path.GetExtension(file)) || Configurations.Contains(Path.GetFileName(file));

    private static StampedFile[] Stamped(string folder, IEnumerable<string> files) =>
    [
        .. files.Order(StringComparer.Ordinal).Select(f =>
        {
            FileSystemInfo info = new FileInfo(f);
            var real = (info.LinkTarget is null ? info : info.ResolveLinkTarget(returnFinalTarget: true)) as FileInfo;
            return real is { Exists: true }
                ? new StampedFile(Path.GetRelativePath(folder, f).Replace('\\', '/'), f, real.Length, real.LastWriteTimeUtc)
                : new StampedFile(Path.GetRelativePath(folder, f).Replace('\\', '/'), f, -1, default);
        }),
    ];
}
