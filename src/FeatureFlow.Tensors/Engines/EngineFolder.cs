using System.Reflection;
using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors;

/// <summary>A folder that may hold the torch engine: the engine's assembly, TorchSharp, and the native libraries of one platform.</summary>
public sealed class EngineFolder
{
    internal const string EngineAssembly = "FeatureFlow.Tensors.TorchSharp";
    private const string Managed = "TorchSharp.dll";

    private readonly NativePlatform _platform;

    /// <summary>TorchSharp versions whose calls this engine makes.</summary>
    public const string TorchSharpVersions = "0.106";

    /// <summary>Looks at it; nothing is loaded.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="origin">Where it was found: explicit, user or built-in.</param>
    public EngineFolder(string path, string origin)
        : this(path, origin, NativePlatform.Current)
    {
    }

    internal EngineFolder(string path, string origin, NativePlatform platform)
    {
        _platform = platform;
        Path = System.IO.Path.GetFullPath(path);
        Origin = origin;
        Problem = Look();
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>explicit, user or built-in.</summary>
    public string Origin { get; }

    /// <summary>Why it cannot be used, a sentence; null when nothing speaks against trying.</summary>
    public string? Problem { get; private set; }

    /// <summary>Version of TorchSharp, where it is there.</summary>
    public Version? TorchSharp { get; private set; }

    /// <summary>True when neither the engine nor TorchSharp is in it: nobody meant it to be an engine.</summary>
    public bool IsEmpty { get; private set; }

    /// <summary>Folders in which native libraries are searched, first to last.</summary>
    public IReadOnlyList<string> NativeFolders =>
        [.. new[] { Path, System.IO.Path.Combine(Path, "runtimes", _platform.Runtime, "native"), System.IO.Path.Combine(Path, "native") }.Where(Directory.Exists)];

    /// <summary>win-x64, linux-x64 ...</summary>
    public static string RuntimeName => NativePlatform.Current.Runtime;

    /// <summary>Paths of the native libraries that are loaded first, in their order; LibTorchSharp is the last.</summary>
    internal IReadOnlyList<string> LoadOrder => [.. _platform.LoadOrder(NativeFolders.SelectMany(Directory.EnumerateFiles).DistinctBy(System.IO.Path.GetFileName))];

    /// <summary>Looks at every native library before the system does, also at those that others will ask for.</summary>
    /// <exception cref="BadImageFormatException">One is none, is cut short, or is for another processor.</exception>
    internal void CheckLibraries()
    {
        var all = _platform.System == "linux" ? NativeFolders.SelectMany(Directory.EnumerateFiles).Where(f => System.IO.Path.GetFileName(f).Contains(".so", StringComparison.Ordinal) && !f.EndsWith(".sha", StringComparison.Ordinal)) : LoadOrder;
        foreach (var path in all)
        {
            if (NativeFile.Problem(path, _platform) is { } problem) throw new BadImageFormatException($"{System.IO.Path.GetFileName(path)} {problem}");
        }
    }

    /// <summary>File name of a native library on this system.</summary>
    public static string NativeName(string library) => NativePlatform.Current.FileName(library);

    internal void Refuse(string problem) => Problem = problem;

    /// <summary>Path of a native library, by its name or as it is asked for (torch_cpu, torch_cpu.dll); null where it is not here.</summary>
    internal string? Native(string name) => _platform.Library(name) is { } library ? NativeFolders.Select(f => System.IO.Path.Combine(f, _platform.FileName(library))).FirstOrDefault(File.Exists) : null;

    private string? Look()
    {
        if (!Directory.Exists(Path))
        {
            IsEmpty = true;
            return "the folder does not exist";
        }

        bool engine = File.Exists(System.IO.Path.Combine(Path, EngineAssembly + ".dll")), torch = File.Exists(System.IO.Path.Combine(Path, Managed));
        IsEmpty = !engine && !torch;
        if (IsEmpty) return $"neither {EngineAssembly}.dll nor {Managed} is in it";
        if (!engine) return $"{EngineAssembly}.dll is not in it: add the folder that 'dotnet publish' of that project made, or its package";
        if (!torch) return $"{Managed} is not in it";
        try
        {
            TorchSharp = AssemblyName.GetAssemblyName(System.IO.Path.Combine(Path, Managed)).Version;
            var (own, theirs) = (typeof(ITensorEngine).Assembly.GetName().Version, AssemblyName.GetAssemblyName(System.IO.Path.Combine(Path, EngineAssembly + ".dll")).Version);
            if (own != theirs) return $"it was made for FeatureFlow {theirs?.ToString(3)}, this is {own?.ToString(3)}";
        }
        catch (Exception e) when (e is BadImageFormatException or IOException or UnauthorizedAccessException)
        {
            return $"an assembly in it cannot be read: {e.Message}";
        }

        if (TorchSharp is { Major: 0 } version && $"{version.Major}.{version.Minor}" != TorchSharpVersions)
            return $"it holds TorchSharp {version.ToString(3)}; take {TorchSharpVersions}.x{(version.Minor == 107 && _platform.System == "win" ? " (0.107.0 does not load on Windows)" : "")}";
        if (_platform.Architecture != Architecture.X64 && _platform.System != "osx") return $"TorchSharp has no native libraries for {_platform.Runtime}";
        if (Native("LibTorchSharp") is null) return $"no {_platform.FileName("LibTorchSharp")} in it{OtherPlatform()}";

        // elsewhere libtorch may be the system's
        if (_platform.System == "win" && (Native("torch_cpu") ?? Native("c10")) is null) return $"no torch_cpu.dll in it: TorchSharp's own package holds no libtorch; add the libtorch packages too, or publish the engine with -p:Torch=cpu or cuda-windows";
        return null;
    }

    // what a mixed-up download looks like
    private string OtherPlatform()
    {
        var others = new[] { ("LibTorchSharp.dll", "Windows"), ("libLibTorchSharp.so", "Linux"), ("libLibTorchSharp.dylib", "macOS") }
            .Where(o => Directory.EnumerateFiles(Path, o.Item1, SearchOption.AllDirectories).Any())
            .Select(o => o.Item2)
            .ToList();
        return others.Count > 0 ? $": its native libraries are for {string.Join(" and ", others)}, this is {_platform.Runtime}" : $": the native libraries for {_platform.Runtime} are missing";
    }
}
