using FeatureFlow.Models.Texts;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests.Groups;

/// <summary>Activation groups against the reference results.</summary>
public sealed class GroupTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FlowEngine _engine = Stories.Engine();

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [DataFact]
    public void Groups_tests_and_overlaps_are_those_of_the_reference()
    {
        using var lease = _engine.Model(Path.Combine(Repository.Data!, "stories260k", "model"));
        var texts = SampledText.At(GoldenTokens.Documents(), Stories.Golden("positions.csv").Select(r => (r.Int("seq"), r.Int("pos"))));
        var report = GroupMeasurement.Measure(Stories.Open(_folder, _engine), lease.Model, texts);

        Assert.Equal(Stories.Golden("groups.csv").Select(r => (r.Int("layer"), r["group"], r.Int("count"))), report.Counts().Select(c => (c.Layer, c.Group.Name(), c.Count)));

        var tests = report.Tests();
        var expected = Stories.Golden("mannwhitney.csv");
        Assert.Equal(expected.Select(r => (r.Int("layer"), r["score"], r["group_a"], r["group_b"], r["kind"], r.Int("n_a"), r.Int("n_b"))), tests.Select(t => (t.Layer, t.Score.SiteName(), t.GroupA.Name(), t.GroupB.Name(), t.Kind, t.CountA, t.CountB)));
        foreach (var (row, test) in expected.Zip(tests))
        {
            Assert.True(Math.Abs(row.Number("u") - test.U) <= 2, $"{test}");
            Assert.True(Math.Abs(row.Number("p") - test.P) <= 0.02 * row.Number("p"), $"{test} {row["p"]}");
        }

        Assert.Equal(Stories.Golden("mannwhitney_summary.csv").Select(r => (r["score"], r["kind"], r.Int("tests"), r.Int("significant"))), report.Summary(tests).Select(s => (s.Score.SiteName(), s.Kind, s.Tests, s.Significant)));

        foreach (var (row, overlap) in Stories.Golden("appears_as.csv").Zip(report.Overlaps()))
        {
            Assert.Equal((row["group_a"], row["group_b"]), (overlap.GroupA.Name(), overlap.GroupB.Name()));
            Assert.Equal(row.Number("probability"), overlap.Probability!.Value, 12);
        }
    }

    [DataFact]
    public void Activations_are_those_of_the_reference()
    {
        using var lease = _engine.Model(Path.Combine(Repository.Data!, "stories260k", "model"));
        var texts = SampledText.At(GoldenTokens.Documents(), Stories.Golden("positions.csv").Take(10).Select(r => (r.Int("seq"), r.Int("pos"))));
        var report = GroupMeasurement.Measure(Stories.Open(_folder, _engine), lease.Model, texts);
        var expected = Stories.Golden("activations.csv").Where(r => r["site"] == "res").ToDictionary(r => (r.Int("seq"), r.Int("pos"), r.Int("layer"), r.Int("index")), r => r.Number("activation"));
        Assert.Equal(expected.Count, report.Occurrences.Count);
        foreach (var o in report.Occurrences) Assert.Equal(expected[(texts[o.Text].Sequence, o.Position, o.Layer, o.Index)], o.Activation, 1e-4);
    }

    [Fact]
    public void Positions_that_do_not_exist_are_refused()
    {
        (string, TokenDocument)[] documents = [("a", new TokenDocument([1, 5, 6], true, "a"))];
        Assert.Equal("FF4080", Assert.Throws<FeatureFlowException>(() => SampledText.At(documents, [(1, 1)])).Code);
        Assert.Equal("FF4081", Assert.Throws<FeatureFlowException>(() => SampledText.At(documents, [(0, 0)])).Code);
        Assert.Equal("FF4081", Assert.Throws<FeatureFlowException>(() => SampledText.At(documents, [(0, 3)])).Code);
        Assert.Equal([1, 2], SampledText.At(documents, [(0, 1), (0, 2), (0, 2)])[0].Positions);
    }

    [Fact]
    public void Groups_have_the_names_of_the_paper() =>
        Assert.Equal(["From RES", "From MLP", "From ATT", "From RES & MLP", "From RES & ATT", "From MLP & ATT", "From RES & MLP & ATT", "From nowhere"], ActivationGroups.All.Select(g => g.Name()));

    [Fact]
    public void Score_kinds_say_where_the_site_is_active()
    {
        Assert.Equal("AO", GroupReport.Kind(PredecessorSites.Res, PredecessorSites.Res, PredecessorSites.Mlp));
        Assert.Equal("AB", GroupReport.Kind(PredecessorSites.Res, PredecessorSites.Res, PredecessorSites.Res | PredecessorSites.Att));
        Assert.Equal("IB", GroupReport.Kind(PredecessorSites.Att, PredecessorSites.Res, PredecessorSites.None));
    }
}
