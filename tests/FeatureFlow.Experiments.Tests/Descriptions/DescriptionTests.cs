using System.IO.Compression;
using System.Text;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Descriptions;

public sealed class DescriptionTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Pack Pack { get; } = new(
        "p",
        "p.yaml",
        null,
        [
            new(4, Site.Res, "a", "gemma-2-2b/4-gemmascope-res-16k"),
            new(4, Site.Mlp, "b", "gemma-2-2b/4-gemmascope-mlp-16k"),
            new(5, Site.Res, "c"),
            new(6, Site.Res, "d"),
            new(6, Site.Att, "e"),
        ],
        []);

    [Theory]
    [InlineData("""{"modelId":"gemma-2-2b","layer":"4-gemmascope-res-16k","index":"7","description":" cats ","explanationModelName":"gpt","typeName":"t"}""" + "\n")]
    [InlineData("""[{"modelId":"gemma-2-2b","layer":"4-gemmascope-res-16k","index":"7","description":"cats","explanationModelName":"gpt","typeName":"t","embedding":"[1,2]"}]""")]
    [InlineData("""[ {"modelId":"gemma-2-2b","layer":"4-gemmascope-res-16k","index":7,"description":"cats","explanationModelName":"gpt","typeName":"t"},]""")]
    [InlineData("{\n \"modelId\":\"gemma-2-2b\",\"layer\":\"4-gemmascope-res-16k\",\"index\":\"7\",\"explanations\":[{\"description\":\"cats\",\"explanationModelName\":\"gpt\",\"typeName\":\"t\"}]}")]
    public void Neuronpedia_exports_in_every_form(string text)
    {
        foreach (var zipped in new[] { false, true })
        {
            var all = Load(text, zipped);
            Assert.Equal([new FeatureDescription("cats", "gpt", "t")], all.Of(new FeatureId(4, Site.Res, 7)));
            Assert.Equal(1, all.Count);
        }
    }

    [Theory]
    [InlineData("20-x", 4, Site.Res, null)] // the pack's word is not asked where the row names a layer it lacks
    [InlineData("5-gemmascope-res-16k", 5, Site.Res, "5/res/1")]
    [InlineData("5", 5, null, "5/res/1")] // one SAE at layer 5
    [InlineData("6", 6, null, null)] // two at layer 6: which?
    [InlineData("6-att_32k-oai", 6, null, "6/att/1")]
    [InlineData("4-gemmascope-mlp-16k", 4, null, "4/mlp/1")]
    public void Sources_name_layer_and_site(string layer, int _, Site? site, string? expected)
    {
        var text = $$"""{"layer":"{{layer}}","index":1,"description":"x"}""";
        if (expected is null) Assert.Equal("FF5021", Assert.Throws<FeatureFlowException>(() => Load(text, site: site)).Code);
        else Assert.Equal("x", Load(text, site: site).Text(FeatureId.Parse(expected)));
    }

    [Fact]
    public void Maps_and_tables_take_their_place_from_the_pack()
    {
        var map = Load("{\"0\": \"zero\", \"3\": [\"three\", \"drei\"]}", layer: 4, site: Site.Mlp);
        Assert.Equal("zero", map.Text(new FeatureId(4, Site.Mlp, 0)));
        Assert.Equal(["three", "drei"], map.Of(new FeatureId(4, Site.Mlp, 3)).Select(d => d.Text));

        var table = Load("index,description\n2,\"a, \"\"b\"\"\nc\"\n5,plain\n", layer: 4, site: Site.Mlp);
        Assert.Equal("a, \"b\"\nc", table.Text(new FeatureId(4, Site.Mlp, 2)));
        Assert.Equal("plain", table.Text(new FeatureId(4, Site.Mlp, 5)));

        var placed = Load("layer;site;index;description;model\n6;att;1;x;me\n");
        Assert.Equal([new FeatureDescription("x", "me")], placed.Of(new FeatureId(6, Site.Att, 1)));
    }

    [Fact]
    public void Several_of_a_feature_are_kept_in_order_and_empty_ones_are_not()
    {
        var all = Load("""
            {"layer":"5","index":1,"description":"first"}
            {"layer":"5","index":1,"description":"second"}
            {"layer":"5","index":1,"description":"first"}

            {"layer":"5","index":2,"description":"  "}
            {"layer":"5","index":3,"description":null}
            """);
        Assert.Equal(["first", "second"], all.Of(new FeatureId(5, Site.Res, 1)).Select(d => d.Text));
        Assert.Equal(1, all.Count);
    }

    [Fact]
    public void Rows_about_saes_that_the_pack_leaves_out_are_passed_over() =>
        Assert.Equal(1, Load("{\"layer\":\"9-x-res\",\"index\":1,\"description\":\"x\"}\n{\"layer\":\"5\",\"index\":1,\"description\":\"y\"}\n").Count);

    [Theory]
    [InlineData("", "FF5020", 1, "empty")]
    [InlineData("{\"layer\":\"5\",\"index\":1}\n{\"layer\":\"5\",\"index\":-1}\n", "FF5020", 2, "not the index")]
    [InlineData("{\"layer\":\"5\",\"index\":1}\n{\"layer\":\"5\",\"ind\n", "FF5020", 2, "not JSON")]
    [InlineData("{\"layer\":\"5\",\"index\":1}\n[1]\n", "FF5020", 2, "expected an object")]
    [InlineData("[{\"layer\":\"5\",\n\"index\":}]", "FF5020", 2, "not JSON")]
    [InlineData("{\"0\": {\"a\":1}}", "FF5020", 1, "a text is needed")]
    [InlineData("a,b\n1,2\n", "FF5020", 1, "columns index,description")]
    [InlineData("index,description\nx,2\n", "FF5020", 2, "'x' is not the index")]
    [InlineData("{\"layer\":\"99\",\"index\":1,\"description\":\"x\"}", "FF5021", 1, "is for '99'")]
    public void Wrong_files_are_told_where(string text, string code, int line, string says)
    {
        var e = Assert.Throws<FeatureFlowException>(() => Load(text));
        Assert.Contains(says, e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal((code, line), (e.Code, e.Line));
        Assert.Equal(_folder.File("d"), e.File);
    }

    [Fact]
    public void A_damaged_gzip_is_told()
    {
        var bytes = Zip("{\"layer\":\"5\",\"index\":1,\"description\":\"x\"}\n" + string.Concat(Enumerable.Range(0, 500).Select(i => $"{{\"layer\":\"5\",\"index\":{i},\"description\":\"{i * 7919}\"}}\n")));
        File.WriteAllBytes(_folder.File("d"), bytes[..(bytes.Length / 2)]);
        var e = Assert.Throws<FeatureFlowException>(() => DescriptionFiles.Load(Pack, new DescriptionFile(_folder.File("d")), new FeatureDescriptions()));
        Assert.Equal(FailureKind.Input, e.Kind);
    }

    [Fact]
    public void A_pack_resolves_patterns_and_layers()
    {
        Directory.CreateDirectory(_folder.File("notes"));
        File.WriteAllText(_folder.File("notes", "layer_4.csv"), "index,description\n1,one\n");
        var saes = Repository.Example("stories260k", "saes", "res").Replace('\\', '/');
        foreach (var file in Directory.EnumerateFiles(saes, "params.npz", SearchOption.AllDirectories))
        {
            var copy = _folder.File("saes", Path.GetRelativePath(saes, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        File.WriteAllText(_folder.File("pack.yaml"), "version: 1\nsaes:\n  - site: res\n    path: saes/layer_{layer}/*/*/params.npz\ndescriptions:\n  - path: notes/layer_{layer}.csv\n    site: res\n");
        var pack = Session.Open(_folder.Path);
        Assert.Equal("one", pack.Feature(new FeatureId(4, Site.Res, 1)).Description);
        Assert.Null(pack.Feature(new FeatureId(4, Site.Res, 2)).Description);

        // the cache of opened packs sees the change
        File.WriteAllText(_folder.File("notes", "layer_4.csv"), "index,description\n1,changed now\n");
        Assert.Equal("changed now", Session.Open(_folder.Path).Feature(new FeatureId(4, Site.Res, 1)).Description);

        File.WriteAllText(_folder.File("pack.yaml"), "version: 1\nsaes:\n  - site: res\n    path: saes/layer_{layer}/*/*/params.npz\ndescriptions: missing/*.csv\n");
        Assert.Equal("FF5022", Assert.Throws<FeatureFlowException>(() => Session.Open(_folder.Path)).Code);
    }

    [DataFact]
    public void Published_explanations_of_gpt2_are_read()
    {
        var path = Path.Combine(Repository.Data!, "sae-explanations", "gpt2", "all_explanations_layer_0.json");
        var pack = new Pack("gpt2", "x", null, [new(0, Site.Mlp, "a")], []);
        var all = new FeatureDescriptions();
        Assert.True(DescriptionFiles.Load(pack, new DescriptionFile(path, 0, Site.Mlp), all) > 100);
        Assert.Contains("inclusive or universal group", all.Text(new FeatureId(0, Site.Mlp, 0)), StringComparison.Ordinal);
    }

    private FeatureDescriptions Load(string text, bool zipped = false, int? layer = null, Site? site = null)
    {
        File.WriteAllBytes(_folder.File("d"), zipped ? Zip(text) : Encoding.UTF8.GetBytes(text));
        var all = new FeatureDescriptions();
        DescriptionFiles.Load(Pack, new DescriptionFile(_folder.File("d"), layer, site), all);
        return all;
    }

    private static byte[] Zip(string text)
    {
        using var buffer = new MemoryStream();
        using (var zip = new GZipStream(buffer, CompressionLevel.Fastest)) zip.Write(Encoding.UTF8.GetBytes(text));
        return buffer.ToArray();
    }
}
