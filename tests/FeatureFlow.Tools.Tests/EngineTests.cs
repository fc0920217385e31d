using System.IO.Compression;
using System.Text.Json;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>Finding, adding and refusing engines, in processes that have only what the test gives them.</summary>
public sealed class EngineTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_engine_that_does_not_load_is_listed_with_the_reason_and_auto_does_without_it()
    {
        FakeEngine.Make(_folder.File("made"));
        Assert.Equal(0, Tool("engine", "add", _folder.File("made"), "--name", "mine").Code);
        Assert.True(File.Exists(Path.Combine(Engines, "mine", EngineFolder.NativeName("LibTorchSharp"))), "native libraries lie beside the engine");

        using var list = JsonDocument.Parse(Tool("engine", "list", "--json").Out);
        var row = list.RootElement.EnumerateArray().Single(r => r.GetProperty("folder").GetString() == Path.Combine(Engines, "mine"));
        Assert.False(row.GetProperty("usable").GetBoolean());
        Assert.Contains("the user's: it does not load: ", row.GetProperty("remark").GetString(), StringComparison.Ordinal);

        var auto = Tool("doctor");
        Assert.Single(auto.Error.Split('\n'), l => l.StartsWith("featureflow: the torch engine cannot be used", StringComparison.Ordinal));
        var torch = Tool("features", "--pack", ToolRun.Pack, "--engine", "torch");
        Assert.Equal(2, torch.Code);
        Assert.Contains("error FF1023: No torch engine can be used: ", torch.Error, StringComparison.Ordinal);
        Assert.Empty(torch.Out);
        Assert.Equal("", Tool("features", "--pack", ToolRun.Pack, "--layer", "1", "--index", "0", "--engine", "cpu").Error);
    }

    [Fact]
    public void Folders_that_are_no_engine_are_refused_by_what_they_lack()
    {
        Refused("FF1025", "does not exist", _folder.File("nowhere"));
        Directory.CreateDirectory(_folder.File("empty"));
        Refused("FF1026", "neither FeatureFlow.Tensors.TorchSharp.dll nor TorchSharp.dll is in it", _folder.File("empty"));
        FakeEngine.Make(_folder.File("e"));
        var native = Path.Combine(_folder.File("e"), "runtimes", EngineFolder.RuntimeName, "native", EngineFolder.NativeName("LibTorchSharp"));
        File.Delete(native);
        Refused("FF1026", $"the native libraries for {EngineFolder.RuntimeName} are missing", _folder.File("e"));
        File.WriteAllText(Path.Combine(_folder.File("e"), OperatingSystem.IsWindows() ? "libLibTorchSharp.dylib" : "LibTorchSharp.dll"), "x");
        Refused("FF1026", "its native libraries are for", _folder.File("e"));
        File.Copy(typeof(Tensor).Assembly.Location, _folder.File("e/TorchSharp.dll"), overwrite: true); // of version 0.1.0
        Refused("FF1026", "take 0.106.x", _folder.File("e"));
        Assert.False(Directory.Exists(Path.Combine(Engines, "torch")), "nothing is left of what was refused");
        Assert.Empty(Directory.Exists(Engines) ? Directory.GetFileSystemEntries(Engines) : []);
    }

    [Fact]
    public void Packages_are_taken_apart()
    {
        FakeEngine.Make(_folder.File("made"));
        using (var zip = ZipFile.Open(_folder.File("engine.nupkg"), ZipArchiveMode.Create))
        {
            zip.CreateEntryFromFile(_folder.File("made/FeatureFlow.Tensors.TorchSharp.dll"), "lib/net10.0/FeatureFlow.Tensors.TorchSharp.dll");
        }

        using (var zip = ZipFile.Open(_folder.File("torchsharp.nupkg"), ZipArchiveMode.Create))
        {
            zip.CreateEntryFromFile(_folder.File("made/TorchSharp.dll"), "lib/net6.0/TorchSharp.dll");
            zip.CreateEntryFromFile(typeof(Tensor).Assembly.Location, "lib/netstandard2.0/TorchSharp.dll"); // the older one is not taken
            zip.CreateEntry($"runtimes/{EngineFolder.RuntimeName}/native/{EngineFolder.NativeName("LibTorchSharp")}");
            zip.CreateEntry("runtimes/other-x64/native/other.dll");
            zip.CreateEntry("../../outside.dll");
        }

        Assert.Equal(0, Tool("engine", "add", _folder.File("engine.nupkg"), _folder.File("torchsharp.nupkg")).Code);
        Assert.Equal(3, Directory.GetFiles(Path.Combine(Engines, "torch")).Length);
        using (var zip = ZipFile.Open(_folder.File("part.nupkg"), ZipArchiveMode.Create)) zip.CreateEntry($"fragments/{EngineFolder.RuntimeName}/native/torch_cuda.dll.fragment1");
        Refused("FF1025", "of torch_cuda.dll only fragments are there", _folder.File("part.nupkg"));
        File.WriteAllText(_folder.File("no.nupkg"), "no zip");
        Refused("FF1025", "No engine can be made of", _folder.File("no.nupkg"));
        Assert.Equal(3, Directory.GetFiles(Path.Combine(Engines, "torch")).Length);
    }

    private string Engines => _folder.File("engines");

    private ToolRun Tool(params string[] args) => FakeEngine.Run(Engines, args);

    private void Refused(string code, string says, string source)
    {
        var run = Tool("engine", "add", source);
        Assert.Contains($"error {code}: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, run.Code);
    }
}
