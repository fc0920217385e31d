using System.Runtime.CompilerServices;
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
    private const int Alignment = 64;

    // Memory of our own is a pinned array, so that a span of it keeps it alive; what no array can hold is a native block.
    private readonly SafeHandle? _handle;
    private readonly byte* _start;
    private readonly int _offset;
    private readonly bool _owned;
    private byte[]? _array;

    private HostStorage(long byteLength, SafeHandle handle, byte* start, bool owned)
    {
        ByteLength = byteLength;
        _handle = handle;
        _start = start;
        _owned = owned;
    }

    private HostStorage(int byteLength, byte[] array)
    {
        var first = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array));
        _offset = (int)((Alignment - ((nint)first % Alignment)) % Alignment);
        ByteLength = byteLength;
        _array = array;
        _start = first + _offset;
        _owned = true;
    }

    /// <inheritdoc/>
    public override long ByteLength { get; }

    /// <summary>True for memory that nobody will write to any more (mapped files, and what was sealed): an engine with memory of its own may keep a copy of it.</summary>
    public bool IsConstant { get; private set; }

    /// <summary>Promises that nobody will write to it any more.</summary>
    public void Seal() => IsConstant = true;

    /// <summary>What is the same for all windows of one mapped file, and the address in it.</summary>
    internal (object Memory, nint Start) Identity => (_handle is null ? this : _handle, (nint)_start);

    /// <summary>New zeroed memory, 64-byte aligned.</summary>
    public static HostStorage Allocate(long byteLength)
    {
        if (byteLength <= Array.MaxLength - Alignment) return new HostStorage((int)byteLength, GC.AllocateArray<byte>((int)byteLength + Alignment, pinned: true));
        var block = new NativeBlock(byteLength);
        return new HostStorage(byteLength, block, block.Start, owned: true);
    }

    /// <summary>
    /// A window of memory that <paramref name="handle"/> keeps alive (a view of a mapped file). The handle stays its
    /// owner's to dispose; the bytes may be unaligned.
    /// </summary>
    public static HostStorage Borrow(SafeHandle handle, byte* start, long byteLength) => new(byteLength, handle, start, owned: false) { IsConstant = true };

    /// <summary>Holds the memory for the time of one operation.</summary>
    /// <exception cref="ObjectDisposedException">The memory was given back.</exception>
    public HostPin Pin()
    {
        if (_handle is null) return new HostPin(_array ?? throw new ObjectDisposedException(nameof(HostStorage)), _start);
        var held = false;
        _handle.DangerousAddRef(ref held);
        return new HostPin(_handle, _start);
    }

    /// <summary>A span that keeps memory of our own alive; a mapped file, or more than an array holds, must be kept by the caller.</summary>
    internal Span<T> Span<T>(long byteOffset, int count)
        where T : unmanaged
    {
        if (_array is { } array) return MemoryMarshal.CreateSpan(ref Unsafe.As<byte, T>(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(array), _offset + (nint)byteOffset)), count);
        using var pin = Pin();
        return new Span<T>(pin.Pointer + byteOffset, count);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (!_owned) return;
        _handle?.Dispose();
        _array = null;
    }

    private sealed class NativeBlock : SafeHandle
    {
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
    private readonly object _keeper;

    internal HostPin(object keeper, byte* pointer)
    {
        _keeper = keeper;
        Pointer = pointer;
    }

    /// <summary>The first byte.</summary>
    public byte* Pointer { get; }

    /// <summary>Lets go.</summary>
    public void Dispose()
    {
        if (_keeper is SafeHandle handle) handle.DangerousRelease();
        else GC.KeepAlive(_keeper);
    }
}
