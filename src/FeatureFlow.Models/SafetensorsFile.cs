using System.Buffers.Binary;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// A .safetensors file: eight bytes of header length, a JSON header, then the numbers. The header is checked as strictly as the
/// format's own reader does (<see cref="SafetensorsHeader"/>); the arrays are views of the mapped file.
/// </summary>
public sealed class SafetensorsFile : TensorFile
{
    private SafetensorsFile(MappedFile file)
        : base(file)
    {
        var header = SafetensorsHeader.Read(file);
        Metadata = header.Metadata;
        foreach (var t in header.Tensors)
        {
            if (t.Type is not { } type)
            {
                AddUnreadable(t.Name, ModelErrors.UnsupportedType(file.Path, t.Name, t.TypeName, "store it as F32, BF16 or F16."));
                continue;
            }

            var window = file.Window(header.DataStart + t.Begin, t.End - t.Begin);
            var tensor = new Tensor(window, type, t.Shape);
            Add(
                new TensorEntry(t.Name, type, t.Shape),
                new Lazy<Tensor>(tensor),
                new Lazy<TensorScan>(() => ArrayScanner.Run(window, 0, window.ByteLength, type, crc: false).Scan));
        }
    }

    /// <summary>Opens a file, reading its header only.</summary>
    /// <exception cref="FeatureFlowException">FF2001-FF2004: not readable; FF2010: not valid.</exception>
    public static new SafetensorsFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new SafetensorsFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes tensors, strided ones too, whole or not at all; values are streamed. Wider types come first, so that each lies aligned.</summary>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written; FF2031: a name twice.</exception>
    public static void Write(string path, IReadOnlyDictionary<string, string>? metadata, IEnumerable<(string Name, Tensor Value)> tensors) =>
        Write(path, metadata, tensors.Select(t => TensorSource.Of(t.Name, t.Value)));

    /// <summary>Writes tensors that are made while they are written, one after the other, so that none need fit in memory.</summary>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written; FF2031: a name twice.</exception>
    public static void Write(string path, IReadOnlyDictionary<string, string>? metadata, IEnumerable<TensorSource> tensors)
    {
        var full = System.IO.Path.GetFullPath(path);
        var all = tensors.OrderByDescending(t => t.DType.Size()).ToList();
        var names = new HashSet<string>(StringComparer.Ordinal) { SafetensorsHeader.MetadataKey };
        foreach (var tensor in all)
        {
            if (!names.Add(tensor.Name)) throw ModelErrors.TensorNames(full, tensor.Name);
        }

        AtomicFile.Write(full, stream =>
        {
            var header = SafetensorsHeader.Write(metadata, all);
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var tensor in all)
            {
                var start = stream.Position;
                tensor.Write(stream);
                if (stream.Position - start != tensor.ByteLength) throw new InvalidOperationException($"'{tensor.Name}' wrote {stream.Position - start} bytes of {tensor.ByteLength}.");
            }
        });
    }
}

/// <summary>A tensor to be written: what it is, and who writes its elements, row-major and little-endian.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="DType">Type of the elements.</param>
/// <param name="Shape">Extents.</param>
/// <param name="Write">Writes exactly <see cref="ByteLength"/> bytes.</param>
public sealed record TensorSource(string Name, DType DType, IReadOnlyList<int> Shape, Action<Stream> Write)
{
    /// <summary>Bytes of all elements.</summary>
    public long ByteLength => Shape.Aggregate(1L, (n, extent) => n * extent) * DType.Size();

    /// <summary>The elements of a host tensor, strided or not.</summary>
    public static TensorSource Of(string name, Tensor value) => new(name, value.DType, value.Shape.ToArray(), s => TensorStream.Write(s, value));

    /// <summary>The elements of a tensor that is made when it is written, and given back at once.</summary>
    public static TensorSource Made(string name, DType type, IReadOnlyList<int> shape, Func<Tensor> make) => new(name, type, shape, s =>
    {
        using var value = make();
        TensorStream.Write(s, value);
    });
}
