using System.Text.RegularExpressions;

namespace FeatureFlow.Models;

/// <summary>
/// The local cache of the Hugging Face hub, as its own clients lay it out: <c>models--owner--name/{refs,snapshots,blobs}</c>.
/// Only looks; nothing is ever downloaded.
/// </summary>
public sealed partial class HubCache
{
    /// <summary>A cache in a given folder.</summary>
    public HubCache(string folder) => Folder = Path.GetFullPath(folder);

    /// <summary>The cache of this user: <c>HF_HUB_CACHE</c>, else <c>HF_HOME</c>/hub, else <c>XDG_CACHE_HOME</c> or ~/.cache, then huggingface/hub.</summary>
    public static HubCache Default
    {
        get
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            var folder = Variable("HF_HUB_CACHE") ?? Variable("HUGGINGFACE_HUB_CACHE")
                ?? (Variable("HF_HOME") is { } hf ? Path.Combine(hf, "hub") : Path.Combine(Variable("XDG_CACHE_HOME") ?? Path.Combine(home, ".cache"), "huggingface", "hub"));
            return new HubCache(folder.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(home, folder[2..]) : folder);

            static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
        }
    }

    /// <summary>Where it is.</summary>
    public string Folder { get; }

    /// <summary>
    /// The files (or folders, with a slash at the end) of a repository that match a path or pattern, from the snapshot of <paramref name="revision"/>
    /// (refs/main unless said), or else from the newest other snapshot that has one.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF2050: not a repository id; FF2051: not in the cache, with the command that gets it; FF2040: the pattern leads out.</exception>
    public IReadOnlyList<string> Find(string repository, string pattern, string? revision = null)
    {
        var found = TryFind(repository, pattern, revision);
        if (found.Count > 0) return found;
        var what = pattern.EndsWith('/') ? $"--include '{pattern}*'" : PathGlob.IsPattern(pattern) ? $"--include '{pattern}'" : $"'{pattern}'";
        var from = revision is null ? "" : $" --revision {revision}";
        throw ModelErrors.NotInCache(repository, pattern, Folder, $"hf download {repository} {what}{from} (older clients: huggingface-cli download, same arguments), or set HF_HOME or HF_HUB_CACHE to the cache that has it.");
    }

    /// <summary>As <see cref="Find"/>, but empty when nothing is there.</summary>
    /// <exception cref="FeatureFlowException">FF2050: not a repository id; FF2040: the pattern leads out.</exception>
    public IReadOnlyList<string> TryFind(string repository, string pattern, string? revision = null)
    {
        foreach (var snapshot in Snapshots(repository, revision))
        {
            var found = PathGlob.Find(snapshot, pattern);
            if (found.Count > 0) return found;
        }

        return [];
    }

    /// <summary>The folder of a repository's snapshot, or null when the cache has none; files may be missing from it.</summary>
    /// <exception cref="FeatureFlowException">FF2050: not a repository id.</exception>
    public string? TrySnapshot(string repository, string? revision = null) => Snapshots(repository, revision).FirstOrDefault();

    /// <summary>True for a text of the form owner/name that the hub accepts.</summary>
    public static bool IsRepositoryId(string text) => RepositoryId().IsMatch(text) && !text.Contains("..", StringComparison.Ordinal) && !text.Contains("--", StringComparison.Ordinal);

    /// <summary>The models--owner--name folder that a path of a snapshot belongs to, or null.</summary>
    internal static string? RepositoryFolderOf(string path)
    {
        for (var folder = Path.GetFullPath(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (Path.GetFileName(folder) != "snapshots" || Path.GetDirectoryName(folder) is not { } repository) continue;
            if (Path.GetFileName(repository).StartsWith("models--", StringComparison.Ordinal)) return repository;
        }

        return null;
    }

    private IEnumerable<string> Snapshots(string repository, string? revision)
    {
        if (!IsRepositoryId(repository)) throw ModelErrors.RepositoryId(repository);
        var folder = Path.Combine(Folder, "models--" + repository.Replace("/", "--", StringComparison.Ordinal));
        var snapshots = Path.Combine(folder, "snapshots");
        if (!Directory.Exists(snapshots)) yield break;
        var wanted = revision ?? "main";
        if (SafePath.LeadsOut(wanted)) throw ModelErrors.NotRelative(folder, wanted);
        var reference = Path.Combine(folder, "refs", wanted);
        var commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : wanted;
        var first = Commit().IsMatch(commit) && Directory.Exists(Path.Combine(snapshots, commit)) ? Path.Combine(snapshots, commit) : null;
        if (first is not null) yield return first;

        // a file fetched before the branch moved lies in the older snapshot only; a revision asked for by name is taken at its word
        if (revision is not null) yield break;
        foreach (var other in new DirectoryInfo(snapshots).EnumerateDirectories().OrderByDescending(d => d.LastWriteTimeUtc).ThenBy(d => d.Name, StringComparer.Ordinal))
        {
            if (other.FullName != first) yield return other.FullName;
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9][\w.\-]{0,95}(/[A-Za-z0-9][\w.\-]{0,95})?$", RegexOptions.ECMAScript)]
    private static partial Regex RepositoryId();

    [GeneratedRegex(@"^[A-Za-z0-9][\w.\-]*$", RegexOptions.ECMAScript)]
    private static partial Regex Commit();
}
