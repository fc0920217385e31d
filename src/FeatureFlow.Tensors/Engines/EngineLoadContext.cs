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
    // each before those that need it; libraries that libtorch opens by name at run time must be there by then
    private static readonly string[] s_order =
    [
        "c10", "iomp5md", "libiomp5md", "uv", "fbgemm", "asmjit", "torch_global_deps",
        "cudart64_12", "nvrtc-builtins64_128", "nvrtc64_120_0", "cublasLt64_12", "cublas64_12", "cufft64_11", "curand64_10", "cusparse64_12", "cusolver64_11", "nvToolsExt64_1", "zlibwapi",
        "cudnn64_9", "cudnn_graph64_9", "cudnn_ops64_9", "cudnn_cnn64_9", "cudnn_adv64_9", "cudnn_heuristic64_9", "cudnn_engines_precompiled64_9", "cudnn_engines_runtime_compiled64_9",
        "torch_cpu", "c10_cuda", "caffe2_nvrtc", "torch_cuda", "torch",
    ];

    /// <summary>Loads the native libraries and the engine.</summary>
    /// <exception cref="Exception">Whatever the system says.</exception>
    public Assembly LoadEngine()
    {
        foreach (var library in s_order)
        {
            // what cannot be loaded yet is loaded by whoever needs it, or not needed
            if (folder.Native(library) is { } path) NativeLibrary.TryLoad(path, out _);
        }

        NativeLibrary.Load(folder.Native("LibTorchSharp")!);
        return LoadFromAssemblyPath(Path.Combine(folder.Path, EngineFolder.EngineAssembly + ".dll"));
    }

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        var own = typeof(ITensorEngine).Assembly;
        if (assemblyName.Name == own.GetName().Name) return own;
        var path = Path.Combine(folder.Path, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        var name = Path.GetFileNameWithoutExtension(unmanagedDllName);
        return folder.Native(name) is { } path && NativeLibrary.TryLoad(path, out var handle) ? handle : 0;
    }
}
