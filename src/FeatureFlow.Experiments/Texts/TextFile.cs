using System.IO.Compression;
using System.Text;

namespace FeatureFlow.Experiments.Texts;

/// <summary>Files of text: UTF-8 (or UTF-16 that says so), packed by gzip or not; what is no text is an error, never a row of question marks.</summary>
public static class TextFile
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>The whole text.</summary>
    /// <exception cref="FeatureFlowException">FF5101: not there; FF5006: not readable; FF5102: not UTF-8.</exception>
    public static string Read(string path)
    {
        using var reader = Open(path);
        return Read(path, reader);
    }

    /// <summary>The whole text of an open reader, which <paramref name="name"/> calls in messages.</summary>
    /// <exception cref="FeatureFlowException">FF5006: not readable; FF5102: not UTF-8.</exception>
    public static string Read(string name, TextReader reader) => Guard(name, reader.ReadToEnd);

    internal static StreamReader Open(string path)
    {
        if (!File.Exists(path)) throw ExperimentErrors.NoTexts(path);
        return Guard(path, () =>
        {
            var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 16);
            Span<byte> magic = stackalloc byte[2];
            var packed = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
            file.Position = 0;
            return new StreamReader(packed ? new GZipStream(file, CompressionMode.Decompress) : file, Strict, detectEncodingFromByteOrderMarks: true, 1 << 16);
        });
    }

    internal static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException)
        {
            throw ExperimentErrors.NotUtf8(path);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw ExperimentErrors.Unreadable(path, e.Message);
        }
    }
}
