using System.Globalization;
using System.Text.Json;
using FeatureFlow.Models;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>The command line's contract: exit codes, streams, columns, agreement with the reference results.</summary>
public sealed class ContractTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(2, "FF6001", "did you mean 'graph'?", "grahp")]
    [InlineData(2, "FF6001", "did you mean '--feature'?", "graph", "--pack", "x", "--feeture", "1/res/1")]
    [InlineData(2, "FF6001", "'--pack' is required", "graph", "--feature", "1/res/1")]
    [InlineData(2, "FF6001", "is not a feature", "graph", "--pack", "x", "--feature", "1-res-1")]
    [InlineData(2, "FF6001", "neither a number nor a range", "features", "--pack", "x", "--layer", "a")]
    [InlineData(2, "FF6001", "See 'featureflow graph --help'", "graph", "--pack", "x", "--feature", "1/res/1", "--direction", "up")]
    [InlineData(3, "FF5010", "There is no pack 'nowhere'", "features", "--pack", "nowhere")]
    [InlineData(3, "FF3004", "no such file or folder", "sae", "show", "nowhere")]
    [InlineData(2, "FF4002", "4/res has features 0 to 511", "predecessors", "--pack", "PACK", "--feature", "4/res/512")]
    [InlineData(2, "FF4001", "it has res at layers 0-4", "predecessors", "--pack", "PACK", "--feature", "9/res/1")]
    [InlineData(2, "FF4005", "ask for 1 to", "predecessors", "--pack", "PACK", "--feature", "4/res/1", "--top", "0")]
    [InlineData(2, "FF5070", ".graphml", "graph", "--pack", "PACK", "--feature", "4/res/1", "--out", "g.png")]
    [InlineData(2, "FF4008", "not a cosine", "graph", "--pack", "PACK", "--feature", "4/res/1", "--t-res", "7")]
    [InlineData(2, "FF6001", "LAYER:RES,MLP,ATT", "graph", "--pack", "PACK", "--feature", "4/res/1", "--layer-threshold", "x")]
    [InlineData(2, "FF1024", "'tursch' in the engine 'tursch' is not understood", "features", "--pack", "PACK", "--engine", "tursch")]
    [InlineData(2, "FF1024", "'fp8' in the engine 'torch,fp8'", "features", "--pack", "PACK", "--engine", "torch,fp8")]
    [InlineData(2, "FF6013", "name one with --layer and --site", "sae", "encode", "PACK", "--input", "x", "--tensor", "y", "--out", "z")]
    [InlineData(2, "FF5031", "write i/N", "run", "EXPERIMENT", "--shard", "2/2")]
    public void Errors_are_one_sentence_with_code_and_exit_code(int exit, string code, string says, params string[] args)
    {
        var run = ToolRun.Of([.. args.Select(a => a switch { "PACK" => ToolRun.Pack, "EXPERIMENT" => Repository.Example("flow-graph.yaml"), _ => a })]);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.Equal(exit, run.Code);
        Assert.Contains($"error {code}: ", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(run.Out);
    }

    [Fact]
    public void All_errors_of_a_file_print_in_the_form_that_editors_read()
    {
        var file = _folder.File("e.yaml");
        File.WriteAllText(file, "version: 1\nkind: flow-graph\npack: x\nseeds: 1/res/1\ndirektion: up\ntop: many\n");
        var run = ToolRun.Of("run", file);
        Assert.Equal(2, run.Code);
        Assert.StartsWith($"{file}(5,1): error FF5002: ", run.Error, StringComparison.Ordinal);
        Assert.Contains($"\n{file}(6,6): error FF5004: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_without_its_command_says_what_there_is()
    {
        var run = ToolRun.Of("sae");
        Assert.Equal(2, run.Code);
        Assert.Contains("FF6001", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("features", "--pack", "PACK", "--layer", "4", "--index", "0-2")]
    [InlineData("predecessors", "--pack", "PACK", "--feature", "4/res/40")]
    [InlineData("successors", "--pack", "PACK", "--feature", "1/res/40")]
    [InlineData("classes", "--pack", "PACK")]
    [InlineData("graph", "--pack", "PACK", "--feature", "4/res/40")]
    [InlineData("sae", "show", "PACK")]
    [InlineData("sae", "show", "PACK", "--layer", "1", "--site", "att")]
    [InlineData("pack", "list")]
    [InlineData("pack", "show", "PACK")]
    [InlineData("engine", "list")]
    [InlineData("doctor")]
    public void Json_is_one_document_on_standard_output(params string[] args)
    {
        var run = ToolRun.Of([.. args.Select(a => a == "PACK" ? ToolRun.Pack : a), "--json"]).Ok();
        using var json = JsonDocument.Parse(run.Out);
        Assert.NotEqual(JsonValueKind.Undefined, json.RootElement.ValueKind);
    }

    [Fact]
    public void Predecessors_are_those_of_the_reference()
    {
        var golden = Rows(Repository.Fixture("golden", "stories260k", "predecessors.csv"));
        var features = golden.Select(r => $"{r["layer"]}/res/{r["index"]}").Distinct().ToArray();
        File.WriteAllLines(_folder.File("features.txt"), features);
        ToolRun.Of("predecessors", "--pack", ToolRun.Pack, "--feature", "@" + _folder.File("features.txt"), "--top", "5", "--csv", _folder.File("p.csv"), "--quiet").Ok();

        var ours = Rows(_folder.File("p.csv")).ToDictionary(r => (r["layer"], r["index"], r["source_site"], r["rank"]));
        Assert.Equal(golden.Count, ours.Count);
        foreach (var row in golden)
        {
            var match = ours[(row["layer"], row["index"], row["site"], row["rank"])];
            Assert.Equal(row["source_index"], match["source_index"]);
            Assert.Equal(Number(row["cosine"]), Number(match["similarity"]), 1e-6);
        }
    }

    [Fact]
    public void Classes_are_those_of_the_reference()
    {
        ToolRun.Of("classes", "--pack", ToolRun.Pack, "--t-res", "0.5", "--t-mlp", "0.5", "--t-att", "0.5", "--csv", _folder.File("c.csv")).Ok();
        Assert.Equal(Rows(Repository.Fixture("golden", "stories260k", "classes.csv")), Rows(_folder.File("c.csv")));
    }

    [Fact]
    public void Graphs_are_those_of_the_reference()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Repository.Fixture("golden", "stories260k", "graphs.json")));
        foreach (var graph in golden.RootElement.GetProperty("graphs").EnumerateArray().Concat(golden.RootElement.GetProperty("variants").EnumerateArray()))
        {
            var t = graph.GetProperty("thresholds");
            var run = ToolRun.Of(
                "graph", "--pack", ToolRun.Pack, "--feature", graph.GetProperty("seed").GetString()!, "--direction", graph.GetProperty("direction").GetString()!, "--top", graph.GetProperty("k").GetRawText(),
                $"--t-res={t.GetProperty("res").GetRawText()}", $"--t-mlp={t.GetProperty("mlp").GetRawText()}", $"--t-att={t.GetProperty("att").GetRawText()}", "--forward-modules", graph.GetProperty("forward_modules").GetString()!, "--json").Ok();
            using var ours = JsonDocument.Parse(run.Out);
            Assert.Equal(Ids(graph), Ids(ours.RootElement));
            Assert.Equal(graph.GetProperty("span").GetRawText().Replace(" ", "", StringComparison.Ordinal).ReplaceLineEndings(""), ours.RootElement.GetProperty("span").GetRawText());
            var (wanted, found) = (Edges(graph), Edges(ours.RootElement));
            Assert.Equal(wanted.Keys.Order(), found.Keys.Order());
            Assert.All(wanted, e => Assert.Equal(e.Value, found[e.Key], 1e-6));
        }

        static IEnumerable<string?> Ids(JsonElement graph) => graph.GetProperty("nodes").EnumerateArray().Select(n => n.GetProperty("id").GetString()).Order(StringComparer.Ordinal);
        static Dictionary<(string?, string?, string?), double> Edges(JsonElement graph) => graph.GetProperty("edges").EnumerateArray().ToDictionary(
            e => (e.GetProperty("target").GetString(), e.GetProperty("predecessor").GetString(), e.GetProperty("kind").GetString()), e => e.GetProperty("similarity").GetDouble());
    }

    public static TheoryData<string> Fixtures() => [.. Directory.EnumerateDirectories(Repository.Fixture("saes")).Select(p => Path.GetFileName(p)!)];

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Encode_writes_what_the_project_computes(string fixture)
    {
        var folder = Repository.Fixture("saes", fixture);
        ToolRun.Of("sae", "encode", folder, "--input", Path.Combine(folder, "expected.safetensors"), "--tensor", "h", "--out", _folder.File("z.safetensors")).Ok();
        using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        using var ours = SafetensorsFile.Open(_folder.File("z.safetensors"));
        foreach (var name in new[] { "z", "recon" })
        {
            var (wanted, found) = (expected.Get(name).AsSpan<float>().ToArray(), ours.Get(name).AsSpan<float>().ToArray());
            Assert.Equal(expected.Entry(name).Shape, ours.Entry(name).Shape);
            var largest = wanted.Max(Math.Abs);
            Assert.All(wanted.Zip(found), p => Assert.InRange(Math.Abs(p.First - p.Second), 0, 1e-5 * largest));
        }
    }

    [Fact]
    public void Encode_refuses_what_does_not_fit_and_writes_nothing()
    {
        var folder = Repository.Fixture("saes", "gemmascope-npz");
        var states = Repository.Fixture("golden", "stories260k", "meta.json");
        var none = ToolRun.Of("sae", "encode", folder, "--input", Path.Combine(folder, "expected.safetensors"), "--tensor", "q", "--out", _folder.File("z"));
        Assert.Contains("FF6011", none.Error, StringComparison.Ordinal);
        var shape = ToolRun.Of("sae", "encode", folder, "--input", Path.Combine(folder, "expected.safetensors"), "--tensor", "z", "--out", _folder.File("z"));
        Assert.Contains("FF6012", shape.Error, StringComparison.Ordinal);
        var kind = ToolRun.Of("sae", "encode", folder, "--input", states, "--tensor", "z", "--out", _folder.File("z"));
        Assert.Equal(3, kind.Code);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_damaged_sae_is_shown_and_exits_with_4()
    {
        var run = ToolRun.Of("sae", "show", Repository.Fixture("bad", "npz-nan"));
        Assert.Equal(4, run.Code);
        Assert.Contains("problem: 'W_enc'", run.Out, StringComparison.Ordinal);
        Assert.Contains("error FF6015", run.Error, StringComparison.Ordinal);
        Assert.Equal(0, ToolRun.Of("sae", "show", Repository.Fixture("bad", "npz-nan"), "--no-weights").Code);
    }

    [Fact]
    public void What_people_see_is_golden()
    {
        Golden.Check("FeatureFlow.Tools/predecessors.txt", ToolRun.Of("predecessors", "--pack", ToolRun.Pack, "--feature", "4/res/40", "--top", "2").Ok().Out);
        Golden.Check("FeatureFlow.Tools/features.txt", ToolRun.Of("features", "--pack", ToolRun.Pack, "--layer", "4", "--index", "0-4").Ok().Out);
        Golden.Check("FeatureFlow.Tools/classes.txt", ToolRun.Of("classes", "--pack", ToolRun.Pack).Ok().Out);
        Golden.Check("FeatureFlow.Tools/graph.txt", ToolRun.Of("graph", "--pack", ToolRun.Pack, "--feature", "4/res/84").Ok().Out);
        Golden.Check("FeatureFlow.Tools/sae-show.txt", ToolRun.Of("sae", "show", Repository.Fixture("saes", "saelens-topk")).Ok().Out.Replace(Repository.Root, "", StringComparison.Ordinal));
        Golden.Check("FeatureFlow.Tools/sae-show-pack.txt", ToolRun.Of("sae", "show", ToolRun.Pack).Ok().Out);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static List<Dictionary<string, string>> Rows(string path)
    {
        var lines = File.ReadAllLines(path);
        var header = lines[0].Split(',');
        return [.. lines.Skip(1).Select(l => header.Zip(l.Split(',')).ToDictionary(p => p.First, p => p.Second))];
    }
}
