using System.Runtime.InteropServices;
using System.Text;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>What the driver says of a card: its name, its memory. libtorch's managed interface has no word for them.</summary>
internal sealed unsafe class Card
{
    private readonly delegate* unmanaged<nuint*, nuint*, int> _memory;

    private Card(string name, delegate* unmanaged<nuint*, nuint*, int> memory)
    {
        Name = name;
        _memory = memory;
    }

    /// <summary>A card of which nothing is known.</summary>
    public static Card Unknown { get; } = new("CUDA device", null);

    public string Name { get; }

    /// <summary>The card of this number, or null where the driver does not answer.</summary>
    public static Card? Find(int number)
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out var driver)) return null;
        if (!NativeLibrary.TryGetExport(driver, "cuDeviceGet", out var get) || !NativeLibrary.TryGetExport(driver, "cuDeviceGetName", out var getName) || !NativeLibrary.TryGetExport(driver, "cuMemGetInfo_v2", out var memory)) return null;
        int device;
        if (((delegate* unmanaged<int*, int, int>)get)(&device, number) != 0) return null;
        var name = stackalloc byte[256];
        if (((delegate* unmanaged<byte*, int, int, int>)getName)(name, 255, device) != 0) return null;
        return new Card(Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)), (delegate* unmanaged<nuint*, nuint*, int>)memory);
    }

    /// <summary>Bytes in all and free, on the thread whose context it is; zeros where the driver does not answer.</summary>
    public (long Total, long Free) Memory()
    {
        nuint free, total;
        return _memory != null && _memory(&free, &total) == 0 ? ((long)total, (long)free) : default;
    }
}
