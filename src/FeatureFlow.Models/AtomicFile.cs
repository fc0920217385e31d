using System.Text;

namespace FeatureFlow.Models;

/// <summary>Writes a file whole or not at all: a temporary name in the same folder, flushed to disk, renamed over the old file.</summary>
public static class AtomicFile
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Writes <paramref name="path"/> (its folder is made when missing); an exception in <paramref name="write"/> leaves what was there.</summary>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        var full = Path.GetFullPath(path);
        string? temporary = null;
        try
        {
            using (var stream = Create(full, out temporary))
            {
                write(stream);
                Guard(full, () => stream.Flush(flushToDisk: true));
            }

            var name = temporary;
            Guard(full, () => File.Move(name, full, overwrite: true));
            temporary = null;
        }
        finally
        {
            if (temporary is not null) Remove(temporary);
        }
    }

    /// <summary>Writes text as UTF-8 without a byte order mark, line ends as given.</summary>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written.</exception>
    public static void WriteText(string path, string text) => Write(path, s => s.Write(Utf8.GetBytes(text)));

    private static FileStream Create(string full, out string temporary)
    {
        var folder = Path.GetDirectoryName(full)!;
        var name = Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");
        FileStream? stream = null;
        Guard(full, () =>
        {
            if (Directory.Exists(full)) throw new UnauthorizedAccessException("a folder has this name.");
            Directory.CreateDirectory(folder);
            stream = new FileStream(name, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        });
        temporary = name;
        return stream!;
    }

    private static void Guard(string path, Action act)
    {
        try
        {
            act();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ModelErrors.CannotWrite(path, e);
        }
    }

    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // the first failure is the one worth telling
        }
    }
}
