namespace FeatureFlow.Tensors;

/// <summary>The engines of this user: one folder each under <see cref="EngineCatalog.UserFolder"/>, everything of an engine side by side in it.</summary>
public static class EngineStore
{
    /// <summary>
    /// Makes an engine of folders and NuGet packages: their assemblies and their native libraries for this system, those that packages hold in pieces put together. It takes
    /// the place of one of the same name only when it is whole; nothing of it is loaded.
    /// </summary>
    /// <param name="sources">Folders (what <c>dotnet publish</c> of the engine's project made, or packages side by side) and .nupkg files.</param>
    /// <param name="name">Its folder's name.</param>
    /// <exception cref="FeatureFlowException">FF1025: a source cannot be read, or a library is not whole; FF1026: together they are no engine for this system.</exception>
    public static EngineFolder Add(IReadOnlyList<string> sources, string name = "torch")
    {
        if (name.Length == 0 || name.StartsWith('.') || name.AsSpan().IndexOfAny(Path.GetInvalidFileNameChars()) >= 0 || name.AsSpan().IndexOfAny('/', '\\') >= 0) throw TensorErrors.EngineName(name);
        var root = EngineCatalog.UserFolder;
        string target = Path.Combine(root, name), stage = Path.Combine(root, $".{name}-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(stage);
            Gather(sources, stage, NativePlatform.Current);
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

    /// <summary>Puts what the sources have for a platform side by side.</summary>
    internal static void Gather(IEnumerable<string> sources, string stage, NativePlatform platform)
    {
        using var parts = new EngineParts(platform);
        foreach (var source in sources)
        {
            if (File.Exists(source))
            {
                parts.TakePackage(source);
            }
            else if (Directory.Exists(source))
            {
                parts.TakeFolder(source);
                foreach (var package in Directory.EnumerateFiles(source, "*.nupkg").Order(StringComparer.Ordinal)) parts.TakePackage(package);
            }
            else
            {
                throw new FileNotFoundException($"{source} does not exist.");
            }
        }

        parts.Write(stage);
    }
}
