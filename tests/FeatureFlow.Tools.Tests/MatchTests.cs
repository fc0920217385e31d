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
