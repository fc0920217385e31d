using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>Writing: stored members, as numpy.savez does, and each array on a multiple of 64 bytes, so that it can be used where it lies.</summary>
public sealed partial class NpzFile
{
    private const int Alignment = 64, LocalLength = 30, CentralLength = 46;
    private const ushort Zip64Field = 1, AlignmentField = 0xD935; // the latter is what zipalign pads with; readers skip it
    private const uint Large = 0xFFFFFFFF;

    // the first day that a zip archive can name: the same arrays give the same file
    private const uint Time = 0x00210000;

    /// <summary>Writes tensors, strided ones too, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written; FF2031: a name twice; FF2033: bfloat16.</exception>
    public static void Write(string path, IEnumerable<(string Name, Tensor Value)> tensors) => Write(path, tensors.Select(t => TensorSource.Of(t.Name, t.Value)));

    /// <summary>Writes tensors that are made while they are written, in the order given.</summary>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written; FF2031: a name twice; FF2033: bfloat16.</exception>
    public static void Write(string path, IEnumerable<TensorSource> tensors)
    {
        var full = System.IO.Path.GetFullPath(path);
        var all = tensors.ToList();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in all)
        {
            if (!names.Add(tensor.Name)) throw ModelErrors.TensorNames(full, tensor.Name);
            if (tensor.DType == DType.BF16) throw ModelErrors.NoNumpyType(full, tensor.Name);
        }

