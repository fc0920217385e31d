using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace FeatureFlow.Tensors;

/// <summary>
/// Loads an engine from its folder: TorchSharp and what it needs privately, FeatureFlow.Tensors being the one that is loaded already. Native libraries come from the folder,
/// by their full path, before TorchSharp asks for them: then Windows finds their neighbours beside them, and no search of TorchSharp's own (which
/// prints to standard output when it fails) is needed.
/// </summary>
internal sealed class EngineLoadContext(EngineFolder folder) : AssemblyLoadContext("FeatureFlow torch engine")
{
    /// <summary>Loads the native libraries and the engine.</summary>
    /// <exception cref="Exception">Whatever the system says.</exception>
    public Assembly LoadEngine()
    {
        folder.CheckLibraries();
        foreach (var path in folder.LoadOrder.SkipLast(1)) NativeLibrary.TryLoad(path, out _); // what cannot be loaded yet is loaded by whoever needs it, or not needed
        NativeLibrary.Load(folder.LoadOrder[^1]);
        return LoadFromAssemblyPath(Path.Combine(folder.Path, EngineFolder.EngineAssembly + ".dll"));
    }

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        var own = typeof(ITensorEngine).Assembly;
        if (assemblyName.Name == own.GetName().Name) return own;
        var path = Path.Combine(folder.Path, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName) => folder.Native(unmanagedDllName) is { } path && NativeLibrary.TryLoad(path, out var handle) ? handle : 0;
}
