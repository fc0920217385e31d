using System.IO.Compression;

namespace FeatureFlow.Tensors;

/// <summary>The engines of this user: one folder each under <see cref="EngineCatalog.UserFolder"/>, everything of an engine side by side in it.</summary>
public static class EngineStore
{
    private static readonly string[] s_frameworks = ["net10.0", "net9.0", "net8.0", "net7.0", "net6.0", "netstandard2.1", "netstandard2.0"];

    /// <summary>
    /// Makes an engine of folders and NuGet packages: their assemblies and their native libraries for this system. It takes the place of one of the same name only when
    /// it is whole; nothing of it is loaded.
    /// </summary>
    /// <param name="sources">Folders (what <c>dotnet publish</c> of the engine's project made) and .nupkg files.</param>
    /// <param name="name">Its folder's name.</param>
    /// <exception cref="FeatureFlowException">FF1025: a source cannot be read; FF1026: together they are no engine for this system.</exception>
    public static EngineFolder Add(IReadOnlyList<string> sources, string name = "torch")
    {
        if (name.Length == 0 || name.StartsWith('.') || name.AsSpan().IndexOfAny(Path.GetInvalidFileNameChars()) >= 0 || name.AsSpan().IndexOfAny('/', '\\') >= 0) throw TensorErrors.EngineName(name);
        var root = EngineCatalog.UserFolder;
        string target = Path.Combine(root, name), stage = Path.Combine(root, $".{name}-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(stage);
            foreach (var source in sources) Take(source, stage);
            var made = new EngineFolder(stage, "user");
            if (made.Problem is { } problem) throw TensorErrors.NoEngineIn(string.Join(", ", sources), problem);
            if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
            Directory.Move(stage, target);
            return new EngineFolder(target, "user");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw TensorErrors.EngineSource(string.Join(", ", sources), e);
        }
        finally
        {
            if (Directory.Exists(stage)) Directory.Delete(stage, recursive: true);
        }
    }

    private static void Take(string source, string stage)
    {
        if (Directory.Exists(source))
        {
            var folder = new EngineFolder(source, "explicit");
            var files = folder.NativeFolders.SelectMany(f => Directory.EnumerateFiles(f)).Where(IsLibrary);
            foreach (var file in files) File.Copy(file, Path.Combine(stage, Path.GetFileName(file)), overwrite: true);
            return;
        }

        if (!File.Exists(source)) throw new FileNotFoundException($"{source} does not exist.");
        using var package = ZipFile.OpenRead(source);
        var entries = package.Entries.Where(e => e.Name.Length > 0).Select(e => (Entry: e, Parts: e.FullName.Replace('\\', '/').Split('/'))).ToList();
        var framework = s_frameworks.FirstOrDefault(f => entries.Any(e => e.Parts is ["lib", var found, ..] && found.Equals(f, StringComparison.OrdinalIgnoreCase)));
        foreach (var (entry, parts) in entries)
        {
            var wanted = parts is ["lib", var at, _] && at.Equals(framework, StringComparison.OrdinalIgnoreCase) || parts is ["runtimes", var runtime, "native", _] && runtime == EngineFolder.RuntimeName;
            if (!wanted) continue;

            // large libraries come in pieces that only a build puts together
            if (entry.Name.Contains(".fragment", StringComparison.Ordinal)) throw new InvalidDataException($"{Path.GetFileName(source)} holds a piece of a library only. Publish the engine with -p:Torch=... and add the folder.");
            if (IsLibrary(entry.Name)) entry.ExtractToFile(Path.Combine(stage, entry.Name), overwrite: true);
        }
    }

    // FeatureFlow.Tensors is the program's own
    private static bool IsLibrary(string path)
    {
        var name = Path.GetFileName(path);
        return name != "FeatureFlow.Tensors.dll" && (name.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".dylib", StringComparison.Ordinal) || name.EndsWith(".so", StringComparison.Ordinal) || name.Contains(".so.", StringComparison.Ordinal));
    }
}
