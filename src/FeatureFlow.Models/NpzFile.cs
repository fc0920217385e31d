using System.Buffers;
using System.IO.Compression;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// An .npz file: a zip archive of .npy arrays. Stored members are used where they lie in the mapped file; deflated members are inflated
/// once, on first use. Fortran order becomes a transposed view, big-endian numbers a turned copy. Object arrays are pickles and never read.
/// </summary>
public sealed partial class NpzFile : TensorFile
{
    private readonly List<IDisposable> _copies = [];
    private bool _closed;

    private NpzFile(MappedFile file)
        : base(file)
    {
        var members = ZipDirectory.Read(file);
        if (members.FirstOrDefault(m => m.Name.EndsWith("/data.pkl", StringComparison.Ordinal) || m.Name == "data.pkl") is not null)
        {
            throw ModelErrors.Pickle(file.Path, "This is a torch file (a zip archive around a pickle).");
        }

        var arrays = 0;
        foreach (var member in members)
        {
            if (!member.Name.EndsWith(".npy", StringComparison.Ordinal)) continue;
            arrays++;
            Add(member);
        }

        if (arrays == 0) throw ModelErrors.Zip(file.Path, $"no .npy array is in it; it has {ModelErrors.List(members.Select(m => m.Name))}.");
    }

    /// <summary>Opens a file, reading its directory and the headers of its arrays.</summary>
    /// <exception cref="FeatureFlowException">FF2001-FF2004: not readable; FF2020-FF2024: not a valid .npz; FF2027: a torch file.</exception>
    public static new NpzFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new NpzFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            lock (_copies)
            {
                _closed = true;
                foreach (var copy in _copies) copy.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    private void Add(ZipMember member)
    {
        var name = member.Name[..^4];
        var header = ReadHeader(member, name);
        if (header.IsObject)
        {
            AddUnreadable(name, ModelErrors.ObjectArray(Path, name, header.Descr));
            return;
        }

        if (header.Type is not { } type)
        {
            AddUnreadable(name, ModelErrors.UnsupportedType(Path, name, header.Descr, "store it as float32."));
            return;
        }

        if (header.DataLength < 0 || header.DataLength != member.Length - header.Length)
        {
            throw Bad(name, $"{header.Descr}[{string.Join(",", header.Shape)}] needs {(header.DataLength < 0 ? "more bytes than any file has" : $"{header.DataLength} bytes")}, its member has {member.Length - header.Length} after the header.");
        }

        if (header.FortranOrder && header.Shape.Length > 2 && header.Shape.Count(n => n != 1) > 1)
        {
            AddUnreadable(name, ModelErrors.UnsupportedType(Path, name, $"Fortran order with {header.Shape.Length} axes", "save it after numpy.ascontiguousarray."));
            return;
        }

        var loaded = new Lazy<(Tensor View, TensorScan Scan)>(() => Load(member, name, header, type));
        Add(new TensorEntry(name, type, header.Shape), new Lazy<Tensor>(() => loaded.Value.View), new Lazy<TensorScan>(() => loaded.Value.Scan));
    }

    private NpyHeader ReadHeader(ZipMember member, string name)
    {
        Span<byte> prefix = stackalloc byte[NpyHeader.Prefix];
        if (!TryReadStart(member, prefix) || !NpyHeader.TryMeasure(prefix, out var length)) throw Bad(name, "its member is not a .npy array of version 1, 2 or 3.");
        const int most = 1 << 16; // numpy itself reads no longer ones
        if (length > Math.Min(member.Length, most)) throw Bad(name, $"its .npy header says {length} bytes; its member has {member.Length}, and {most} is the most.");
        var header = new byte[length];
        if (!TryReadStart(member, header)) throw Bad(name, "its member ends inside its .npy header.");
        return NpyHeader.Parse(header, what => Bad(name, what));
    }

    private bool TryReadStart(ZipMember member, Span<byte> bytes)
    {
        if (bytes.Length > member.Length) return false;
        if (!member.Deflated) return File.TryRead(member.DataStart, bytes);
        try
        {
            using var inflate = new DeflateStream(File.Stream(member.DataStart, member.StoredLength), CompressionMode.Decompress);
            return inflate.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    // the first use of an array: inflate when needed, CRC-32 and finiteness in one pass, turn the bytes round when needed
    private (Tensor View, TensorScan Scan) Load(ZipMember member, string name, NpyHeader header, DType type)
    {
        var storage = member.Deflated ? Inflate(member, name) : File.Window(member.DataStart, member.Length);
        var (_, headerCrc) = ArrayScanner.Run(storage, 0, header.Length, DType.U8, crc: true);
        var (scan, dataCrc) = ArrayScanner.Run(storage, header.Length, header.DataLength, type, crc: true);
        var crc = Crc32.Combine(headerCrc, dataCrc, header.DataLength);
        if (crc != member.Crc) throw ModelErrors.Crc(Path, name, member.Crc, crc);
        long offset = header.Length;
        if (header.BigEndian && type.Size() > 1)
        {
            storage = Keep(ByteOrder.Turned(storage, offset, header.DataLength, type.Size()));
            offset = 0;
            scan = ArrayScanner.Run(storage, 0, header.DataLength, type, crc: false).Scan;
        }

        if (!header.FortranOrder || header.Shape.Length < 2) return (new Tensor(storage, type, header.Shape, offset), scan);
        var view = header.Shape.Length == 2
            ? new Tensor(storage, type, [header.Shape[1], header.Shape[0]], offset).Transpose()
            : new Tensor(storage, type, header.Shape, offset); // at most one axis is longer than 1: the orders agree
        return (view, scan);
    }

    private unsafe HostStorage Inflate(ZipMember member, string name)
    {
        var storage = HostStorage.Allocate(member.Length);
        try
        {
            using var pin = storage.Pin();
            using var inflate = new DeflateStream(File.Stream(member.DataStart, member.StoredLength), CompressionMode.Decompress);
            long done = 0;
            while (done < member.Length)
            {
                var n = inflate.Read(new Span<byte>(pin.Pointer + done, (int)Math.Min(1 << 20, member.Length - done)));
                if (n == 0) throw Bad(name, $"its compressed data ends after {done} of {member.Length} bytes.");
                done += n;
            }

            if (inflate.ReadByte() >= 0) throw Bad(name, $"its compressed data goes on after the {member.Length} bytes it should have.");
        }
        catch (InvalidDataException)
        {
            storage.Dispose();
            throw Bad(name, "its compressed data is damaged.");
        }
        catch
        {
            storage.Dispose();
            throw;
        }

        return Keep(storage);
    }

    private HostStorage Keep(HostStorage copy)
    {
        lock (_copies)
        {
            if (_closed)
            {
                copy.Dispose();
                ObjectDisposedException.ThrowIf(true, this);
            }

            copy.Seal(); // nobody writes to it from here on
            _copies.Add(copy);
        }

        return copy;
    }

    private Exception Bad(string array, string what) => ModelErrors.Npy(Path, array, what);
}
