using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary><c>featureflow match --method pearson</c>: tokens belong to it and to nothing else.</summary>
public sealed class PearsonMatchTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory, InlineData("assignment"), InlineData("pearson")]
    public void Searches_and_graphs_go_by_it(string method)
    {
        var world = Repository.Example("storyworld");
        string[] how = ["--method", method, .. method == "pearson" ? ["--text", "The ship sailed to the island. The captain saw a whale."] : Array.Empty<string>()];
        var rows = Csv(["predecessors", "--pack", world, "--feature", "3/res/199", "--sites", "res", "--json", .. how]);
        var edges = Csv(["graph", "--pack", world, "--feature", "3/res/199", "--t-res", "0", "--json", .. how]);
        Assert.Contains($"by {(method == "pearson" ? "pearson" : "permutation")}", edges, StringComparison.Ordinal);
        using var found = System.Text.Json.JsonDocument.Parse(rows);
        var source = found.RootElement[0].GetProperty("source_index").GetInt32();
        Assert.Contains(FormattableString.Invariant($"\"target\":\"3/res/199\",\"predecessor\":\"2/res/{source}\""), edges, StringComparison.Ordinal);
        Assert.Contains("From RES", Csv(["groups", "--pack", world, "--layers", "3", "--out", Path.Combine(Path.GetTempPath(), "ff-groups-" + Guid.NewGuid().ToString("n")), .. how, .. method == "pearson" ? Array.Empty<string>() : ["--text", "The ship sailed."]]), StringComparison.Ordinal);

        static string Csv(string[] args) => ToolRun.Of(args).Ok().Out;
    }

    [Fact]
    public void Correlations_over_a_text_are_positive_and_at_most_one()
    {
        var map = _folder.File("map.csv");
        ToolRun.Of("match", "--pack", Repository.Example("storyworld"), "--from", "0", "--to", "1", "--method", "pearson", "--text", "The ship sailed to the island. The captain saw a whale.", "--out", map).Ok();
        var rows = File.ReadAllLines(map).Skip(1).Select(l => l.Split(',')).ToList();
        Assert.NotEmpty(rows);
        Assert.All(rows, r => Assert.InRange(double.Parse(r[3], System.Globalization.CultureInfo.InvariantCulture), 1e-12, 1 + 1e-9));
        Assert.Equal(rows.Count, rows.Select(r => r[0]).Distinct().Count());
    }

    [Theory]
    [InlineData("--method", "pearson")]
    [InlineData("--method", "cosine", "--text", "a")]
    public void Tokens_go_with_correlation_alone(params string[] more) =>
        Assert.Equal((int)FailureKind.Usage, ToolRun.Of(["match", "--pack", Repository.Example("storyworld"), "--from", "0", "--to", "1", .. more]).Code);
}
