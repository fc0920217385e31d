using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FeatureFlow.Testing;

namespace FeatureFlow.Tensors.Tests;

/// <summary>Names, order and pieces of native libraries, on every system alike: files that only look like an engine's.</summary>
public sealed class EngineFilesTests : IDisposable
{
    private static readonly NativePlatform s_windows = new("win", Architecture.X64), s_linux = new("linux", Architecture.X64), s_mac = new("osx", Architecture.Arm64);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void LibrariesAreNamedAsTheSystemNamesThem()
    {
        Assert.Equal(("win-x64", "LibTorchSharp.dll"), (s_windows.Runtime, s_windows.FileName("LibTorchSharp")));
        Assert.Equal(("linux-x64", "libLibTorchSharp.so"), (s_linux.Runtime, s_linux.FileName("LibTorchSharp")));
        Assert.Equal(("osx-arm64", "libLibTorchSharp.dylib"), (s_mac.Runtime, s_mac.FileName("LibTorchSharp")));
        foreach (var asked in new[] { "torch_cpu", "torch_cpu.dll", "torch_cpu.DLL" }) Assert.Equal("torch_cpu", s_windows.Library(asked));
        foreach (var asked in new[] { "torch_cpu", "torch_cpu.so", "libtorch_cpu.so", "libtorch_cpu" }) Assert.Equal("torch_cpu", s_linux.Library(asked));
        Assert.Equal("nvrtc64_120_0.alt", s_windows.Library("nvrtc64_120_0.alt.dll"));
        Assert.Equal("libiomp5md", s_windows.Library("libiomp5md.dll"));
        Assert.Null(s_linux.Library("libcudart-c3a75b33.so.12"));
    }

    [Fact]
    public void WindowsLibrariesAreLoadedBeforeThoseThatNeedThem()
    {
        // what the CUDA 12.8 packages hold; the next CUDA has other numbers
        string[] files =
        [
            "torch_cuda.dll", "torch_cpu.dll", "torch.dll", "LibTorchSharp.dll", "c10.dll", "c10_cuda.dll", "caffe2_nvrtc.dll", "cublas64_12.dll", "cublasLt64_12.dll", "cudart64_12.dll", "cudnn64_9.dll",
            "cudnn_graph64_9.dll", "cudnn_engines_runtime_compiled64_9.dll", "cudnn_engines_precompiled64_9.dll", "cudnn_adv64_9.dll", "cudnn_heuristic64_9.dll", "cudnn_ops64_9.dll", "cudnn_cnn64_9.dll",
            "nvrtc64_120_0.dll", "nvrtc64_120_0.alt.dll", "nvrtc-builtins64_128.dll", "nvJitLink_120_0.dll", "cufft64_11.dll", "cufftw64_11.dll", "cupti64_2025.1.1.dll", "cusolverMg64_11.dll", "curand64_10.dll",
            "nvperf_host.dll", "libiomp5md.dll", "libiompstubs5md.dll", "nvToolsExt64_1.dll", "cusparse64_12.dll", "cusolver64_11.dll", "zlibwapi.dll", "torch_global_deps.dll", "uv.dll", "asmjit.dll", "fbgemm.dll",
            "TorchSharp.dll", "Google.Protobuf.dll", "FeatureFlow.Tensors.TorchSharp.dll", "torch_cuda.dll.sha", "SkiaSharp.dll",
        ];
        var order = s_windows.LoadOrder(files).ToList();
        void Before(string first, params string[] later) => Assert.All(later, l => Assert.True(order.IndexOf(first) < order.IndexOf(l) && order.Contains(first), $"{first} before {l}"));
        Before("c10.dll", "torch_cpu.dll", "c10_cuda.dll", "torch_cuda.dll");
        Before("asmjit.dll", "fbgemm.dll");
        foreach (var needed in new[] { "libiomp5md.dll", "uv.dll", "fbgemm.dll" }) Before(needed, "torch_cpu.dll");
        Before("torch_cpu.dll", "torch_cuda.dll", "torch.dll");
        Before("cublasLt64_12.dll", "cublas64_12.dll", "cusolver64_11.dll");
        Before("nvJitLink_120_0.dll", "cusparse64_12.dll", "cusolver64_11.dll");
        foreach (var opened in files.Where(f => f.StartsWith("cudnn", StringComparison.Ordinal)).Append("nvrtc-builtins64_128.dll").Append("cudart64_12.dll").Append("cufft64_11.dll")) Before(opened, "torch_cuda.dll");
        Assert.Equal("LibTorchSharp.dll", order[^1]);
        Assert.Equal(["asmjit.dll", "c10.dll", "fbgemm.dll", "libiomp5md.dll", "uv.dll"], order[..5].Order(StringComparer.Ordinal));
        Assert.DoesNotContain(order, f => f is "TorchSharp.dll" or "Google.Protobuf.dll" or "torch_cuda.dll.sha" or "nvrtc64_120_0.alt.dll" or "SkiaSharp.dll" or "cusolverMg64_11.dll");
        Assert.Contains("cudart64_13.dll", s_windows.LoadOrder(["cudart64_13.dll"]));
        Assert.Equal(["libc10.so", "libtorch_cpu.so", "libtorch_cuda.so", "libLibTorchSharp.so"], s_linux.LoadOrder(["libLibTorchSharp.so", "libtorch_cuda.so", "libtorch_cpu.so", "libc10.so", "libcudart-c3a75b33.so.12", "c10.dll"]));
    }

