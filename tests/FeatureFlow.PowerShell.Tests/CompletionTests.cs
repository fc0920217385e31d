using System.Collections;
using System.Management.Automation;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>Completion: what the pack on the same line has, without waiting for it.</summary>
public sealed class CompletionTests : IDisposable
{
    public CompletionTests() => System.Management.Automation.PowerShell.Folder = Stories.Folder;

    public void Dispose() => System.Management.Automation.PowerShell.Folder = "";

    private static string[] Complete<T>(string word, string? pack = null)
        where T : IArgumentCompleter, new()
    {
        var bound = new Hashtable();
        if (pack is not null) bound["Pack"] = new PSObject(pack);
        return [.. new T().CompleteArgument("", "", word, null!, bound).Select(r => r.CompletionText)];
    }

    [Fact]
    public void PacksArePresetsThenFilesAndFolders()
    {
        Assert.Equal(["gemma-scope-2b", "gpt2-oai-v5-32k", "llama-scope-8b", "pythia-70m", "pack.yaml", "saes"], Complete<PackCompleter>(""));
        Assert.Equal(["gemma-scope-2b", "gpt2-oai-v5-32k"], Complete<PackCompleter>("'G"));
    }

    [Fact]
    public void SitesAndLayersAreThoseOfThePack()
    {
        new Shell(Stories.Folder).Add<GetSaeCommand>(("Pack", ".")).Run();
        Assert.Equal(["res", "mlp", "att"], Complete<SiteCompleter>("", "."));
        Assert.Equal(["0", "1", "2", "3", "4"], Complete<LayerCompleter>("", "pack.yaml"[..0] + "."));
        Assert.Equal(["3"], Complete<LayerCompleter>("3", "."));
    }

    [Fact]
    public void APackNobodyOpenedIsLookedAtInTheBackground()
    {
        using var folder = Stories.Described();
        var pack = folder.File("pack.yaml");
        var tries = 0;
        while (Complete<LayerCompleter>("", pack) is not ["3", "4"]) Assert.True(++tries < 1000);
    }

    [Fact]
    public void WithoutAPackAllSitesAndNoLayers()
    {
        Assert.Equal(["att", "att_z"], Complete<SiteCompleter>("a"));
        Assert.Empty(Complete<LayerCompleter>(""));
        Assert.Equal(["res", "res_pre"], Complete<SiteCompleter>("RES", "no-such-pack"));
    }
}
