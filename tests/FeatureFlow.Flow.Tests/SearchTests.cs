using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>Features, predecessors and successors of the example pack, and everything that can be asked wrongly.</summary>
public sealed class SearchTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Features_stream_in_order_with_their_facts()
    {
        var descriptions = new FeatureDescriptions();
        descriptions.Add(new FeatureId(1, Site.Res, 7), new FeatureDescription("stories about cats", "m"));
        descriptions.Add(new FeatureId(1, Site.Res, 7), new FeatureDescription("animals"));
        var plain = Stories.Pack(_folder.File("pack.yaml"));
        var pack = Stories.Engine().Open(
            new Pack(plain.Name, plain.Source, null, plain.Saes.Select(s => s with { NeuronpediaId = s.Layer == 1 ? "stories/1-res" : null }), []), descriptions);

        var all = pack.Features(1, Site.Res).ToArray();
        Assert.Equal(Enumerable.Range(0, Stories.Features), all.Select(f => f.Index));
        Assert.Equal("stories about cats", all[7].Description);
        Assert.Equal(["stories about cats", "animals"], all[7].Descriptions.Select(d => d.Text));
        Assert.Equal("https://www.neuronpedia.org/stories/1-res/7", all[7].NeuronpediaUrl);
        Assert.Null(all[8].Description);
        Assert.Null(pack.Feature(new FeatureId(2, Site.Res, 7)).NeuronpediaUrl);
        Assert.All(all, f => Assert.Equal(1, f.Norm, 1e-5)); // trained with unit rows
        Assert.All(all, f => Assert.True(f.Threshold >= 0));
        Assert.Contains(all, f => f.Bias < 0);

        Assert.Equal([all[500], all[3], all[3]], pack.Features(1, Site.Res, [500, 3, 3]));
        Assert.Equal(all[9], pack.Feature(FeatureId.Parse("1/res/9")));
        Assert.Equal("1/res/9", all[9].ToString());
    }

    [Fact]
    public void Streaming_a_whole_sae_can_stop_early()
    {
        using var features = Stories.Open(_folder).Features(0, Site.Mlp).GetEnumerator();
        Assert.True(features.MoveNext());
    }

    [Fact]
    public void Successors_mirror_predecessors()
    {
        var pack = Stories.Open(_folder);
        var id = new FeatureId(3, Site.Res, 100);
        var into = PredecessorSearch.Find(pack, [id], 1).ToArray();
        Assert.Equal(["2/res", "3/mlp", "3/att"], into.Select(m => $"{m.SourceLayer}/{m.SourceSite}"));

        // whoever is a feature's best predecessor has it among its successors, with the same cosine
        foreach (var match in into)
        {
            var back = SuccessorSearch.Find(pack, [FeatureId.Parse(match.Source)], Stories.Features, [Site.Res]).Single(m => m.Source == match.Feature);
            Assert.Equal(match.Similarity, back.Similarity, 14);
        }

        var onward = SuccessorSearch.Find(pack, [id], 2).ToArray();
        Assert.Equal(["4/res", "4/res", "4/mlp", "4/mlp", "4/att", "4/att"], onward.Select(m => $"{m.SourceLayer}/{m.SourceSite}"));
        Assert.Empty(SuccessorSearch.Find(pack, [new FeatureId(4, Site.Res, 0)], 2));
        Assert.Equal(["3/res"], SuccessorSearch.Find(pack, [new FeatureId(3, Site.Att, 0)], 1).Select(m => $"{m.SourceLayer}/{m.SourceSite}"));
        Assert.Equal(["2/res"], PredecessorSearch.Find(pack, [new FeatureId(3, Site.Att, 0)], 1).Select(m => $"{m.SourceLayer}/{m.SourceSite}"));
    }

    [Fact]
    public void Answers_keep_the_order_of_the_questions_whatever_their_layers()
    {
        var pack = Stories.Open(_folder);
        FeatureId[] targets = [new(3, Site.Res, 9), new(1, Site.Mlp, 4), new(3, Site.Res, 2), new(0, Site.Res, 2), new(3, Site.Res, 9)];
        var matches = PredecessorSearch.Find(pack, targets, 2).ToArray();
        Assert.Equal(["3/res/9", "1/mlp/4", "3/res/2", "0/res/2", "3/res/9"], matches.Select(m => m.Feature).Aggregate(new List<string>(), (l, f) =>
        {
            if (l.Count == 0 || l[^1] != f) l.Add(f);
            return l;
        }));
        foreach (var target in targets.Distinct())
        {
            var alone = PredecessorSearch.Find(pack, [target], 2).ToArray();
            Assert.Equal(alone, matches.Where(m => m.Feature == target.ToString()).Take(alone.Length));
        }

        Assert.All(matches, m => Assert.InRange(m.Rank, 1, 2));
    }

    [Fact]
    public void Every_feature_of_a_layer_is_answered_as_when_asked_alone()
    {
        var pack = Stories.Open(_folder);
        var all = PredecessorSearch.Find(pack, [.. Enumerable.Range(0, Stories.Features).Select(i => new FeatureId(2, Site.Res, i))], 3).ToArray();
        Assert.Equal(Stories.Features * 9, all.Length);
        foreach (var index in new[] { 0, 17, 300, 511 })
        {
            Assert.Equal(PredecessorSearch.Find(pack, [new FeatureId(2, Site.Res, index)], 3), all.Where(m => m.Index == index));
        }
    }

    [Theory]
    [InlineData("9/res/0", "FF4001", "has no SAE at 9/res; it has res at layers 0-4; mlp at layers 0-4; att at layers 0-4")]
    [InlineData("1/tc/0", "FF4001", "has no SAE at 1/tc")]
    [InlineData("1/res/512", "FF4002", "There is no feature 1/res/512; 1/res has features 0 to 511")]
    public void Features_that_are_not_there_are_named(string feature, string code, string text)
    {
        var (pack, id) = (Stories.Open(_folder), FeatureId.Parse(feature));
        AssertUsage(code, text, () => pack.Feature(id));
        AssertUsage(code, text, () => PredecessorSearch.Find(pack, [id], 5));
        AssertUsage(code, text, () => SuccessorSearch.Find(pack, [id], 5));
        AssertUsage(code, text, () => FlowGraphBuilder.Build(pack, id, new FlowGraphOptions()));
        AssertUsage(code, text, () => pack.Features(id.Layer, id.Site, [0, id.Index]));
    }

    [Fact]
    public void Wrong_questions_are_answered_before_any_work()
    {
        var (pack, id) = (Stories.Open(_folder), new FeatureId(1, Site.Res, 0));
        AssertUsage("FF4005", "0 matches per site", () => PredecessorSearch.Find(pack, [id], 0));
        AssertUsage("FF4005", "1025 matches per site", () => SuccessorSearch.Find(pack, [id], 1025));
        AssertUsage("FF4005", "0 matches per site", () => FlowGraphBuilder.Build(pack, id, new FlowGraphOptions { Top = 0 }));
        AssertUsage("FF4003", "no SAE at tc of any layer", () => PredecessorSearch.Find(pack, [id], 1, [Site.Tc]));
        AssertUsage("FF4006", "mlp features are compared with the residual stream only; ask for predecessors in res or res_pre, not att", () => PredecessorSearch.Find(pack, [new(1, Site.Mlp, 0)], 1, [Site.Att]));
        AssertUsage("FF4008", "The residual threshold 1.5 is not a cosine", () => FlowGraphBuilder.Build(pack, id, new FlowGraphOptions { Thresholds = new(1.5, 0, 0) }));
        AssertUsage("FF4008", "The attention threshold NaN is not a cosine", () => StaticClasses.Classify(pack, new(0.5, 0, double.NaN)));
        AssertUsage("FF4001", "has no SAE at 7/res", () => StaticClasses.Classify(pack, Thresholds.Default, layers: [7]));
        Assert.Equal(0, pack.Engine.Status.OpenSaes - 2); // res and mlp of layer 1, for the number of their features
    }

    [Fact]
    public void Classes_can_be_asked_by_layer_and_with_thresholds_of_layers()
    {
        var pack = Stories.Open(_folder);
        var some = StaticClasses.Classify(pack, new(0.5, 0.5, 0.5), new Dictionary<int, Thresholds> { [3] = new(-1, -1, -1) }, [3, 1]).ToArray();
        Assert.Equal([1, 3], some.Select(f => f.Layer).Distinct());
        Assert.All(some.Where(f => f.Layer == 3), f => Assert.Equal(FeatureClass.B, f.Class));
        Assert.Equal(171, some.Count(f => f is { Layer: 1, Class: FeatureClass.A })); // classes.csv
        Assert.All(some.Take(5), f => Assert.Equal(PredecessorSearch.Find(pack, [new(f.Layer, Site.Res, f.Index)], 1, [Site.Mlp]).Single().Similarity, f.ScoreMlp));
    }

    [Theory]
    [InlineData(0.5, 0.1, 0.1, "A")]
    [InlineData(0.9, 0.5, 0.1, "B")]
    [InlineData(0.9, 0.1, 0.5, "B")]
    [InlineData(0.49, 0.9, 0.9, "C")]
    [InlineData(0.49, 0.49, 0.49, "D")]
    [InlineData(null, 0.5, null, "C")]
    [InlineData(null, null, null, "D")]
    public void The_four_classes(double? res, double? mlp, double? att, string expected) =>
        Assert.Equal(expected, StaticClasses.Of(res, mlp, att, new(0.5, 0.5, 0.5)).ToString());

    [Fact]
    public void Cancellation_is_honoured()
    {
        var pack = Stories.Open(_folder);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => FlowGraphBuilder.Build(pack, new(3, Site.Res, 0), new(), cancelled.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => PredecessorSearch.Find(pack, [new(3, Site.Res, 0)], 1, null, cancelled.Token).Count());
        Assert.ThrowsAny<OperationCanceledException>(() => StaticClasses.Count(pack, Thresholds.Default, cancel: cancelled.Token));
    }

    [Fact]
    public void Progress_rises_to_one()
    {
        var pack = Stories.Open(_folder);
        var seen = new List<FlowProgress>();
        FlowGraphBuilder.Build(pack, new(4, Site.Res, 208), new() { Thresholds = new(-1, -1, -1), Direction = FlowDirection.Both }, new Collect(seen));
        Assert.Equal(seen.Select(p => p.Done).Order(), seen.Select(p => p.Done));
        Assert.Equal(1, seen[^1].Done);
        Assert.True(seen.Count > 10);
        Assert.Contains(seen, p => p.Stage == "matching in 2/mlp");
    }

    private static void AssertUsage(string code, string text, Func<object?> action)
    {
        var error = Assert.Throws<FeatureFlowException>(() =>
        {
            action();
        });
        Assert.Equal((code, FailureKind.Usage), (error.Code, error.Kind));
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
    }

    private sealed class Collect(List<FlowProgress> into) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value)
        {
            lock (into) into.Add(value);
        }
    }
}
