using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace FeatureFlow.Flow;

/// <summary>
/// A file for activations that memory has no room for, deleted when closed. All is written before the first is read; reading is from the mapped file, from any thread.
/// </summary>
/// <param name="budget">Bytes that may stay in memory.</param>
/// <param name="folder">Folder of the file; the system's for temporary files when null.</param>
internal sealed unsafe class ActivationSpill(long budget, string? folder = null) : IDisposable
{
    private readonly Lock _lock = new();
    private FileStream? _file;
    private MemoryMappedFile? _map;
    private MemoryMappedViewAccessor? _view;
    private byte* _start;
    private long _kept;

    /// <summary>Bytes in the file.</summary>
    public long Bytes => _file?.Length ?? 0;

    /// <summary>Takes a chunk if memory is used up, and says where it now is; null if it may stay.</summary>
    public long? Takes(int[] indices, float[] values)
    {
        var bytes = 8L * indices.Length;
        if (_kept + bytes <= budget)
        {
            _kept += bytes;
            return null;
        }

        _file ??= new FileStream(Path.Combine(folder ?? Path.GetTempPath(), $"featureflow-{Guid.NewGuid():n}.tmp"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
        var offset = _file.Length;
        _file.Position = offset;
        _file.Write(MemoryMarshal.AsBytes(indices.AsSpan()));
        _file.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        return offset;
    }

    /// <summary>Numbers at a place of the file.</summary>
    public ReadOnlySpan<T> Read<T>(long offset, int count)
        where T : unmanaged
    {
        if (_start == null) Map();
        return new ReadOnlySpan<T>(_start + offset, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_start != null) _view!.SafeMemoryMappedViewHandle.ReleasePointer();
        _start = null;
        _view?.Dispose();
        _map?.Dispose();
        _file?.Dispose();
    }

    private void Map()
    {
        lock (_lock)
        {
            if (_start != null) return;
            _file!.Flush();
            _map = MemoryMappedFile.CreateFromFile(_file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _start = start + _view.PointerOffset;
        }
    }
}
