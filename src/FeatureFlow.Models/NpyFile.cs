using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>A single .npy array, as numpy.save writes it: small arrays for exchange, read as a whole.</summary>
public static class NpyFile
{
    /// <summary>Writes an array, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF2030: it cannot be written; FF2033: bfloat16.</exception>
    public static void Write(string path, Tensor values)
    {
        if (values.DType == DType.BF16) throw ModelErrors.NoNumpyType(path, "array");
        AtomicFile.Write(path, stream =>
        {
            stream.Write(NpzFile.NpyHeaderOf(TensorSource.Of("array", values)));
            TensorStream.Write(stream, values);
        });
    }

    /// <summary>Reads an array into memory; the caller disposes it.</summary>
    /// <exception cref="FeatureFlowException">FF2001-FF2004: not readable; FF2021: not a .npy array of plain numbers in C order.</exception>
    public static unsafe Tensor Read(string path)
    {
        using var file = MappedFile.Open(path);
        var prefix = new byte[NpyHeader.Prefix];
        if (!file.TryRead(0, prefix) || !NpyHeader.TryMeasure(prefix, out var length) || length > 1 << 16) throw Bad("it is not a .npy array of version 1, 2 or 3.");
        var head = new byte[length];
        if (!file.TryRead(0, head)) throw Bad("it ends inside its header.");
        var header = NpyHeader.Parse(head, Bad);
        if (header.Type is not { } type || header.BigEndian || (header.FortranOrder && header.Shape.Length > 1)) throw Bad($"{header.Descr} in {(header.FortranOrder ? "Fortran" : "C")} order is not read; save it as plain little-endian numbers in C order.");
        if (header.DataLength < 0 || header.DataLength != file.Length - length) throw Bad($"its header announces {header.DataLength} bytes, {file.Length - length} follow.");
        var values = Tensor.Allocate(type, header.Shape);
        using var pin = values.Pin();
        if (!file.TryRead(length, new Span<byte>(pin.Pointer, checked((int)header.DataLength)))) throw Bad("it ends inside its data.");
        return values;

        Exception Bad(string what) => ModelErrors.Npy(path, "array", what);
    }
}