        AtomicFile.Write(full, stream =>
        {
            var directory = new MemoryStream();
            foreach (var tensor in all) WriteMember(stream, directory, tensor);
            WriteEnd(stream, directory, all.Count);
        });
    }

    private static void WriteMember(Stream stream, MemoryStream directory, TensorSource tensor)
    {
        var name = Encoding.UTF8.GetBytes(tensor.Name + ".npy");
        var header = NpyHeaderOf(tensor);
        var (offset, length) = (stream.Position, header.Length + tensor.ByteLength);
        var big = length >= Large;
        var extra = new List<byte>();
        if (big) AddZip64(extra, length, length);
        // the padding field takes at least six bytes of its own
        var padding = (int)((Alignment - (offset + LocalLength + name.Length + extra.Count + 6) % Alignment) % Alignment);
        AddField(extra, AlignmentField, [.. BitConverter.GetBytes((ushort)Alignment), .. new byte[padding]]);

        var local = new byte[LocalLength];
        BinaryPrimitives.WriteUInt32LittleEndian(local, 0x04034B50);
        Common(local.AsSpan(4), name, length, big);
        BinaryPrimitives.WriteUInt16LittleEndian(local.AsSpan(28), (ushort)extra.Count);
        stream.Write(local);
        stream.Write(name);
        stream.Write(extra.ToArray());
        var counted = new CountingStream(stream);
        counted.Write(header);
        tensor.Write(counted);
        if (counted.Count != length) throw new InvalidOperationException($"'{tensor.Name}' wrote {counted.Count} bytes of {length}.");

        // the checksum is known once everything has passed
        var end = stream.Position;
        BinaryPrimitives.WriteUInt32LittleEndian(local, counted.Crc);
        stream.Position = offset + 14;
        stream.Write(local, 0, 4);
        stream.Position = end;

        var central = new byte[CentralLength];
        var centralExtra = new List<byte>();
        if (big || offset >= Large) AddZip64(centralExtra, [.. big ? new[] { length, length } : [], .. offset >= Large ? new[] { offset } : []]);
        BinaryPrimitives.WriteUInt32LittleEndian(central, 0x02014B50);
        BinaryPrimitives.WriteUInt16LittleEndian(central.AsSpan(4), (ushort)(centralExtra.Count > 0 ? 45 : 20));
        Common(central.AsSpan(6), name, length, big || offset >= Large);
        BinaryPrimitives.WriteUInt32LittleEndian(central.AsSpan(16), counted.Crc);
        BinaryPrimitives.WriteUInt16LittleEndian(central.AsSpan(30), (ushort)centralExtra.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(central.AsSpan(42), (uint)Math.Min(offset, Large));
        directory.Write(central);
        directory.Write(name);
        directory.Write(centralExtra.ToArray());
    }

    // what the two headers of a member share, from "version needed" to "length of the name"
    private static void Common(Span<byte> at, byte[] name, long length, bool zip64)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)(zip64 ? 45 : 20));
        BinaryPrimitives.WriteUInt16LittleEndian(at[2..], 0x0800); // names are UTF-8
        BinaryPrimitives.WriteUInt32LittleEndian(at[6..], Time);
        var size = (uint)Math.Min(length, Large);
        BinaryPrimitives.WriteUInt32LittleEndian(at[14..], size);
        BinaryPrimitives.WriteUInt32LittleEndian(at[18..], size);
        BinaryPrimitives.WriteUInt16LittleEndian(at[22..], (ushort)name.Length);
    }

    private static void WriteEnd(Stream stream, MemoryStream directory, int count)
    {
        var (start, length) = (stream.Position, directory.Length);
        directory.WriteTo(stream);
        if (start >= Large || count >= 0xFFFF)
        {
            Span<byte> end64 = stackalloc byte[56 + 20];
            BinaryPrimitives.WriteUInt32LittleEndian(end64, 0x06064B50);
            BinaryPrimitives.WriteInt64LittleEndian(end64[4..], 44);
            BinaryPrimitives.WriteUInt16LittleEndian(end64[12..], 45);
            BinaryPrimitives.WriteUInt16LittleEndian(end64[14..], 45);
            BinaryPrimitives.WriteInt64LittleEndian(end64[24..], count);
            BinaryPrimitives.WriteInt64LittleEndian(end64[32..], count);
            BinaryPrimitives.WriteInt64LittleEndian(end64[40..], length);
            BinaryPrimitives.WriteInt64LittleEndian(end64[48..], start);
            BinaryPrimitives.WriteUInt32LittleEndian(end64[56..], 0x07064B50);
            BinaryPrimitives.WriteInt64LittleEndian(end64[64..], start + length);
            BinaryPrimitives.WriteUInt32LittleEndian(end64[72..], 1);
            stream.Write(end64);
        }

        Span<byte> end = stackalloc byte[22];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054B50);
        BinaryPrimitives.WriteUInt16LittleEndian(end[8..], (ushort)Math.Min(count, 0xFFFF));
        BinaryPrimitives.WriteUInt16LittleEndian(end[10..], (ushort)Math.Min(count, 0xFFFF));
        BinaryPrimitives.WriteUInt32LittleEndian(end[12..], (uint)length);
        BinaryPrimitives.WriteUInt32LittleEndian(end[16..], (uint)Math.Min(start, Large));
        stream.Write(end);
    }

    private static void AddZip64(List<byte> extra, params ReadOnlySpan<long> values)
    {
        var bytes = new List<byte>();
        foreach (var value in values)
        {
            var eight = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(eight, value);
            bytes.AddRange(eight);
        }

        AddField(extra, Zip64Field, [.. bytes]);
    }

    private static void AddField(List<byte> extra, ushort id, byte[] value)
    {
        Span<byte> head = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(head, id);
        BinaryPrimitives.WriteUInt16LittleEndian(head[2..], (ushort)value.Length);
        extra.AddRange(head);
        extra.AddRange(value);
    }

    // version 1, padded to a multiple of 64 as numpy does
    internal static byte[] NpyHeaderOf(TensorSource tensor)
    {
        var type = tensor.DType switch { DType.F32 => "<f4", DType.F16 => "<f2", DType.F64 => "<f8", DType.I64 => "<i8", DType.I32 => "<i4", _ => "|u1" };
        var shape = string.Join(", ", tensor.Shape.Select(n => n.ToString(CultureInfo.InvariantCulture))) + (tensor.Shape.Count == 1 ? "," : "");
        var text = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({shape}), }}";
        var header = new byte[(10 + text.Length + 1 + Alignment - 1) / Alignment * Alignment];
        header.AsSpan().Fill((byte)' ');
        ReadOnlySpan<byte> magic = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0];
        magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), (ushort)(header.Length - 10));
        Encoding.ASCII.GetBytes(text).CopyTo(header, 10);
        header[^1] = (byte)'\n';
        return header;
    }

    /// <summary>Passes bytes on, counting them and summing their CRC-32.</summary>
    private sealed class CountingStream(Stream inner) : Stream
    {
        public long Count { get; private set; }

        public uint Crc { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => Count;

        public override long Position
        {
            get => Count;
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Crc = Crc32.Append(Crc, buffer);
            Count += buffer.Length;
            inner.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
