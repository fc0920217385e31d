using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Runs;

/// <summary><c>kind: groups</c> and <c>kind: deactivation</c>: the same results whole, in shares, stopped and resumed.</summary>
public sealed class LineageRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ExperimentFile File(string kind)
    {
        System.IO.File.WriteAllText(_folder.File("a.txt"), "The ship sailed to the island. The captain saw a whale.");
        System.IO.File.WriteAllText(_folder.File("b.txt"), "At the wedding, the doctor drank some wine and sang a song.");
        var path = _folder.File($"{kind}.yaml");
        System.IO.File.WriteAllText(path, $"version: 1\nkind: {kind}\npack: '{Repository.Example("storyworld")}'\ntexts: [a.txt, b.txt]\nlayers: 2-3\ntokens_per_text: 3\n"
            + (kind == "groups" ? "matchers: [top1, pearson]\n" : "documents: 2\ntargets_per_token: 2\nsweep_targets: 4\nsweep: [0, 1]\nlosses: 0\nstrategies: [top1, random, pearson, exhaustive]\n"));
        return ExperimentFile.Load(path);
    }

    [Theory, InlineData("groups", 8), InlineData("deactivation", 4)]
    public void Whole_in_shares_and_after_a_stop_the_results_are_the_same(string kind, int units)
    {
        var whole = ExperimentRunner.Run(File(kind), new RunOptions { Output = _folder.File("whole") });
        Assert.Equal(units, whole.Computed);
        var expected = Contents("whole");
        Assert.All(expected, f => Assert.NotEmpty(f.Value));
        Assert.Equal(0, ExperimentRunner.Run(File(kind), new RunOptions { Output = _folder.File("whole") }).Computed);

        for (var i = 0; i < 2; i++) ExperimentRunner.Run(File(kind), new RunOptions { Output = _folder.File($"share{i}"), Shard = new Shard(i, 2) });
        ExperimentRunner.Merge([_folder.File("share0"), _folder.File("share1")], _folder.File("merged"), []);
        Assert.Equal(expected, Contents("merged"));

        // a unit lost, another one cut off in the middle: a kill leaves no more than that
        var left = Directory.GetFiles(_folder.File("share0", "units")).Order(StringComparer.Ordinal).ToArray();
        System.IO.File.Delete(left[0]);
        System.IO.File.WriteAllText(left[1], System.IO.File.ReadAllText(left[1])[..40]);
        Assert.Equal(2 + (units / 2), ExperimentRunner.Run(File(kind), new RunOptions { Output = _folder.File("share0") }).Computed);
        Assert.Equal(expected, Contents("share0"));
    }

    [Fact]
    public void Groups_are_those_of_the_command()
    {
        ExperimentRunner.Run(File("groups"), new RunOptions { Output = _folder.File("out") });
        var pack = Session.Open(Repository.Example("storyworld"));
        using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
        var documents = new FeatureFlow.Models.Texts.TokenizeOptions().Tokenize(new FeatureFlow.Models.Texts.TextDocument("The ship sailed to the island. The captain saw a whale.", "a"), lease.Model.Tokenizer).Select(d => ("a.txt", d));
        var report = GroupMeasurement.Measure(pack, lease.Model, SampledText.Draw(documents, 3, 1), [2, 3]);
        GroupTables.Write(report, _folder.File("direct"));
        foreach (var table in new[] { "groups.csv", "mannwhitney.csv", "appears_as.csv", "scores.csv" })
        {
            var lines = System.IO.File.ReadLines(_folder.File("out", table)).Where(l => l.EndsWith(",dataset", StringComparison.Ordinal) || l.EndsWith(",a.txt", StringComparison.Ordinal));
            Assert.Equal(System.IO.File.ReadLines(_folder.File("direct", table)).Order(StringComparer.Ordinal), lines.Order(StringComparer.Ordinal));
        }

        // both matchers look at the same features
        var counts = System.IO.File.ReadLines(_folder.File("out", "groups.csv")).Skip(1).Sum(Count);
        Assert.True(counts > 0);
        Assert.Equal(counts, System.IO.File.ReadLines(_folder.File("out", "pearson_groups.csv")).Skip(1).Sum(Count));
        foreach (var figure in new[] { "groups_by_layer", "groups_by_dataset", "scores_and_activity", "significant_by_kind", "significant_by_pair", "score_distributions", "appears_as", "matchers", "pearson_appears_as" })
            Assert.StartsWith("<svg", System.IO.File.ReadAllText(_folder.File("out", "figures", $"{figure}.svg")), StringComparison.Ordinal);

        static int Count(string line) => int.Parse(line.Split(',')[2], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Deactivation_writes_tables_figures_and_claims()
    {
        ExperimentRunner.Run(File("deactivation"), new RunOptions { Output = _folder.File("out") });
        foreach (var table in new[] { "causal_0.csv", "causal_1.csv", "one_at_a_time_0.csv", "summary_1.csv", "rsweep_0.csv", "loss_0.csv", "claims_0.csv", "methods_0.csv" })
            Assert.True(System.IO.File.ReadLines(_folder.File("out", table)).Count() > 1, table);
        foreach (var figure in new[] { "strategies_0", "one_at_a_time_0", "groups_by_strategy_1", "group_after_0" })
            Assert.StartsWith("<svg", System.IO.File.ReadAllText(_folder.File("out", "figures", $"{figure}.svg")), StringComparison.Ordinal);
        var report = System.IO.File.ReadAllText(_folder.File("out", "report.html"));
        Assert.Contains("Do the paper&#39;s claims hold, a.txt?", report, StringComparison.Ordinal);
        Assert.Contains("exhaustive search bounds", report, StringComparison.Ordinal);
    }

    // everything but where each unit lies
    private Dictionary<string, string> Contents(string run) =>
        Directory.EnumerateFiles(_folder.File(run), "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(_folder.File(run), f).Replace('\\', '/'))
            .Where(f => !f.StartsWith("units", StringComparison.Ordinal) && f is not ("manifest.json" or "resolved.yaml"))
            .ToDictionary(f => f, f => System.IO.File.ReadAllText(_folder.File([run, .. f.Split('/')])));
}
