using FeatureFlow.Saes.Formats;

namespace FeatureFlow.Saes;

/// <summary>A layout of SAEs on disk: one file under Formats, one line in <see cref="SaeFormats"/>.</summary>
internal interface ISaeFormat
{
    /// <summary>True when the place looks like this format; decides by names and configuration, reads no weights.</summary>
    bool Matches(SaeFiles files);

    /// <summary>Reads headers and configuration, checks declared against actual shapes.</summary>
    /// <exception cref="FeatureFlowException">Anything that is not as the format says.</exception>
    SaeParts Read(SaeFiles files);
}

/// <summary>Every format, and which of them a path holds.</summary>
internal static class SaeFormats
{
    private const int Depth = 6;
    private const int MaxFolders = 20_000;

    private static readonly EnumerationOptions Visible = new() { AttributesToSkip = 0, IgnoreInaccessible = true };

    // the first that matches is it: names that say more come first
    private static readonly ISaeFormat[] All =
    [
        new GemmaScopeFormat(),
        new SaeLensFormat(),
        new SparsifyFormat(),
        new LlamaScopeFormat(),
        new LlamascopiumFormat(),
        new GemmaScope2Format(),
        new CircuitTracerFormat(),
        new DictionaryLearningFormat(),
    ];

    public static (ISaeFormat Format, SaeFiles Files) Find(string path, Site? site, int? layer)
    {
        var full = Path.GetFullPath(path);
        if (File.Exists(full)) return Pickles.IsPickle(full) ? throw Pickles.Refusal(full) : Match(full) ?? throw SaeErrors.NotAnSaeFile(full);
        if (!Directory.Exists(full)) throw SaeErrors.Missing(full);
        if (Match(full) is { } here) return here;
        var below = new List<string>();
        if (!Search(full, Depth, below, MaxFolders)) throw SaeErrors.TooManyFolders(full, MaxFolders);
        if (below.Count > 1 && (site ?? (object?)layer) is not null) below = Narrow(below, site, layer) ?? below;
        return below.Count switch
        {
            1 => Match(below[0])!.Value,
            > 1 => throw SaeErrors.SeveralSaes(full, [.. below.Select(p => Path.GetRelativePath(full, p))]),
            _ when Pickles.Find(full, Depth) is { } pickle => throw Pickles.Refusal(pickle),
            _ => throw SaeErrors.NoSae(full, Directory.EnumerateFileSystemEntries(full).Select(Path.GetFileName).Order(StringComparer.Ordinal)!),
        };
    }

    private static (ISaeFormat Format, SaeFiles Files)? Match(string path)
    {
        var files = new SaeFiles(path);
        try
        {
            var format = Array.Find(All, f => f.Matches(files));
            if (format is not null) return (format, files);
            files.Dispose();
            return null;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    // level by level, so that what lies near is found first; false when there are more folders than anybody means
    internal static bool Search(string root, int depth, List<string> found, int most)
    {
        found.AddRange(CircuitTracerFormat.FilesOf(root));
        List<string> level = [root];
        for (var looked = 0; depth > 0 && level.Count > 0; depth--)
        {
            var next = new List<string>();
            foreach (var child in level.SelectMany(folder => Directory.EnumerateDirectories(folder, "*", Visible).Order(StringComparer.Ordinal)))
            {
                if (++looked > most) return false;
                if (Match(child) is { } match)
                {
                    match.Files.Dispose();
                    found.Add(child);
                    continue;
                }

                found.AddRange(CircuitTracerFormat.FilesOf(child));
                next.Add(child);
            }

            level = next;
        }

        return true;
    }

    // among several, the one at the site and layer that were asked for; null when that does not settle it
    private static List<string>? Narrow(List<string> found, Site? site, int? layer)
    {
        var fitting = found.FindAll(path =>
        {
            var (format, files) = Match(path)!.Value;
            using (files)
            {
                var info = format.Read(files).Info;
                return (site is null || info.Site == site) && (layer is null || info.Layer == layer);
            }
        });
        return fitting.Count == 1 ? fitting : null;
    }
}
