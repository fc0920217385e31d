using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>
/// The place an SAE is opened from, as a format reader sees it: the folder, the file if one was named, configurations and arrays in it.
/// Remembers what it opened, and which arrays the SAE is made of.
/// </summary>
internal sealed class SaeFiles : IDisposable
{
    private readonly Dictionary<string, TensorFile> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonConfig> _configs = new(StringComparer.Ordinal);
    private readonly List<(TensorFile File, string Name)> _arrays = [];

    public SaeFiles(string path)
    {
        Path = System.IO.Path.GetFullPath(path);
        var isFolder = Directory.Exists(Path);
        Folder = isFolder ? Path : System.IO.Path.GetDirectoryName(Path)!;
        File = isFolder ? null : System.IO.Path.GetFileName(Path);
    }

    /// <summary>As asked for, full.</summary>
    public string Path { get; }

    /// <summary>The folder that is <see cref="Path"/> or holds it.</summary>
    public string Folder { get; }

    /// <summary>The name of the file that was asked for, or null for a folder.</summary>
    public string? File { get; }

    /// <summary>Every array that the SAE is made of, in the order the reader took them.</summary>
    public IReadOnlyList<(TensorFile File, string Name)> Arrays => _arrays;

    /// <summary>True when nothing particular was asked for, or one of these files.</summary>
    public bool Asks(params ReadOnlySpan<string> names) => File is null || names.Contains(File);

    /// <summary>True when the place has such a file; slashes lead into folders.</summary>
    public bool Has(string name) => System.IO.File.Exists(At(name));

    /// <summary>The full path of a name in the folder.</summary>
    public string At(string name) => System.IO.Path.Combine(Folder, name.Replace('/', System.IO.Path.DirectorySeparatorChar));

    /// <summary>A configuration of the folder.</summary>
    public JsonConfig Config(string name)
    {
        if (!_configs.TryGetValue(name, out var config)) _configs[name] = config = JsonConfig.Open(At(name));
        return config;
    }

    /// <summary>A file of arrays of the folder.</summary>
    public TensorFile Tensors(string name)
    {
        if (!_open.TryGetValue(name, out var file)) _open[name] = file = TensorFile.Open(At(name));
        return file;
    }

    /// <summary>A matrix of these extents; with <paramref name="transposed"/> it is stored the other way round.</summary>
    /// <exception cref="FeatureFlowException">FF3010: another shape; FF2005: not there.</exception>
    public WeightMatrix Matrix(TensorFile file, string name, int rows, int columns, bool transposed = false)
    {
        var entry = Floating(file, name);
        int[] wanted = transposed ? [columns, rows] : [rows, columns];
        if (!entry.Shape.AsSpan().SequenceEqual(wanted)) throw SaeErrors.Shape(file.Path, entry, wanted);
        _arrays.Add((file, name));
        return new WeightMatrix(file, name, transposed);
    }

    /// <summary>A vector of this length, read when used. One number stands for all where <paramref name="scalar"/> is allowed.</summary>
    /// <exception cref="FeatureFlowException">FF3010: another shape; FF2005: not there.</exception>
    public Func<double[]> Vector(TensorFile file, string name, int length, bool scalar = false)
    {
        var entry = Floating(file, name);
        var isScalar = scalar && entry.Shape.All(n => n == 1);
        if (!isScalar && !(entry.Shape is [var n] && n == length)) throw SaeErrors.Shape(file.Path, entry, [length]);
        _arrays.Add((file, name));
        return () =>
        {
            var values = HostValues.ToDoubles(Verified(file, name));
            return isScalar ? [.. Enumerable.Repeat(values[0], length)] : values;
        };
    }

    /// <summary>Remarks on arrays that no reader took.</summary>
    public IEnumerable<string> Unused(TensorFile file, params IReadOnlyCollection<string> known) =>
        file.Entries.Select(e => e.Name).Concat(file.Unreadable)
            .Where(name => !known.Contains(name) && !_arrays.Contains((file, name)))
            .Select(name => $"array '{name}' is not used");

    /// <summary>Extents of a matrix, for readers that learn d and F from it.</summary>
    /// <exception cref="FeatureFlowException">FF3010: not a matrix; FF2005: not there.</exception>
    public static (int Rows, int Columns) Extents(TensorFile file, string name)
    {
        var entry = file.Entry(name);
        if (entry.Shape is not [> 0, > 0]) throw SaeErrors.Shape(file.Path, entry, null);
        return (entry.Shape[0], entry.Shape[1]);
    }

    /// <summary>A single number.</summary>
    /// <exception cref="FeatureFlowException">FF3010: more than one; FF2005: not there.</exception>
    public static double Scalar(TensorFile file, string name)
    {
        var entry = file.Entry(name);
        if (entry.Shape.Any(n => n != 1)) throw SaeErrors.Shape(file.Path, entry, []);
        return HostValues.ToDoubles(Verified(file, name))[0];
    }

    /// <summary>The view of an array whose numbers are all finite.</summary>
    /// <exception cref="FeatureFlowException">FF3011: NaN or infinity in it; FF2026: damaged.</exception>
    public static Tensor Verified(TensorFile file, string name)
    {
        var scan = file.Scan(name);
        return scan.NonFinite == 0 ? file.Get(name) : throw SaeErrors.NonFinite(file.Path, name, file.Entry(name), scan);
    }

    public void Dispose()
    {
        foreach (var file in _open.Values) file.Dispose();
    }

    private static TensorEntry Floating(TensorFile file, string name)
    {
        var entry = file.Entry(name);
        return entry.DType is DType.F32 or DType.BF16 or DType.F16 or DType.F64 ? entry : throw SaeErrors.NotFloating(file.Path, entry);
    }
}