    [Fact]
    public void AWindowsFolderIsFoundWhole()
    {
        var native = Directory.CreateDirectory(_folder.File("runtimes/win-x64/native")).FullName;
        File.Copy(typeof(Tensor).Assembly.Location, _folder.File("FeatureFlow.Tensors.TorchSharp.dll"));
        File.Copy(typeof(FactAttribute).Assembly.Location, _folder.File("TorchSharp.dll")); // of some version that is not 0.x
        Assert.Equal("no LibTorchSharp.dll in it: the native libraries for win-x64 are missing", Look(s_windows).Problem);
        File.WriteAllText(Path.Combine(native, "LibTorchSharp.dll"), "");
        Assert.StartsWith("no torch_cpu.dll in it", Look(s_windows).Problem, StringComparison.Ordinal);
        foreach (var library in new[] { "c10.dll", "torch_cpu.dll", "torch_cuda.dll" }) File.WriteAllText(Path.Combine(native, library), "");
        var folder = Look(s_windows);
        Assert.Null(folder.Problem);
        Assert.Equal(["c10.dll", "torch_cpu.dll", "torch_cuda.dll", "LibTorchSharp.dll"], folder.LoadOrder.Select(Path.GetFileName));
        Assert.All(folder.LoadOrder, p => Assert.Equal(native, Path.GetDirectoryName(p))); // by full path: then Windows looks for their neighbours there
        Assert.Equal(Path.Combine(native, "torch_cuda.dll"), folder.Native("torch_cuda.dll"));
        File.WriteAllText(_folder.File("c10.dll"), "");
        Assert.Equal(_folder.File("c10.dll"), Look(s_windows).Native("c10")); // beside the assemblies comes first
        Assert.Equal("no libLibTorchSharp.so in it: its native libraries are for Windows, this is linux-x64", Look(s_linux).Problem);
        Assert.Equal("TorchSharp has no native libraries for win-arm64", Look(s_windows with { Architecture = Architecture.Arm64 }).Problem);
    }

    [Fact]
    public void PiecesInSeveralPackagesBecomeOneLibrary()
    {
        var whole = new byte[3_000_001];
        new Random(1).NextBytes(whole);
        Package("libtorch-part9-primary.nupkg", ("runtimes/win-x64/native/torch_cuda.dll", whole[..1_000_000]), ("runtimes/win-x64/native/torch_cuda.dll.sha", Sum(whole)), ("lib/netstandard2.0/_._", []));
        Package("libtorch-part9-fragment1.nupkg", ("fragments/win-x64/native/torch_cuda.dll.fragment1", whole[1_000_000..2_000_000]));
        Package("libtorch-part9-fragment2.nupkg", ("fragments/win-x64/native/torch_cuda.dll.fragment2", whole[2_000_000..]), ("fragments/linux-x64/native/libtorch_cuda.so.fragment1", [1]));
        Package("libtorch-part1.nupkg", ("runtimes/win-x64/native/c10.dll", [1, 2]), ("runtimes/linux-x64/native/libc10.so", [3]));
        Assert.Equal(["c10.dll", "torch_cuda.dll"], Gathered(_folder.Path));
        Assert.Equal(whole, File.ReadAllBytes(_folder.File("out/torch_cuda.dll")));

        // one by one, in any order
        Assert.Equal(["torch_cuda.dll"], Gathered(_folder.File("libtorch-part9-fragment2.nupkg"), _folder.File("libtorch-part9-primary.nupkg"), _folder.File("libtorch-part9-fragment1.nupkg")));
        Assert.Equal(whole, File.ReadAllBytes(_folder.File("out/torch_cuda.dll")));

        Assert.Contains("torch_cuda.dll is not whole: its first piece and fragment 2 do not make the sum", Refused("libtorch-part9-primary.nupkg", "libtorch-part9-fragment2.nupkg"), StringComparison.Ordinal);
        Assert.Contains("its first piece alone does", Refused("libtorch-part9-primary.nupkg"), StringComparison.Ordinal);
        Assert.Contains("of torch_cuda.dll only fragments are there", Refused("libtorch-part9-fragment1.nupkg"), StringComparison.Ordinal);
        Package("no-sum.nupkg", ("runtimes/win-x64/native/torch_cuda.dll", whole[..1_000_000]));
        Assert.Contains("torch_cuda.dll.sha, which tells when they are whole, is missing", Refused("no-sum.nupkg", "libtorch-part9-fragment1.nupkg"), StringComparison.Ordinal);

        File.WriteAllBytes(_folder.File("half.nupkg"), File.ReadAllBytes(_folder.File("libtorch-part1.nupkg"))[..40]);
        Assert.Equal($"{_folder.File("half.nupkg")} is no NuGet package, or not all of one", Refused("half.nupkg"));
        File.Delete(_folder.File("half.nupkg"));

        // a published folder whose pieces were never put together
        Directory.CreateDirectory(_folder.File("pub/runtimes/win-x64/native"));
        File.WriteAllBytes(_folder.File("pub/runtimes/win-x64/native/torch_cuda.dll"), whole[..1000]);
        File.WriteAllBytes(_folder.File("pub/runtimes/win-x64/native/torch_cuda.dll.sha"), Sum(whole));
        Assert.Contains("torch_cuda.dll is not whole", Refused("pub"), StringComparison.Ordinal);
        File.WriteAllBytes(_folder.File("pub/runtimes/win-x64/native/torch_cuda.dll"), whole);
        Assert.Equal(["torch_cuda.dll"], Gathered(_folder.File("pub")));
    }

