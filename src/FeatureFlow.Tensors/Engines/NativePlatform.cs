using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors;

/// <summary>How a system names native libraries, and in which order those of libtorch must be loaded there.</summary>
/// <param name="System">win, linux or osx.</param>
/// <param name="Architecture">Of the process.</param>
internal sealed record NativePlatform(string System, Architecture Architecture)
{
    // Beginnings of names, since versions are part of them: each before those that need it, and libraries that others open by their bare name while running before those too. What is
    // not here is needed by name only, and lies beside the one that names it.
    private static readonly string[] s_order =
    [
        "c10", "libiomp5md", "iomp5md", "uv", "asmjit", "fbgemm", "torch_global_deps",
        "cudart64_", "nvrtc-builtins64_", "nvrtc64_", "nvJitLink_", "cublasLt64_", "cublas64_", "cufft64_", "curand64_", "cusparse64_", "cusolver64_", "cupti64_", "nvToolsExt64_", "zlibwapi",
        "cudnn64_", "cudnn_graph64_", "cudnn_ops64_", "cudnn_cnn64_", "cudnn_adv64_", "cudnn_heuristic64_", "cudnn_engines_precompiled64_", "cudnn_engines_runtime_compiled64_",
        "torch_cpu", "c10_cuda", "caffe2_nvrtc", "torch_cuda", "torch", "LibTorchSharp",
    ];

    /// <summary>This process.</summary>
    public static NativePlatform Current { get; } = new(OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux", RuntimeInformation.ProcessArchitecture);

    /// <summary>win-x64, linux-x64 ...</summary>
    public string Runtime => $"{System}-{Architecture.ToString().ToLowerInvariant()}";

    private string Prefix => System == "win" ? "" : "lib";

    private string Extension => System == "win" ? ".dll" : System == "osx" ? ".dylib" : ".so";

    /// <summary>File name of a library.</summary>
    public string FileName(string library) => Prefix + library + Extension;

    /// <summary>The library of a file name, or of a name as programs ask for it (torch_cpu, torch_cpu.dll, libtorch_cpu.so); null for other files, and for libraries with a version behind their name.</summary>
    public string? Library(string name)
    {
        if (name.EndsWith(Extension, StringComparison.OrdinalIgnoreCase)) name = name[..^Extension.Length];
        else if (name.Contains('.')) return null;
        return Prefix.Length > 0 && name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;
    }

    /// <summary>Those of the files that are loaded before TorchSharp asks for them, first to last; LibTorchSharp is the last.</summary>
    public IEnumerable<string> LoadOrder(IEnumerable<string> paths) =>
        from path in paths
        let name = Path.GetFileName(path)
        where name.EndsWith(Extension, StringComparison.OrdinalIgnoreCase) && name.StartsWith(Prefix, StringComparison.Ordinal)
        let library = Library(name)
        let turn = library is null || library.Contains('.') ? -1 : Array.FindIndex(s_order, o => o.EndsWith('_') ? library.StartsWith(o, StringComparison.OrdinalIgnoreCase) : library.Equals(o, StringComparison.OrdinalIgnoreCase))
        where turn >= 0
        orderby turn, name
        select path;
}
