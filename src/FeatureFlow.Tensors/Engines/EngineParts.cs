using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;

namespace FeatureFlow.Tensors;

/// <summary>
/// What engines are made of: assemblies, and native libraries of one platform. Libraries too large for one NuGet package come in several: the first piece as X with the SHA-256 of the whole
/// as X.sha beside it, the others as X.fragment1, X.fragment2 ... under fragments instead of runtimes; one after another they are the library.
/// </summary>
internal sealed class EngineParts(NativePlatform platform) : IDisposable
{
    private static readonly string[] s_frameworks = ["net10.0", "net9.0", "net8.0", "net7.0", "net6.0", "netstandard2.1", "netstandard2.0"];

    private readonly Dictionary<string, Func<Stream>> _files = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, SortedList<int, Func<Stream>>> _fragments = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Func<Stream>> _sums = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<ZipArchive> _packages = [];

    /// <summary>What <c>dotnet publish</c> writes, or a package that was unpacked.</summary>
    public void TakeFolder(string folder)
    {
        var native = new EngineFolder(folder, "explicit", platform).NativeFolders;
        var fragments = Path.Combine(folder, "fragments", platform.Runtime, "native");
        foreach (var file in native.Append(fragments).Where(Directory.Exists).SelectMany(Directory.EnumerateFiles)) Take(Path.GetFileName(file), () => File.OpenRead(file));
    }

    /// <summary>A .nupkg: the assemblies of the newest framework, the libraries of this platform, pieces of them.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public void TakePackage(string path)
    {
        ZipArchive package;
        try
        {
            package = ZipFile.OpenRead(path);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path} is no NuGet package, or not all of one", e);
        }

        _packages.Add(package);
        var entries = package.Entries.Where(e => e.Name.Length > 0).Select(e => (Entry: e, Parts: e.FullName.Replace('\\', '/').Split('/'))).ToList();
        var framework = s_frameworks.FirstOrDefault(f => entries.Any(e => e.Parts is ["lib", var found, ..] && found.Equals(f, StringComparison.OrdinalIgnoreCase)));
        foreach (var (entry, parts) in entries)
        {
            var managed = parts is ["lib", var at, _] && at.Equals(framework, StringComparison.OrdinalIgnoreCase);
            if (managed || (parts is ["runtimes" or "fragments", var runtime, "native", _] && runtime == platform.Runtime)) Take(entry.Name, entry.Open);
        }
    }

    /// <summary>Writes all of it into a folder.</summary>
    /// <exception cref="InvalidDataException">A library is not whole.</exception>
    public void Write(string folder)
    {
        foreach (var alone in _fragments.Keys.Where(f => !_files.ContainsKey(f))) throw new InvalidDataException($"of {alone} only fragments are there: the package that ends in -primary is missing");
        foreach (var (name, first) in _files)
        {
            var rest = _fragments.GetValueOrDefault(name);
            var path = Path.Combine(folder, name);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[1 << 20];
            using (var whole = File.Create(path))
            {
                foreach (var open in rest is null ? [first] : rest.Values.Prepend(first))
                {
                    using var piece = open();
                    for (int n; (n = piece.Read(buffer)) > 0;)
                    {
                        whole.Write(buffer, 0, n);
                        hash.AppendData(buffer, 0, n);
                    }
                }
            }

            if (rest is null && !_sums.ContainsKey(name)) continue;
            if (!_sums.TryGetValue(name, out var sum)) throw new InvalidDataException($"{name} comes in pieces, but {name}.sha, which tells when they are whole, is missing");
            using var reader = new StreamReader(sum());
            if (Convert.ToHexString(hash.GetHashAndReset()).Equals(reader.ReadToEnd().Trim(), StringComparison.OrdinalIgnoreCase)) continue;
            throw new InvalidDataException($"{name} is not whole: {(rest is null ? "its first piece alone does" : $"its first piece and fragment {string.Join(", ", rest.Keys)} do")} not make the sum in {name}.sha; a package with a fragment of it is missing, or broken");
        }
    }

    public void Dispose()
    {
        foreach (var package in _packages) package.Dispose();
    }

    private void Take(string name, Func<Stream> open)
    {
        const string Fragment = ".fragment", Sum = ".sha";
        if (name.LastIndexOf(Fragment, StringComparison.Ordinal) is > 0 and var at && int.TryParse(name.AsSpan(at + Fragment.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            var key = name[..at];
            if (!_fragments.TryGetValue(key, out var list)) _fragments[key] = list = [];
            list[number] = open;
        }
        else if (name.EndsWith(Sum, StringComparison.Ordinal))
        {
            _sums[name[..^Sum.Length]] = open;
        }
        else if (IsLibrary(name))
        {
            _files[name] = open;
        }
    }

    // FeatureFlow.Tensors is the program's own
    private static bool IsLibrary(string name) =>
        name != "FeatureFlow.Tensors.dll" && (name.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".dylib", StringComparison.Ordinal) || name.EndsWith(".so", StringComparison.Ordinal) || name.Contains(".so.", StringComparison.Ordinal));
}
