using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FeatureFlow.Flow;

/// <summary>
/// Identity of an SAE by content, cheap enough for packs of many gigabytes: SHA-256 of names, lengths, both ends of every file (which
/// hold headers, and the checksums of npz members) and samples spread between them. Small files are taken whole.
/// </summary>
internal static class ContentId
{
    private const int End = 64 * 1024;
    private const int Sample = 4 * 1024;
    private const int Samples = 64;

    public static string Of(FileStamp stamp, CancellationToken cancel)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[End];
        foreach (var file in stamp.Files)
        {
            cancel.ThrowIfCancellationRequested();
            hash.AppendData(Encoding.UTF8.GetBytes(file.Name + "\n"));
            using var handle = File.OpenHandle(file.FullPath);
            var length = RandomAccess.GetLength(handle);
            BinaryPrimitives.WriteInt64LittleEndian(buffer, length);
            hash.AppendData(buffer, 0, sizeof(long));
            foreach (var (start, count) in Windows(length))
            {
                var read = RandomAccess.Read(handle, buffer.AsSpan(0, count), start);
                hash.AppendData(buffer, 0, read);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static IEnumerable<(long Start, int Count)> Windows(long length)
    {
        if (length <= (2 * End) + (Samples * Sample))
        {
            for (long at = 0; at < length; at += End) yield return (at, (int)Math.Min(End, length - at));
            yield break;
        }

        yield return (0, End);
        var between = length - (2L * End) - Sample;
        for (var i = 0; i < Samples; i++) yield return (End + (between * i / (Samples - 1)), Sample);
        yield return (length - End, End);
    }
}
