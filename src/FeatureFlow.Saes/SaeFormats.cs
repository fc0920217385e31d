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

    // the first that matches is it: names that say more come first
    private static readonly ISaeFormat[] All =
    [
        new GemmaScopeFormat(),
        new GemmaScope2Format(),
        new LlamascopiumFormat(),
        new SaeLensFormat(),
        new LlamaScopeFormat(),
        new SparsifyFormat(),
        new CircuitTracerFormat(),
        new DictionaryLearningFormat(),
        new PickleFormat(),
    ];

    public static (ISaeFormat Format, SaeFiles Files) Find(string path)
    {
        var full = Path.GetFullPath(path);
        if (File.Exists(full)) return Match(full) ?? throw SaeErrors.NotAnSaeFile(full);
        if (!Directory.Exists(full)) throw SaeErrors.Missing(full);
        if (Match(full) is { } here) return here;
        var below = new List<string>();
        Search(full, Depth, below);
        return below.Count switch
        {
            1 => Match(below[0])!.Value,
            0 => throw SaeErrors.NoSae(full, Directory.EnumerateFileSystemEntries(full).Select(Path.GetFileName).Order(StringComparer.Ordinal)!),
            _ => throw SaeErrors.SeveralSaes(full, [.. below.Select(p => Path.GetRelativePath(full, p))]),
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

    private static void Search(string folder, int depth, List<string> found)
    {
        foreach (var child in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            if (Match(child) is { } match)
            {
                match.Files.Dispose();
                found.Add(child);
            }
            else if (depth > 1)
            {
                Search(child, depth - 1, found);
            }
        }
    }
}
