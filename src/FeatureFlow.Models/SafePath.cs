namespace FeatureFlow.Models;

/// <summary>Paths that stay where they belong: what a pack, an archive or a repository names must not lead out of it, on any system.</summary>
public static class SafePath
{
    private const int MaxLinks = 40;

    /// <summary>True for a name that leads out of whatever holds it: absolute, with a drive letter, or through <c>..</c>, with either slash.</summary>
    public static bool LeadsOut(string relative)
    {
        if (relative.Length == 0 || relative[0] is '/' or '\\' || relative.Contains('\0') || relative.Length > 1 && relative[1] == ':' && char.IsAsciiLetter(relative[0])) return true;
        foreach (var part in relative.Split('/', '\\'))
        {
            if (part.Trim(' ') == "..") return true;
        }

        return false;
    }

    /// <summary>
    /// The full path of <paramref name="relative"/> in <paramref name="root"/>. Symbolic links are followed and must end inside the root, or,
    /// for a root in the hub cache, inside that repository's folder (its snapshots are links to ../../blobs).
    /// </summary>
    /// <exception cref="FeatureFlowException">FF2040: leads out; FF2041: a link leads out; FF2042: links in a circle.</exception>
    public static string Resolve(string root, string relative)
    {
        var full = Path.GetFullPath(root);
        if (LeadsOut(relative)) throw ModelErrors.NotRelative(full, relative);
        var path = Path.GetFullPath(Path.Combine(full, relative.Replace('\\', Path.DirectorySeparatorChar).Replace('/', Path.DirectorySeparatorChar)));
        if (!IsInside(full, path)) throw ModelErrors.NotRelative(full, relative);
        CheckLinks(full, path);
        return path;
    }

    /// <summary>The path with every symbolic link followed; parts that do not exist are kept as they are.</summary>
    /// <exception cref="FeatureFlowException">FF2042: links in a circle.</exception>
    public static string Real(string path)
    {
        var full = Path.GetFullPath(path);
        var links = 0;
        var done = Path.GetPathRoot(full)!;
        var todo = new Stack<string>(Parts(full[done.Length..]).Reverse());
        while (todo.TryPop(out var part))
        {
            var next = Path.Combine(done, part);
            var target = Target(next);
            if (target is null)
            {
                done = next;
                continue;
            }

            if (++links > MaxLinks) throw ModelErrors.TooManyLinks(full);
            var there = Path.GetFullPath(Path.Combine(done, target));
            done = Path.GetPathRoot(there)!;
            foreach (var p in Parts(there[done.Length..]).Reverse()) todo.Push(p);
        }

        return done;
    }

    /// <summary>True when <paramref name="path"/> is <paramref name="root"/> or below it (full paths, links not followed).</summary>
    public static bool IsInside(string root, string path)
    {
        var comparison = OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        var trimmed = Path.TrimEndingDirectorySeparator(root);
        return path.StartsWith(trimmed, comparison) && (path.Length == trimmed.Length || trimmed.EndsWith(Path.DirectorySeparatorChar) || path[trimmed.Length] == Path.DirectorySeparatorChar);
    }

    /// <summary>Refuses a path inside <paramref name="root"/> whose links lead out of it.</summary>
    /// <exception cref="FeatureFlowException">FF2041: a link leads out; FF2042: links in a circle.</exception>
    public static void CheckLinks(string root, string path)
    {
        var allowed = Real(HubCache.RepositoryFolderOf(root) ?? root);
        var real = Real(path);
        if (!IsInside(allowed, real)) throw ModelErrors.LinkLeaves(root, path, real);
    }

    private static string[] Parts(string path) => path.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);

    private static string? Target(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}