    [Fact]
    public void LibrariesAreLookedAtBeforeTheyAreLoaded()
    {
        // ELF: one segment to byte 5,000, the table of 3 sections from 8,000 on; PE: one section from 1,024 to 9,216
        var elf = new byte[8192];
        "\u007FELF"u8.CopyTo(elf);
        elf[4] = 2;
        Set(elf, 18, 62, 2);
        Set(elf, 32, 64, 8);
        Set(elf, 40, 8000, 8);
        Set(elf, 54, 56, 2);
        Set(elf, 56, 1, 2);
        Set(elf, 58, 64, 2);
        Set(elf, 60, 3, 2);
        Set(elf, 64 + 32, 5000, 8);
        var pe = new byte[9216];
        "MZ"u8.CopyTo(pe);
        Set(pe, 60, 128, 4);
        "PE\0\0"u8.CopyTo(pe.AsSpan(128));
        Set(pe, 132, 0x8664, 2);
        Set(pe, 134, 1, 2);
        Set(pe, 148, 240, 2);
        Set(pe, 128 + 24 + 240 + 16, 8192, 4);
        Set(pe, 128 + 24 + 240 + 20, 1024, 4);
        foreach (var (platform, whole, machine) in new[] { (s_linux, elf, 18), (s_windows, pe, 132) })
        {
            Assert.Null(Problem(whole));
            Assert.Equal($"is cut short: {whole.Length - 1:N0} of {whole.Length:N0} bytes are there", Problem(whole[..^1]));
            Assert.Equal("is no native library", Problem(whole[..50]));
            Assert.Equal("is no native library", Problem([]));
            Assert.Equal("is no native library", Problem("version https://git-lfs.github.com/spec/v1\noid sha256:0000000000000000000000000000000000000000"u8.ToArray()));
            byte[] foreign = [.. whole];
            Set(foreign, machine, machine == 18 ? 183 : 0xAA64, 2);
            Assert.Equal("is for another processor", Problem(foreign));

            string? Problem(byte[] bytes)
            {
                var path = _folder.File("library");
                File.WriteAllBytes(path, bytes);
                return NativeFile.Problem(path, platform);
            }
        }

        static void Set(byte[] bytes, int at, long value, int size)
        {
            for (var i = 0; i < size; i++) bytes[at + i] = (byte)(value >> (8 * i));
        }
    }

    private static byte[] Sum(byte[] whole) => System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(whole)));

    private EngineFolder Look(NativePlatform platform) => new(_folder.Path, "explicit", platform);

    private void Package(string name, params (string Path, byte[] Bytes)[] entries)
    {
        using var zip = ZipFile.Open(_folder.File(name), ZipArchiveMode.Create);
        foreach (var (path, bytes) in entries)
        {
            using var stream = zip.CreateEntry(path).Open();
            stream.Write(bytes);
        }
    }

    private string[] Gathered(params string[] sources)
    {
        var target = _folder.File("out");
        if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
        Directory.CreateDirectory(target);
        EngineStore.Gather(sources, target, s_windows);
        return [.. Directory.GetFiles(target).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
    }

    private string Refused(params string[] sources) => Assert.Throws<InvalidDataException>(() => Gathered([.. sources.Select(s => _folder.File(s))])).Message;
}
