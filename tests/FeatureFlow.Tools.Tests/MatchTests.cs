using System.Globalization;
using System.Text.Json;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>Maps on the command line: totals of the reference, files, composition.</summary>
public sealed class MatchTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("0", "1", "both", false, 2381.700728421183)]
    [InlineData("0", "1", "decoder", true, 474.5228263903948)]
    [InlineData("0", "1", "encoder", false, 2113.0829811380218)]
    public void Totals_are_those_of_the_reference(string from, string to, string cost, bool unfolded, double total)
    {
        var map = _folder.File("map.csv");
        var run = ToolRun.Of(["match", "--pack", ToolRun.Pack, "--site", "res", "--from", from, "--to", to, "--cost", cost, "--out", map, "--json", .. unfolded ? new[] { "--unfolded" } : []]).Ok();
        using var json = JsonDocument.Parse(run.Out);
        Assert.Equal(total, json.RootElement.GetProperty("total_cost").GetDouble(), 1e-6 * total);
        Assert.InRange(Math.Abs(json.RootElement.GetProperty("gap").GetDouble()), 0, 1e-9 * total);
        Assert.Equal(512L * 512, json.RootElement.GetProperty("pairs_verified").GetInt64());
        Assert.Equal(unfolded ? "none" : "threshold", json.RootElement.GetProperty("source_fold").GetString());
        Assert.Equal(0, json.RootElement.GetProperty("unmatched_targets").GetArrayLength());
        var lines = File.ReadAllLines(map);
        Assert.Equal(("source,target,cost,similarity", 513), (lines[0], lines.Length));
        Assert.Equal(total, lines.Skip(1).Sum(l => double.Parse(l.Split(',')[2], CultureInfo.InvariantCulture)), 1e-6 * total);
    }

    [Fact]
    public void Composition_agrees_with_the_direct_map_as_in_the_reference()
    {
        string Map(int step) => Repository.Fixture("maps", step == 0 ? "P_0_1.npy" : step == 1 ? "P_1_2.npy" : "P_0_2.npy");
        var (csv, paths) = (_folder.File("c.csv"), _folder.File("paths.csv"));
        var run = ToolRun.Of("compose", Map(0), Map(1), "--direct", Map(2), "--out", csv, "--paths", paths, "--json").Ok();
        using var json = JsonDocument.Parse(run.Out);
        Assert.Equal(0.314453125, json.RootElement.GetProperty("agreement").GetDouble()); // composition.csv
        Assert.Equal(["place_0,place_1,place_2", "0,17,499", "1,505,148"], File.ReadLines(paths).Take(3)); // paths.csv
        var npy = _folder.File("c.npy");
        var again = ToolRun.Of("compose", csv, "--out", npy, "--direct", csv, "--json").Ok();
        Assert.Contains("\"agreement\":1", again.Out, StringComparison.Ordinal);
        Assert.Equal("NUMPY", System.Text.Encoding.ASCII.GetString(File.ReadAllBytes(npy), 1, 5));
    }

    [Fact]
    public void An_experiment_matches_all_layers_and_repeats_itself()
    {
        var folder = _folder.File("run");
        ToolRun.Of("run", Repository.Example("match.yaml"), "--out", folder).Ok();
        var composition = File.ReadAllLines(Path.Combine(folder, "composition.csv"));
        Assert.Equal("layer_a,layer_c,distance,share_equal", composition[0]);
        Assert.Equal(["0,1,1,1", "0,2,2,0.314453125", "1,2,1,1"], composition.Skip(1)); // composition.csv of the reference
        var totals = File.ReadLines(Path.Combine(folder, "match.csv")).Skip(1).Select(l => l.Split(',')).ToDictionary(c => (c[0], c[1], c[2], c[3]), c => c[5].Length > 0 ? double.Parse(c[5], CultureInfo.InvariantCulture) : 0);
        Assert.Equal(11, totals.Count); // with two of features paired as they are numbered
        Assert.Equal(2381.700728421183, totals[("0/res", "1/res", "both", "threshold")], 1e-2);
        Assert.Equal(474.5228263903948, totals[("0/res", "1/res", "decoder", "none")], 1e-2);
        Assert.Equal(File.ReadAllBytes(Repository.Fixture("maps", "P_0_1.npy")), File.ReadAllBytes(Path.Combine(folder, "maps", "P_0_1.npy")));
        Assert.Contains("Persistence", File.ReadAllText(Path.Combine(folder, "report.html")), StringComparison.Ordinal);
        var shares = new[] { _folder.File("a"), _folder.File("b") };
        for (var i = 0; i < 2; i++) ToolRun.Of("run", Repository.Example("match.yaml"), "--out", shares[i], "--shard", $"{i}/2").Ok();
        ToolRun.Of("merge", shares[0], shares[1], "--out", _folder.File("merged")).Ok();
        Assert.Equal(composition, File.ReadAllLines(_folder.File("merged", "composition.csv")));
    }

    [Fact]
    public void Texts_and_a_judge_measure_maps_the_same_however_the_work_is_shared()
    {
        var yaml = _folder.File("e.yaml");
        File.WriteAllText(yaml, $"version: 1\nkind: match\npack: '{Repository.Example("storyworld")}'\nlayers: 2-4\ncosts: decoder\ntexts: storyworld:7\ndocuments: 4\nrated: 25\npaths: 3\njudge: {{kind: lexicon}}\n");
        string whole = _folder.File("whole"), merged = _folder.File("merged");
        ToolRun.Of("run", yaml, "--out", whole).Ok();
        var shares = new[] { _folder.File("a"), _folder.File("b") };
        for (var i = 0; i < 2; i++) ToolRun.Of("run", yaml, "--out", shares[i], "--shard", $"{i}/2").Ok();
        ToolRun.Of("merge", shares[0], shares[1], "--out", merged).Ok();
        string[] files = ["match.csv", "composition.csv", "persistence.csv", "layers.csv", "paths.csv", "path_descriptions.csv", "judged.csv", "semantic.csv", "semantic_by_distance.csv", "claims.csv", "figures/errors.svg"];
        foreach (var file in files) Assert.Equal(File.ReadAllText(Path.Combine(whole, file)), File.ReadAllText(Path.Combine(merged, file)));

        // the same matching score as where matches are counted token by token
        ToolRun.Of("approximate", "--pack", Repository.Example("storyworld"), "--corpus", "storyworld:7", "--documents", "4", "--seed", "1", "--context", "256", "--layer", "2", "--cost", "decoder", "--no-losses", "--out", _folder.File("direct")).Ok();
        var scores = Table(_folder.File("direct", "approx.csv")).Where(r => r["matching_score"].Length > 0).Select(r => double.Parse(r["matching_score"], CultureInfo.InvariantCulture)).ToList();
        var ours = Table(Path.Combine(whole, "match.csv")).Where(r => r["from"] == "2/res" && r["to"] == "3/res").ToDictionary(r => (r["cost"], r["fold"]), r => double.Parse(r["matching_score"], CultureInfo.InvariantCulture));
        Assert.Equal(scores[0], ours[("decoder", "threshold")], 1e-12);
        Assert.Equal(scores[1], ours[("decoder", "none")], 1e-12);

        var semantic = Table(Path.Combine(whole, "semantic.csv"));
        Assert.Equal(["2-3 folded", "2-3 unfolded", "2-4 folded", "2-4 composed", "3-4 folded", "3-4 unfolded"], semantic.Select(r => $"{r["layer_a"]}-{r["layer_c"]} {r["map"]}"));
        Assert.All(semantic, r => Assert.Equal(1, new[] { "different", "maybe", "same" }.Sum(c => double.Parse(r[c], CultureInfo.InvariantCulture)), 1e-9));
        Assert.All(Table(Path.Combine(whole, "judged.csv")), r => Assert.Equal("shared words", r["judge"]));
        var persistence = Table(Path.Combine(whole, "persistence.csv")).Single(r => r["map"] == "composed");
        Assert.Equal(Table(Path.Combine(whole, "composition.csv")).Single(r => r["distance"] == "2")["share_equal"], persistence["share_equal"]);
    }

    [Fact]
    public void A_substitute_for_thresholds_is_named_in_the_map()
    {
        var map = _folder.File("map.csv");
        var run = ToolRun.Of("match", "--pack", Repository.Example("storyworld"), "--from", "0", "--to", "1", "--cost", "decoder", "--fold", "mean-activation", "--corpus", "storyworld:7", "--documents", "3", "--out", map, "--json").Ok();
        Assert.Contains("\"source_fold\": \"mean-activation\"", run.Out, StringComparison.Ordinal);
        Assert.Equal("source,target,cost,similarity,source_fold,target_fold", File.ReadLines(map).First());
        Assert.EndsWith(",mean-activation,mean-activation", File.ReadLines(map).Last(), StringComparison.Ordinal);
        Assert.Equal(1025, Table(_folder.File("map.csv")).Count + 1);
        Assert.Contains("Give one of --ids-file", ToolRun.Of("match", "--pack", ToolRun.Pack, "--from", "0", "--to", "1", "--fold", "mean-activation").Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fold: mean-activation", "FF5004", "'mean-activation' is measured on texts")]
    [InlineData("rated: 5", "FF5004", "obody described the features")]
    public void An_experiment_says_what_it_lacks(string line, string code, string says)
    {
        var yaml = _folder.File("e.yaml");
        File.WriteAllText(yaml, $"version: 1\nkind: match\npack: stories260k\n{line}\n".Replace("stories260k", $"'{ToolRun.Pack}'", StringComparison.Ordinal));
        var run = ToolRun.Of("run", yaml, "--out", _folder.File("out"));
        Assert.Equal(2, run.Code);
        Assert.Contains(code, run.Error, StringComparison.Ordinal);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
    }

    private static List<Dictionary<string, string>> Table(string path)
    {
        using var csv = CsvHelper.CsvReader.Create(new StreamReader(path), new CsvHelper.CsvReaderOptions { HasHeader = false });
        var rows = new List<string[]>();
        while (csv.Read()) rows.Add([.. Enumerable.Range(0, csv.FieldCount).Select(csv.GetString)]);
        return [.. rows.Skip(1).Select(r => rows[0].Zip(r).ToDictionary(c => c.First, c => c.Second))];
    }

    [Theory]
    [InlineData(2, "FF5150", "match", "--pack", "PACK", "--from", "0", "--to", "1", "--out", "map.txt")]
    [InlineData(2, "FF4001", "match", "--pack", "PACK", "--from", "0", "--to", "7")]
    [InlineData(2, "FF6001", "match", "--pack", "PACK", "--from", "0", "--to", "1", "--weights", "1,2")]
    [InlineData(3, "FF5151", "compose", "BAD", "--out", "x.csv")]
    public void Mistakes_are_told(int exit, string code, params string[] args)
    {
        var bad = _folder.File("bad.csv");
        File.WriteAllText(bad, "source,target\n1,x\n");
        var run = ToolRun.Of([.. args.Select(a => a switch { "PACK" => ToolRun.Pack, "BAD" => bad, _ when a.EndsWith(".txt", StringComparison.Ordinal) => _folder.File(a), _ => a })]);
        Assert.Equal(exit, run.Code);
        Assert.Contains(code, run.Error, StringComparison.Ordinal);
    }
}
