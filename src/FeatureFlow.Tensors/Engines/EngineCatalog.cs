using System.Reflection;

namespace FeatureFlow.Tensors;

/// <summary>Which engine is wanted.</summary>
public enum EngineChoice
{
    /// <summary>torch where it is found and has a card, else cpu.</summary>
    Auto,

    /// <summary>The built-in one.</summary>
    Cpu,

    /// <summary>TorchSharp, on a card or on the processor.</summary>
    Torch,
}

/// <summary>
/// Finds and opens engines. The torch engine is searched in an explicit folder (an option, or <c>FEATUREFLOW_ENGINE</c>), in the user's engine folder, and beside the program; the
/// first that nothing speaks against is loaded, once per process.
/// </summary>
public static class EngineCatalog
{
    private static readonly Lock s_lock = new();
    private static readonly Dictionary<string, string> s_refused = new(StringComparer.Ordinal);
    private static (EngineFolder Folder, MethodInfo Open)? s_loaded;

    /// <summary>Where engines of this user are kept, each in its own folder: <c>FEATUREFLOW_ENGINES</c>, else FeatureFlow/engines under the user's local application data.</summary>
    public static string UserFolder =>
        Environment.GetEnvironmentVariable("FEATUREFLOW_ENGINES") is { Length: > 0 } named
            ? Path.GetFullPath(named)
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "FeatureFlow", "engines");

    /// <summary>Every folder that is, or claims to be, a torch engine, in the order in which they are tried. Nothing is loaded.</summary>
    /// <param name="explicitFolder">Tried first; null for <c>FEATUREFLOW_ENGINE</c>.</param>
    public static IReadOnlyList<EngineFolder> Find(string? explicitFolder = null)
    {
        explicitFolder ??= Environment.GetEnvironmentVariable("FEATUREFLOW_ENGINE");
        List<EngineFolder> found = [];
        if (!string.IsNullOrEmpty(explicitFolder)) found.Add(new EngineFolder(explicitFolder, "explicit"));
        if (Directory.Exists(UserFolder)) found.AddRange(Directory.EnumerateDirectories(UserFolder).Where(f => !Path.GetFileName(f).StartsWith('.')).Order(StringComparer.Ordinal).Select(f => new EngineFolder(f, "user")));
        var beside = new EngineFolder(Path.GetDirectoryName(typeof(ITensorEngine).Assembly.Location) is { Length: > 0 } own ? own : AppContext.BaseDirectory, "built-in");
        if (!beside.IsEmpty) found.Add(beside);
        lock (s_lock)
        {
            // what could not be loaded before will not be now
            foreach (var folder in found)
            {
                if (s_refused.TryGetValue(folder.Path, out var problem)) folder.Refuse(problem);
            }
        }

        return found;
    }

    /// <summary>Opens an engine.</summary>
    /// <param name="choice">Which.</param>
    /// <param name="options">Device, type of products, budgets; for the torch engine.</param>
    /// <param name="explicitFolder">The only one tried; null for <c>FEATUREFLOW_ENGINE</c>.</param>
    /// <param name="warn">Told once when <see cref="EngineChoice.Auto"/> has to do with less than was installed.</param>
    /// <exception cref="FeatureFlowException">FF1023: no torch engine can be used; FF1021, FF1022: no such device.</exception>
    public static ITensorEngine Open(EngineChoice choice, EngineOptions? options = null, string? explicitFolder = null, Action<string>? warn = null)
    {
        options ??= new EngineOptions();
        if (choice == EngineChoice.Cpu) return CpuEngine.Shared;
        var folders = Find(explicitFolder);
        if (folders is [{ Origin: "explicit" }, ..]) folders = [folders[0]]; // who names one wants no other
        var engine = Load(folders) is { } open ? Start(open, options) : null;
        if (choice == EngineChoice.Torch) return engine ?? throw TensorErrors.NoTorch(folders.Count == 0 ? $"none is installed (searched {UserFolder} and beside the program)" : string.Join("; ", folders.Select(f => $"{f.Path}: {f.Problem}")));
        if (engine is null)
        {
            if (folders.Count > 0) warn?.Invoke($"the torch engine cannot be used ({folders[0].Path}: {folders[0].Problem}); computing on the processor.");
            return CpuEngine.Shared;
        }

        // libtorch on the processor does nothing that the built-in engine does not
        if (engine.Memory is { OnCard: true } || options.Device is not null) return engine;
        engine.Dispose();
        return CpuEngine.Shared;
    }

    /// <summary>Loads the first folder that can be loaded; the others keep their verdicts.</summary>
    /// <returns>The folder that is loaded in this process, or null.</returns>
    public static EngineFolder? TryLoad(IReadOnlyList<EngineFolder> folders) => Load(folders) is null ? null : s_loaded?.Folder;

    // one libtorch per process: a second one would meet the symbols of the first
    private static MethodInfo? Load(IReadOnlyList<EngineFolder> folders)
    {
        lock (s_lock)
        {
            if (s_loaded is { } loaded)
            {
                foreach (var other in folders.Where(f => f.Path != loaded.Folder.Path && f.Problem is null)) other.Refuse($"this process has loaded {loaded.Folder.Path} already");
                return folders.Any(f => f.Path == loaded.Folder.Path) ? loaded.Open : null;
            }

            foreach (var folder in folders.Where(f => f.Problem is null))
            {
                try
                {
                    var type = new EngineLoadContext(folder).LoadEngine().GetType("FeatureFlow.Tensors.TorchSharp.TorchEngine", throwOnError: true)!;
                    s_loaded = (folder, type.GetMethod("Open") ?? throw new MissingMethodException(type.FullName, "Open"));
                    return s_loaded.Value.Open;
                }
                catch (Exception e)
                {
                    Refuse(folder, e);
                }
            }

            return null;
        }
    }

    private static ITensorEngine? Start(MethodInfo open, EngineOptions options)
    {
        try
        {
            return (ITensorEngine)open.Invoke(null, [options])!;
        }
        catch (TargetInvocationException e) when (e.InnerException is FeatureFlowException told)
        {
            throw told;
        }
        catch (TargetInvocationException e)
        {
            lock (s_lock)
            {
                if (s_loaded is { } loaded) Refuse(loaded.Folder, e.InnerException ?? e);
                return null;
            }
        }
    }

    private static void Refuse(EngineFolder folder, Exception e)
    {
        while (e is TargetInvocationException or TypeInitializationException && e.InnerException is not null) e = e.InnerException;
        var reason = e.Message.ReplaceLineEndings(" ").Trim();
        folder.Refuse($"it does not load: {reason}{(OperatingSystem.IsWindows() && e is DllNotFoundException ? " (a library beside it is missing, or the Visual C++ runtime)" : "")}");
        s_refused[folder.Path] = folder.Problem!;
    }
}
