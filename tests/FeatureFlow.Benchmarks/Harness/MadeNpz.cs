using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using FeatureFlow.Models;

namespace FeatureFlow.Benchmarks;

/// <summary>Writes a Gemma Scope params.npz as numpy's savez does: a zip of stored members.</summary>
internal static class MadeNpz
{
    public static void Write(string path, int d, int features)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        var directory = new MemoryStream();
        var members = new (string Name, int[] Shape)[] { ("W_enc", [d, features]), ("W_dec", [features, d]), ("b_enc", [features]), ("b_dec", [d]), ("threshold", [features]) };
        for (var i = 0; i < members.Length; i++) Member(file, directory, members[i].Name + ".npy", members[i].Shape, i + 1);
        var start = file.Position;
        directory.WriteTo(file);
        Span<byte> end = stackalloc byte[22];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054B50);
        BinaryPrimitives.WriteUInt16LittleEndian(end[8..], (ushort)members.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(end[10..], (ushort)members.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(end[12..], (uint)directory.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(end[16..], (uint)start);
        file.Write(end);
    }

    private static void Member(FileStream file, MemoryStream directory, string name, int[] shape, int seed)
    {
        var numbers = new float[shape.Aggregate(1, (a, b) => a * b)];
        Made.Fill(seed, numbers);
        if (name == "threshold.npy") Array.Fill(numbers, 0.5f);
        var dictionary = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({string.Join(", ", shape)}{(shape.Length == 1 ? "," : "")}), }}";
        var header = new byte[128];
        header.AsSpan().Fill((byte)' ');
        ReadOnlySpan<byte> magic = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, 118, 0];
        magic.CopyTo(header);
        Encoding.ASCII.GetBytes(dictionary).CopyTo(header, 10);
        header[127] = (byte)'\n';

        var data = MemoryMarshal.AsBytes(numbers.AsSpan());
        var crc = Crc32.Append(Crc32.Append(0, header), data);
        var (offset, length, text) = ((uint)file.Position, (uint)(header.Length + data.Length), Encoding.ASCII.GetBytes(name));
        Span<byte> local = stackalloc byte[30];
        BinaryPrimitives.WriteUInt32LittleEndian(local, 0x04034B50);
        BinaryPrimitives.WriteUInt16LittleEndian(local[4..], 20);
        BinaryPrimitives.WriteUInt32LittleEndian(local[14..], crc);
        BinaryPrimitives.WriteUInt32LittleEndian(local[18..], length);
        BinaryPrimitives.WriteUInt32LittleEndian(local[22..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(local[26..], (ushort)text.Length);
        file.Write(local);
        file.Write(text);
        file.Write(header);
        file.Write(data);

        Span<byte> entry = stackalloc byte[46];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, 0x02014B50);
        local[4..30].CopyTo(entry[6..]);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[4..], 20);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[42..], offset);
        directory.Write(entry);
        directory.Write(text);
    }
}
