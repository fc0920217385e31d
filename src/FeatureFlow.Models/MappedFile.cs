using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// A file mapped read-only into memory. Headers are read with ordinary reads, so that a file cut short while it is read gives
/// an error instead of a fault; only the arrays are used through the mapping.
/// </summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly SafeHandle _handle;
    private readonly byte* _start;

    private MappedFile(string path, FileStream stream)
    {
        Path = path;
        _stream = stream;
        Length = stream.Length;
        _map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        _handle = _view.SafeMemoryMappedViewHandle;
        _start = (byte*)_handle.DangerousGetHandle() + _view.PointerOffset;
    }

    public string Path { get; }

    public long Length { get; }

    public bool IsClosed => _handle.IsClosed;

    /// <summary>Maps a file.</summary>
    /// <exception cref="FeatureFlowException">FF2001 missing, FF2002 unreadable, FF2003 a folder, FF2004 empty.</exception>
    public static MappedFile Open(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        if (Directory.Exists(full)) throw ModelErrors.IsFolder(full);
        if (!File.Exists(full)) throw ModelErrors.Missing(full);
        FileStream? stream = null;
        try
        {
            stream = new FileStream(full, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0, FileOptions.RandomAccess);
            return stream.Length == 0 ? throw ModelErrors.Empty(full) : new MappedFile(full, stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            stream?.Dispose();
            throw ModelErrors.Unreadable(full, e);
        }
        catch (FeatureFlowException)
        {
            stream?.Dispose();
            throw;
        }
    }

    /// <summary>Fills <paramref name="bytes"/> from the file; false when the file ends before.</summary>
    public bool TryRead(long offset, Span<byte> bytes)
    {
        if (offset < 0 || offset > Length - bytes.Length) return false;
        try
        {
            while (bytes.Length > 0)
            {
                var n = RandomAccess.Read(_stream.SafeFileHandle, bytes, offset);
                if (n == 0) return false;
                offset += n;
                bytes = bytes[n..];
            }

            return true;
        }
        catch (IOException e)
        {
            throw ModelErrors.Unreadable(Path, e);
        }
    }

    /// <summary>A window of the mapping. Reading through it after <see cref="Dispose"/> is an <see cref="ObjectDisposedException"/>.</summary>
    public HostStorage Window(long offset, long length) => HostStorage.Borrow(_handle, _start + offset, length);

    /// <summary>A stream over a part of the mapping, for inflating.</summary>
    public Stream Stream(long offset, long length) => _map.CreateViewStream(offset, length, MemoryMappedFileAccess.Read);

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
        _stream.Dispose();
    }
}
