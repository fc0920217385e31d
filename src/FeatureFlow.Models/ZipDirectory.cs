using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace FeatureFlow.Models;

/// <summary>One member of a zip archive.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Deflated">Compressed, or stored as it is.</param>
/// <param name="Crc">CRC-32 of its contents.</param>
/// <param name="DataStart">Where its bytes begin in the file.</param>
/// <param name="StoredLength">Bytes in the file.</param>
/// <param name="Length">Bytes of its contents.</param>
internal sealed record ZipMember(string Name, bool Deflated, uint Crc, long DataStart, long StoredLength, long Length);

/// <summary>
/// The central directory of a zip archive, read by ourselves so that stored members can be mapped where they lie. Every number is checked
/// against the length of the file before it is used; members may not overlap, lead out of the archive, or promise more than deflate can hold.
/// </summary>
internal static class ZipDirectory
{
    private const uint LocalSignature = 0x04034B50, CentralSignature = 0x02014B50, EndSignature = 0x06054B50;
    private const uint End64Signature = 0x06064B50, Locator64Signature = 0x07064B50;
    private const int LocalLength = 30, CentralLength = 46, EndLength = 22, End64Length = 56, Locator64Length = 20;

    // deflate gives at most 1032 bytes for one; a member that claims more is made to exhaust memory
    private const long MaxRatio = 1032;

    public static IReadOnlyList<ZipMember> Read(MappedFile file)
    {
        var (endAt, count, start, length) = FindDirectory(file);
        if (length < 0 || start < 0 || start > endAt - length) throw ModelErrors.Zip(file.Path, $"its directory (byte {start}, {length} bytes) does not fit in front of byte {endAt}.");
        if (length / CentralLength < count) throw ModelErrors.Zip(file.Path, $"{count} members cannot be listed in {length} bytes.");
        var directory = new byte[length];
        if (!file.TryRead(start, directory)) throw ModelErrors.Zip(file.Path, "its directory cannot be read.");
        var members = new List<ZipMember>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var at = 0;
        for (long i = 0; i < count; i++)
        {
            var member = ReadMember(file, directory, ref at, start);
            if (!names.Add(member.Name)) throw ModelErrors.Zip(file.Path, $"two members are named '{member.Name}'.");
            members.Add(member);
        }

        long end = 0;
        foreach (var m in members.OrderBy(m => m.DataStart))
        {
            if (m.DataStart < end) throw ModelErrors.Zip(file.Path, $"member '{m.Name}' (byte {m.DataStart}) overlaps the one before it.");
            end = m.DataStart + m.StoredLength;
        }

        return members;
    }

    private static (long EndAt, long Count, long Start, long Length) FindDirectory(MappedFile file)
    {
        // the end record is the last 22 bytes, or before a comment of at most 65,535
        var tail = new byte[(int)Math.Min(file.Length, EndLength + 65535)];
        if (!file.TryRead(file.Length - tail.Length, tail)) throw ModelErrors.NotZip(file.Path);
        for (var i = tail.Length - EndLength; i >= 0; i--)
        {
            var end = tail.AsSpan(i);
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != EndSignature || U16(end, 20) != end.Length - EndLength) continue;
            var at = file.Length - tail.Length + i;
            if (U16(end, 4) is not (0 or 0xFFFF)) throw ModelErrors.Zip(file.Path, "it is one part of several.");
            long count = U16(end, 10), length = U32(end, 12), start = U32(end, 16);
            return count == 0xFFFF || length == 0xFFFFFFFF || start == 0xFFFFFFFF ? FindDirectory64(file, at) ?? (at, count, start, length) : (at, count, start, length);
        }

