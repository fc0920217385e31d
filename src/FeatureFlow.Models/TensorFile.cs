using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>A named array of a file, as its header describes it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DType">Its stored type.</param>
/// <param name="Shape">Its extents.</param>
public sealed record TensorEntry(string Name, DType DType, int[] Shape)
{
    /// <summary><c>F32[64,128]</c>.</summary>
    public override string ToString() => $"{DType}[{string.Join(",", Shape)}]";
}

/// <summary>What a look at every number of an array found.</summary>
/// <param name="NonFinite">How many are NaN or infinite.</param>
/// <param name="FirstNonFinite">Where the first of them is, in storage order; −1 when all are finite.</param>
public sealed record TensorScan(long NonFinite, long FirstNonFinite);

/// <summary>
/// A file of named arrays, memory-mapped: opening reads headers only, arrays are views of the file in their stored type. Disposing
/// closes the file; its tensors then throw <see cref="ObjectDisposedException"/>. Safe for several threads.
/// </summary>
public abstract class TensorFile : IDisposable
{
    private readonly Dictionary<string, FileArray> _arrays = new(StringComparer.Ordinal);
    private readonly List<TensorEntry> _entries = [];
    private readonly Dictionary<string, Exception> _unreadable = new(StringComparer.Ordinal);

    private protected TensorFile(MappedFile file) => File = file;

    /// <summary>Full path.</summary>
    public string Path => File.Path;

    /// <summary>Length of the file in bytes.</summary>
    public long ByteLength => File.Length;

    /// <summary>Every readable array, in the order of the file.</summary>
    public IReadOnlyList<TensorEntry> Entries => _entries;

    /// <summary>Names of arrays that are there but of a type that is not read (text, objects, 8-bit floats): asking for one says why.</summary>
    public IReadOnlyCollection<string> Unreadable => _unreadable.Keys;

    /// <summary>Text that came with the arrays (safetensors <c>__metadata__</c>); empty for npz.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; private protected set; } = new Dictionary<string, string>();

    private protected MappedFile File { get; }

    /// <summary>Opens a .safetensors or .npz file, told apart by content.</summary>
    /// <exception cref="FeatureFlowException">FF20xx: missing, damaged, or neither.</exception>
    public static TensorFile Open(string path)
    {
        Span<byte> magic = stackalloc byte[4];
        using (var file = MappedFile.Open(path))
        {
            if (!file.TryRead(0, magic)) magic.Clear();
        }

        return magic[..2].SequenceEqual("PK"u8) || path.EndsWith(".npz", StringComparison.OrdinalIgnoreCase) ? NpzFile.Open(path) : SafetensorsFile.Open(path);
    }

    /// <summary>True when the file names such an array, readable or not.</summary>
    public bool Contains(string name) => _arrays.ContainsKey(name) || _unreadable.ContainsKey(name);

    /// <summary>Type and shape of an array.</summary>
    /// <exception cref="FeatureFlowException">FF2005: not there; FF2006 or FF2028: not readable.</exception>
    public TensorEntry Entry(string name) => Array(name).Entry;

    /// <summary>A view of an array in its stored type. An npz array is verified (CRC-32) on first use.</summary>
    /// <exception cref="FeatureFlowException">FF2005: not there; FF2006 or FF2028: not readable; FF2026: damaged.</exception>
    public Tensor Get(string name)
    {
        var array = Array(name);
        ObjectDisposedException.ThrowIf(File.IsClosed, this);
        return array.View.Value;
    }

    /// <summary>Looks at every number of an array once (for npz in the same pass as its CRC-32) and remembers the answer.</summary>
    /// <exception cref="FeatureFlowException">As <see cref="Get"/>.</exception>
    public TensorScan Scan(string name)
    {
        var array = Array(name);
        ObjectDisposedException.ThrowIf(File.IsClosed, this);
        return array.Scan.Value;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the file.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing) File.Dispose();
    }

    private protected void Add(TensorEntry entry, Lazy<Tensor> view, Lazy<TensorScan> scan)
    {
        _arrays.Add(entry.Name, new FileArray(entry, view, scan));
        _entries.Add(entry);
    }

    private protected void AddUnreadable(string name, Exception why) => _unreadable.Add(name, why);

    private FileArray Array(string name)
    {
        if (_arrays.TryGetValue(name, out var array)) return array;
        throw _unreadable.GetValueOrDefault(name) ?? ModelErrors.NoTensor(Path, name, _arrays.Keys);
    }

    private sealed record FileArray(TensorEntry Entry, Lazy<Tensor> View, Lazy<TensorScan> Scan);
}
