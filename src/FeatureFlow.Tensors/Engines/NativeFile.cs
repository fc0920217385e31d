using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors;

/// <summary>
/// Looks at the headers of a native library before the system does: Linux maps one that was cut short all the same, and ends the process when it reads what is not there.
/// </summary>
internal static class NativeFile
{
    private const int Largest = 1 << 16; // bytes of headers that are read

    /// <summary>What is wrong with a library, as the end of a sentence that begins with its name; null where nothing is.</summary>
    /// <param name="path">The file.</param>
    /// <param name="platform">For which system it should be.</param>
    public static string? Problem(string path, NativePlatform platform)
    {
        using var file = File.OpenRead(path);
        var head = new byte[(int)Math.Min(Largest, file.Length)];
        file.ReadExactly(head);
        return platform.System switch
        {
            "linux" => Elf(head, file.Length, platform.Architecture),
            "win" => Pe(head, file.Length, platform.Architecture),
            _ => null,
        };
    }

    // ELF, 64 bits: the table of sections comes last in the file
    private static string? Elf(ReadOnlySpan<byte> head, long length, Architecture architecture)
    {
        if (head.Length < 64 || !head.StartsWith("\u007FELF"u8)) return NoLibrary;
        if (head[4] != 2 || BinaryPrimitives.ReadUInt16LittleEndian(head[18..]) != (architecture == Architecture.Arm64 ? 183 : 62)) return Foreign;
        var (segments, size, count) = (BinaryPrimitives.ReadInt64LittleEndian(head[32..]), BinaryPrimitives.ReadUInt16LittleEndian(head[54..]), BinaryPrimitives.ReadUInt16LittleEndian(head[56..]));
        var end = BinaryPrimitives.ReadInt64LittleEndian(head[40..]) + (long)BinaryPrimitives.ReadUInt16LittleEndian(head[58..]) * BinaryPrimitives.ReadUInt16LittleEndian(head[60..]);
        for (var i = 0; i < count; i++)
        {
            var at = segments + (long)i * size;
            if (at < 0 || at + 40 > head.Length) break;
            var segment = head[(int)at..];
            end = Math.Max(end, BinaryPrimitives.ReadInt64LittleEndian(segment[8..]) + BinaryPrimitives.ReadInt64LittleEndian(segment[32..]));
        }

        return Whole(end, length);
    }

    private static string? Pe(ReadOnlySpan<byte> head, long length, Architecture architecture)
    {
        if (head.Length < 64 || !head.StartsWith("MZ"u8)) return NoLibrary;
        var at = BinaryPrimitives.ReadInt32LittleEndian(head[60..]);
        if (at < 0 || at + 24 > head.Length || !head[at..].StartsWith("PE\0\0"u8)) return NoLibrary;
        if (BinaryPrimitives.ReadUInt16LittleEndian(head[(at + 4)..]) != (architecture == Architecture.Arm64 ? 0xAA64 : 0x8664)) return Foreign;
        long end = 0;
        var sections = at + 24 + BinaryPrimitives.ReadUInt16LittleEndian(head[(at + 20)..]);
        for (var i = 0; i < BinaryPrimitives.ReadUInt16LittleEndian(head[(at + 6)..]) && sections + (i + 1) * 40 <= head.Length; i++)
        {
            var section = head[(sections + i * 40)..];
            end = Math.Max(end, (long)BinaryPrimitives.ReadUInt32LittleEndian(section[16..]) + BinaryPrimitives.ReadUInt32LittleEndian(section[20..]));
        }

        return Whole(end, length);
    }

    private const string NoLibrary = "is no native library";

    private const string Foreign = "is for another processor";

    private static string? Whole(long end, long length) => end > length ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"is cut short: {length:N0} of {end:N0} bytes are there") : null;
}