        Span<byte> magic = stackalloc byte[4];
        throw file.TryRead(0, magic) && BinaryPrimitives.ReadUInt32LittleEndian(magic) == LocalSignature
            ? ModelErrors.Zip(file.Path, $"it begins like one, but the directory at its end is missing after {file.Length} bytes: a download that did not finish?")
            : ModelErrors.NotZip(file.Path);
    }

    private static (long EndAt, long Count, long Start, long Length)? FindDirectory64(MappedFile file, long endAt)
    {
        Span<byte> locator = stackalloc byte[Locator64Length];
        if (!file.TryRead(endAt - Locator64Length, locator) || U32(locator, 0) != Locator64Signature) return null;
        var at = S64(locator, 8);
        Span<byte> end = stackalloc byte[End64Length];
        if (at > endAt - End64Length || !file.TryRead(at, end) || U32(end, 0) != End64Signature) throw ModelErrors.Zip(file.Path, $"its zip64 directory is not at byte {at}.");
        return (at, S64(end, 32), S64(end, 48), S64(end, 40));
    }

    private static ZipMember ReadMember(MappedFile file, byte[] directory, ref int at, long directoryStart)
    {
        var rest = directory.AsSpan(at);
        if (rest.Length < CentralLength || U32(rest, 0) != CentralSignature) throw ModelErrors.Zip(file.Path, $"its directory is broken at byte {directoryStart + at}.");
        int flags = U16(rest, 8), method = U16(rest, 10), nameLength = U16(rest, 28), extraLength = U16(rest, 30), commentLength = U16(rest, 32);
        if (rest.Length - CentralLength < nameLength + extraLength + commentLength) throw ModelErrors.Zip(file.Path, $"its directory ends inside the member at byte {directoryStart + at}.");
        var name = Name(rest.Slice(CentralLength, nameLength));
        long stored = U32(rest, 20), length = U32(rest, 24), local = U32(rest, 42);
        ReadZip64(file, name, rest.Slice(CentralLength + nameLength, extraLength), ref length, ref stored, ref local);
        at += CentralLength + nameLength + extraLength + commentLength;

        if (SafePath.LeadsOut(name)) throw ModelErrors.MemberLeaves(file.Path, name);
        if ((flags & 1) != 0) throw ModelErrors.ZipRefused(file.Path, name, "is encrypted");
        if (method is not (0 or 8)) throw ModelErrors.ZipRefused(file.Path, name, $"uses compression method {method}; stored and deflated members are read");

        Span<byte> header = stackalloc byte[LocalLength];
        if (!file.TryRead(local, header) || U32(header, 0) != LocalSignature) throw ModelErrors.Zip(file.Path, $"member '{name}' is not at byte {local}.");
        var data = local + LocalLength + U16(header, 26) + U16(header, 28);
        if (stored < 0 || data > directoryStart - stored) throw ModelErrors.Zip(file.Path, $"member '{name}' ({stored} bytes at {data}) does not fit in front of the directory.");
        if (length < 0 || (method == 0 ? length != stored : length / MaxRatio > stored)) throw ModelErrors.Zip(file.Path, $"member '{name}' claims {length} bytes from {stored} in the file.");
        return new ZipMember(name, method == 8, U32(rest, 16), data, stored, length);
    }

    private static void ReadZip64(MappedFile file, string name, ReadOnlySpan<byte> extra, ref long length, ref long stored, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = U16(extra, 0), size = U16(extra, 2);
            if (size > extra.Length - 4) return;
            var field = extra.Slice(4, size);
            extra = extra[(4 + size)..];
            if (id != 1) continue;
            Take(ref length, ref field);
            Take(ref stored, ref field);
            Take(ref local, ref field);
        }

        void Take(ref long value, ref ReadOnlySpan<byte> field)
        {
            if (value != 0xFFFFFFFF) return;
            if (field.Length < 8) throw ModelErrors.Zip(file.Path, $"the zip64 field of member '{name}' is too short.");
            value = S64(field, 0);
            field = field[8..];
        }
    }

    private static string Name(ReadOnlySpan<byte> bytes) => Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : Encoding.Latin1.GetString(bytes);

    private static int U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long S64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
