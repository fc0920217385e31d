using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests.Causal;

/// <summary>Evidence on the edges of flow graphs.</summary>
public sealed class GraphVerifierTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FlowEngine _engine = Stories.Engine();
    private readonly OpenedPack _pack;

    public GraphVerifierTests() => _pack = Stories.Open(_folder, _engine);

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [DataFact]
    public void Edges_carry_what_cutting_them_does()
    {
        using var lease = Model();
        var graph = FlowGraphBuilder.Build(_pack, new FeatureId(4, Site.Res, 40), new FlowGraphOptions { Thresholds = new Thresholds(0.3, 0.15, 0.15) });
        var verified = GraphVerifier.Verify(_pack, lease.Model, Documents(), graph, tokens: 10);
        Assert.Equal(graph.Edges.Count, verified.Edges.Count);
        Assert.All(verified.Edges, e => Assert.Equal(e.Target.Contains("/res/", StringComparison.Ordinal), e.Evidence is not null));
        var tried = verified.Edges.Where(e => e.Evidence?.Count > 0).ToList();
        Assert.NotEmpty(tried);
        Assert.All(tried, e => Assert.True(e.Evidence!.Count <= 10 && e.Evidence.Success!.Value.Value is >= 0 and <= 1 && e.Evidence.Change!.Value.Value <= 1 + 1e-9 + 10));
        Assert.Contains(tried, e => e.Evidence!.Change!.Value.Value > 0.1);

        IsWhatWholePassesGive(lease.Model, tried.First(e => e.Evidence!.Count < 10));
    }

    [DataFact]
    public void Edges_into_modules_carry_it_too()
    {
        using var lease = Model();
        var options = new FlowGraphOptions { Direction = FlowDirection.Forward, Thresholds = new Thresholds(0.2, 0.1, 0.1) };
        var graphs = FlowGraphBuilder.BuildMany(_pack, [.. new[] { 7, 40, 84, 92, 120 }.Select(i => new FeatureId(1, Site.Res, i))], options).ToList();
        var verified = GraphVerifier.VerifyMany(_pack, lease.Model, Documents(), graphs, tokens: 100);
        Assert.All(verified.SelectMany(g => g.Edges), e => Assert.NotNull(e.Evidence));
        var edges = verified.SelectMany(g => g.Edges).Where(e => e.Evidence!.Count is > 0 and < 100 && FeatureId.Parse(e.Target).Site != Site.Res).ToList();
        Assert.NotEmpty(edges);

        IsWhatWholePassesGive(lease.Model, edges.MinBy(e => e.Evidence!.Count)!);
    }

    [Fact]
    public void Pruning_leaves_what_the_seed_still_reaches()
    {
        static FlowNode Node(string id) => new() { Id = id, Layer = FeatureId.Parse(id).Layer, Site = "res", Index = FeatureId.Parse(id).Index };
        static FlowEdge Edge(string target, string predecessor, double? change) => new(target, predecessor, 0.9, "res") { Evidence = change is { } c ? new EdgeEvidence(5, new Interval(0, 0, 1, 5), new Interval(c, c, c, 5)) : null };
        var graph = new FlowGraph
        {
            PackName = "p",
            Pack = "p",
            Seed = "3/res/1",
            Options = new FlowGraphOptions(),
            SpanStart = 0,
            SpanEnd = 3,
            Nodes = [Node("0/res/1"), Node("1/res/1"), Node("1/res/2"), Node("2/res/1"), Node("3/res/1")],
            Edges = [Edge("3/res/1", "2/res/1", 0.5), Edge("2/res/1", "1/res/1", 0.01), Edge("2/res/1", "1/res/2", null), Edge("1/res/1", "0/res/1", 0.9)],
        };
        var pruned = GraphVerifier.Pruned(graph, 0.1);
        Assert.Equal(["1/res/2", "2/res/1", "3/res/1"], pruned.Nodes.Select(n => n.Id));
        Assert.Equal(["2/res/1", "1/res/2"], pruned.Edges.Select(e => e.Predecessor));
        Assert.Equal((1, 3), (pruned.SpanStart, pruned.SpanEnd));
        Assert.Equal("1 edge left out, with less effect than 0.1: 1/res/1 → 2/res/1 (0.01)", Assert.Single(pruned.Notes));
        Assert.Equal(0.1, pruned.MinimumEffect);
        Assert.Empty(GraphVerifier.Pruned(graph, -1).Notes);
        Assert.Equal(5, GraphVerifier.Pruned(graph, -1).Nodes.Count);
    }

    private ModelLease Model() => _engine.Model(Path.Combine(Repository.Data!, "stories260k", "model"));

    private static List<TokenDocument> Documents() => [.. GoldenTokens.Documents().Take(12).Select(d => d.Document)];

    // the same cut in whole passes, at every token where both ends are active
    private void IsWhatWholePassesGive(LanguageModel model, FlowEdge edge)
    {
        var (target, predecessor) = (FeatureId.Parse(edge.Target), FeatureId.Parse(edge.Predecessor));
        var changes = new List<double>();
        using var set = new InterventionSet(_pack, model, [[new FeatureEdit(predecessor, EditMethod.Rescale, 0)]]);
        foreach (var document in Documents())
        {
            using var clean = new TargetReader(_pack, model.Engine, [target, predecessor]);
            model.Forward(new TokenBatch([document.Ids]), new ForwardOptions { Hook = clean, Logits = LogitsWanted.None }).Dispose();
            for (var t = document.FirstPosition; t < document.Ids.Length; t++)
            {
                if (!(clean.Activation(target, t) > 0 && clean.Activation(predecessor, t) > 0)) continue;
                using var hook = set.Hook([new RowEdits(0, EditPositions.At(t))]);
                using var cut = new TargetReader(_pack, model.Engine, [target]);
                model.Forward(new TokenBatch([document.Ids]), new ForwardOptions { Hook = new SiteHooks(hook, cut), Logits = LogitsWanted.None }).Dispose();
                changes.Add(1 - ((double)cut.Activation(target, t)!.Value / clean.Activation(target, t)!.Value));
            }
        }

        Assert.Equal(changes.Count, edge.Evidence!.Count);
        Assert.Equal(changes.Average(), edge.Evidence.Change!.Value.Value, 1e-4);
    }
}
