using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Packs;

public sealed class PackFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Opens_the_example_by_file_folder_and_bare_folder()
    {
        var file = PackFile.Load(Repository.Example("stories260k", "pack.yaml"));
        var folder = PackFile.Load(Repository.Example("stories260k"));
        var bare = PackFile.Load(Repository.Example("stories260k", "saes"));
        Assert.Equal("stories260k", file.Name);
        Assert.Equal(15, file.Saes.Count);
        Assert.Equal([Site.Res, Site.Mlp, Site.Att], file.SitesPresent);
        Assert.Equal([0, 1, 2, 3, 4], file.Layers);
        Assert.Equal(file.Saes, folder.Saes);
        Assert.Equal(file.Saes.Select(s => (s.Layer, s.Site, s.Path)), bare.Saes.Select(s => (s.Layer, s.Site, s.Path)));
    }

    [Fact]
    public void L0_picks_among_several_and_ambiguity_is_an_error()
    {
        foreach (var (layer, l0) in new[] { (0, 10), (0, 97), (1, 20), (1, 104) }) Touch("saes", $"layer_{layer}", $"average_l0_{l0}", "params.npz");
        const string Head = "version: 1\nsaes:\n  - site: res\n    path: saes/layer_{layer}/average_l0_*/params.npz\n";

        Assert.Equal(["average_l0_97", "average_l0_104"], Picked(Head + "    l0: canonical\n"));
        Assert.Equal(["average_l0_10", "average_l0_104"], Picked(Head + "    l0: [10, 104]\n"));
        Assert.Equal(["average_l0_104"], Picked(Head + "    l0: 104\n    layers: 1\n"));

        var e = Throws(Head, "FF5013", 3, 5);
        Assert.Contains("average_l0_10", e.Message, StringComparison.Ordinal);
        Throws(Head + "    l0: [10, 11]\n", "FF5014", 5, 9);
        Throws(Head + "    l0: [10, 20, 30]\n    layers: 0-1\n", "FF5015", 5, 9);
    }

    [Theory]
    [InlineData("path: ../x/{layer}.npz", "FF2040")]
    [InlineData("path: /etc/{layer}.npz", "FF2040")]
    [InlineData("path: nothing/{layer}/params.npz", "FF5012")]
    [InlineData("path: saes/params.npz", "FF5016")]
    public void Wrong_paths_are_told(string path, string code)
    {
        var e = Assert.Throws<FeatureFlowException>(() => PackFile.Load(Write($"version: 1\nsaes:\n  - site: res\n    {path}\n")));
        Assert.Equal(code, e.Code);
    }

    [Fact]
    public void Links_out_of_the_pack_are_refused()
    {
        if (OperatingSystem.IsWindows()) return; // making links needs a privilege there
        using var elsewhere = new TempFolder();
        Directory.CreateDirectory(_folder.File("saes"));
        File.WriteAllText(elsewhere.File("0.npz"), "x");
        File.CreateSymbolicLink(_folder.File("saes", "0.npz"), elsewhere.File("0.npz"));
        var e = Assert.Throws<FeatureFlowException>(() => PackFile.Load(Write("version: 1\nsaes:\n  - site: res\n    path: saes/{layer}.npz\n")));
        Assert.Equal("FF2041", e.Code);
    }

    [Fact]
    public void Presets_resolve_in_the_hub_cache_by_the_sparsities_of_table_1()
    {
        int[] table = [102, 108, 141, 59, 125, 68, 70, 69, 71, 73, 77, 80, 82, 83, 83, 78, 78, 77, 74, 73, 71, 70, 72, 75, 73, 116];
        for (var layer = 0; layer < table.Length; layer++)
        {
            Touch(Snapshot("google/gemma-scope-2b-pt-res", $"layer_{layer}", "width_16k", $"average_l0_{table[layer]}", "params.npz"));
            Touch(Snapshot("google/gemma-scope-2b-pt-res", $"layer_{layer}", "width_16k", "average_l0_999", "params.npz"));
            Touch(Snapshot("google/gemma-scope-2b-pt-mlp", $"layer_{layer}", "width_16k", "average_l0_101", "params.npz"));
            Touch(Snapshot("google/gemma-scope-2b-pt-mlp", $"layer_{layer}", "width_16k", "average_l0_20", "params.npz"));
            Touch(Snapshot("google/gemma-scope-2b-pt-att", $"layer_{layer}", "width_16k", "average_l0_93", "params.npz"));
        }

        var pack = PackFile.Load("gemma-scope-2b", new HubCache(_folder.File("hub")));
        Assert.Equal(78, pack.Saes.Count);
        Assert.Equal(table.Select(l0 => $"average_l0_{l0}"), pack.Saes.Where(s => s.Site == Site.Res).Select(s => Parent(s.Path)));
        Assert.All(pack.Saes.Where(s => s.Site == Site.Mlp), s => Assert.Equal("average_l0_101", Parent(s.Path)));
        Assert.Equal("gemma-2-2b/12-gemmascope-res-16k", pack.Find(12, Site.Res)!.NeuronpediaId);
        Assert.Null(pack.Find(4, Site.Res)!.NeuronpediaId); // Neuronpedia shows another SAE of that layer
        Assert.NotNull(pack.Find(3, Site.AttZ));
    }

    [Theory]
    [InlineData("gemma-scope-2b", "google/gemma-scope-2b-pt-res", "--include 'layer_*/width_16k/average_l0_*/params.npz'")]
    [InlineData("llama-scope-8b", "fnlp/Llama3_1-8B-Base-LXR-8x", "--include 'Llama3_1-8B-Base-L*R-8x/*'")]
    [InlineData("gpt2-oai-v5-32k", "jbloom/GPT2-Small-OAI-v5-32k-resid-post-SAEs", "--include 'v5_32k_layer_*.pt/*'")]
    [InlineData("pythia-70m", "ctigges/pythia-70m-deduped__res-sm_processed", "--include '*-res-sm/*'")]
    public void A_preset_that_is_not_in_the_cache_says_what_to_get_and_how(string preset, string repository, string include)
    {
        var e = Assert.Throws<FeatureFlowException>(() => PackFile.Load(preset, new HubCache(_folder.File("hub"))));
        Assert.Equal(FailureKind.Input, e.Kind);
        Assert.Contains($"hf download {repository} {include}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_preset_is_a_pack_that_the_schema_allows()
    {
        Assert.Equal(["gemma-scope-2b", "gpt2-oai-v5-32k", "llama-scope-8b", "pythia-70m"], PackFile.Presets);
        foreach (var preset in PackFile.Presets) PackSchema.Pack.ReadDocument(YamlTree.Read(PackFile.PresetText(preset), preset));
    }

    [Fact]
    public void An_unknown_name_is_told_with_the_nearest_preset()
    {
        var e = Assert.Throws<FeatureFlowException>(() => PackFile.Load("gema-scope-2b"));
        Assert.Equal("FF5010", e.Code);
        Assert.Contains("Did you mean 'gemma-scope-2b'?", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_saes_is_told()
    {
        var e = Assert.Throws<FeatureFlowException>(() => PackFile.Load(_folder.Path));
        Assert.Equal("FF5011", e.Code);
    }

    private static string Parent(string path) => Path.GetFileName(Path.GetDirectoryName(path))!;

    private string[] Picked(string yaml) => [.. PackFile.Load(Write(yaml)).Saes.Select(s => Parent(s.Path))];

    private FeatureFlowException Throws(string yaml, string code, int line, int column)
    {
        var e = Assert.Throws<FeatureFlowException>(() => PackFile.Load(Write(yaml)));
        Assert.Equal((code, line, column), (e.Code, e.Line, e.Column));
        return e;
    }

    private string Write(string yaml)
    {
        var path = _folder.File("pack.yaml");
        File.WriteAllText(path, yaml);
        return path;
    }

    private string[] Snapshot(string repository, params string[] path)
    {
        var folder = $"models--{repository.Replace('/', '-').Replace("google-", "google--", StringComparison.Ordinal)}";
        Touch("hub", folder, "refs", "main");
        File.WriteAllText(_folder.File("hub", folder, "refs", "main"), "abc");
        return ["hub", folder, "snapshots", "abc", .. path];
    }

    private void Touch(params string[] parts)
    {
        var path = _folder.File(parts);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (!File.Exists(path)) File.WriteAllText(path, "");
    }
}
