using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary><c>featureflow match --method pearson</c>: tokens belong to it and to nothing else.</summary>
public sealed class PearsonMatchTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

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
