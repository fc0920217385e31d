using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors;

/// <summary>
/// The bytes behind tensors. Host memory is <see cref="HostStorage"/>; a device engine keeps its own kind,
/// which nothing above the engine looks into.
/// </summary>
public abstract class Storage : IDisposable
{
    /// <summary>Length in bytes.</summary>
    public abstract long ByteLength { get; }

    /// <summary>Gives the memory back; an operation in flight on another thread keeps it until it is done.</summary>
    public abstract void Dispose();
}

/// <summary>
/// Host memory: allocated (64-byte aligned) or part of a mapped file. The pointer is reachable only while pinned, so
/// disposing early is an <see cref="ObjectDisposedException"/>, never a crash.
/// </summary>
public sealed unsafe class HostStorage : Storage
{
    private readonly SafeHandle _handle;
    private readonly byte* _start;
    private readonly bool _owned;

    private HostStorage(SafeHandle handle, byte* start, long byteLength, bool owned)
    {
        _handle = handle;
        _start = start;
        ByteLength = byteLength;
        _owned = owned;
    }

    /// <inheritdoc/>
    public override long ByteLength { get; }

    /// <summary>New zeroed memory, 64-byte aligned.</summary>
    public static HostStorage Allocate(long byteLength)
    {
        var handle = new NativeBlock(byteLength);
        return new HostStorage(handle, handle.Start, byteLength, owned: true);
    }

    /// <summary>
    /// A window of memory that <paramref name="handle"/> keeps alive (a view of a mapped file). The handle stays its
    /// owner's to dispose; the bytes may be unaligned.
    /// </summary>
    public static HostStorage Borrow(SafeHandle handle, byte* start, long byteLength) => new(handle, start, byteLength, owned: false);

    /// <summary>Holds the memory for the time of one operation.</summary>
    /// <exception cref="ObjectDisposedException">The memory was given back.</exception>
    public HostPin Pin()
    {
        var held = false;
        _handle.DangerousAddRef(ref held);
        return new HostPin(_handle, _start);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_owned) _handle.Dispose();
    }

    private sealed class NativeBlock : SafeHandle
    {
        private const nuint Alignment = 64;

        private readonly long _pressure;

        public NativeBlock(long byteLength)
            : base(0, ownsHandle: true)
        {
            var size = (nuint)Math.Max(1, byteLength);
            Start = (byte*)NativeMemory.AlignedAlloc(size, Alignment);
            NativeMemory.Clear(Start, size);
            SetHandle((nint)Start);
            _pressure = (long)size;
            GC.AddMemoryPressure(_pressure);
        }

        public byte* Start { get; }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            NativeMemory.AlignedFree((void*)handle);
            GC.RemoveMemoryPressure(_pressure);
            return true;
        }
    }
}

/// <summary>Keeps host memory in place until disposed.</summary>
public readonly unsafe ref struct HostPin
{
    private readonly SafeHandle _handle;

    internal HostPin(SafeHandle handle, byte* pointer)
    {
        _handle = handle;
        Pointer = pointer;
    }

    /// <summary>The first byte.</summary>
    public byte* Pointer { get; }

    /// <summary>Lets go.</summary>
    public void Dispose() => _handle?.DangerousRelease();
}
