using FeatureFlow.Saes;

namespace FeatureFlow.Flow.Tests;

/// <summary>What must hold of any flow graph, on random packs.</summary>
public sealed class GraphPropertyTests
{
    private const int Layers = 5;
    private const int Features = 24;

    public static TheoryData<int, int, FlowDirection, ForwardModules> Cases()
    {
        var data = new TheoryData<int, int, FlowDirection, ForwardModules>();
        foreach (var seed in new[] { 1, 2, 3 })
        {
            foreach (var top in new[] { 1, 3 })
            {
                foreach (var direction in Enum.GetValues<FlowDirection>())
                {
                    foreach (var modules in Enum.GetValues<ForwardModules>()) data.Add(seed, top, direction, modules);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Edges_join_neighbouring_points_and_never_close_a_circle(int seed, int top, FlowDirection direction, ForwardModules modules)
    {
        var graph = Stack(seed).Graph(new FeatureId(2, Site.Res, seed), Options(top, direction, modules));
        var nodes = graph.Nodes.ToDictionary(n => n.Id);
        Assert.NotEmpty(graph.Edges);
        foreach (var edge in graph.Edges)
        {
            var (target, source) = (nodes[edge.Target], nodes[edge.Predecessor]);
            var step = (target.Site, source.Site) switch
            {
                ("res", "res") or ("mlp" or "att", "res") => 1,
                ("res", "mlp" or "att") => 0,
                _ => -1,
            };
            Assert.Equal(step, target.Layer - source.Layer);
            Assert.Equal(edge.Kind, target.Site == "res" ? source.Site : target.Site);
        }

        AssertAcyclic(graph);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Higher_thresholds_give_a_part_of_the_graph(int seed, int top, FlowDirection direction, ForwardModules modules)
    {
        var stack = Stack(seed);
        var (loose, tight) = (Options(top, direction, modules), Options(top, direction, modules) with { Thresholds = new Thresholds(0.45, 0.4, 0.42) });
        var whole = stack.Graph(new FeatureId(2, Site.Res, 7), loose);
        var part = stack.Graph(new FeatureId(2, Site.Res, 7), tight);
        Assert.Subset(whole.Nodes.Select(n => n.Id).ToHashSet(), part.Nodes.Select(n => n.Id).ToHashSet());
        Assert.Subset(whole.Edges.ToHashSet(), part.Edges.ToHashSet());
        Assert.All(part.Edges, e => Assert.True(e.Similarity >= (e.Kind == "res" ? 0.45 : e.Kind == "mlp" ? 0.4 : 0.42)));
        Assert.All(whole.Edges.Except(part.Edges), e => Assert.True(
            e.Similarity < (e.Kind == "res" ? 0.45 : e.Kind == "mlp" ? 0.4 : 0.42) || !part.Nodes.Any(n => n.Id == e.Target) || !part.Nodes.Any(n => n.Id == e.Predecessor) || direction != FlowDirection.Backward));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Both_is_the_union_of_backward_and_forward(int seed, int top, FlowDirection direction, ForwardModules modules)
    {
        _ = direction;
        var stack = Stack(seed);
        var id = new FeatureId(2, Site.Res, 5);
        var (back, forth, both) = (
            stack.Graph(id, Options(top, FlowDirection.Backward, modules)),
            stack.Graph(id, Options(top, FlowDirection.Forward, modules)),
            stack.Graph(id, Options(top, FlowDirection.Both, modules)));
        Assert.Equal(back.Nodes.Union(forth.Nodes).OrderBy(n => FeatureId.Parse(n.Id)), both.Nodes);
        Assert.Equal(back.Edges.Union(forth.Edges).ToHashSet(), both.Edges.ToHashSet());
        Assert.Equal((back.SpanStart, forth.SpanEnd), (both.SpanStart, both.SpanEnd));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Many_at_once_are_the_same_graphs_as_one_by_one(int seed, int top, FlowDirection direction, ForwardModules modules)
    {
        var stack = Stack(seed);
        FeatureId[] seeds = [new(4, Site.Res, 3), new(0, Site.Res, 2), new(2, Site.Mlp, 9), new(2, Site.Res, 9), new(4, Site.Res, 3), new(1, Site.Att, 0)];
        var many = stack.Graphs(seeds, Options(top, direction, modules));
        for (var i = 0; i < seeds.Length; i++)
        {
            var one = stack.Graph(seeds[i], Options(top, direction, modules));
            Assert.Equal(one.Nodes, many[i].Nodes);
            Assert.Equal(one.Edges, many[i].Edges);
            Assert.Equal(one.Notes, many[i].Notes);
            Assert.Equal((one.Seed, one.SpanStart, one.SpanEnd), (many[i].Seed, many[i].SpanStart, many[i].SpanEnd));
        }
    }

    [Fact]
    public void One_match_per_site_gives_one_residual_node_a_layer_going_back()
    {
        var graph = Stack(4).Graph(new FeatureId(4, Site.Res, 0), Options(1, FlowDirection.Backward, default));
        Assert.All(graph.Nodes.GroupBy(n => (n.Layer, n.Site)), g => Assert.Single(g));
        Assert.Equal(3 * Layers, graph.Nodes.Count);
        Assert.Equal((0, 4), (graph.SpanStart, graph.SpanEnd));
    }

    [Fact]
    public void Every_similarity_and_score_is_the_cosine_of_its_decoder_rows()
    {
        var stack = Stack(5);
        var graph = stack.Graph(new FeatureId(2, Site.Res, 1), Options(2, FlowDirection.Both, default));
        Assert.All(graph.Edges, e => Assert.Equal(stack.Cosine(FeatureId.Parse(e.Target), FeatureId.Parse(e.Predecessor)), e.Similarity, 12));
        Assert.All(graph.Nodes.Where(n => n.Site == "res"), n =>
        {
            var id = FeatureId.Parse(n.Id);
            double? Best(Place p) => stack.Pack.Find(p.Layer, p.Site) is null ? null : Enumerable.Range(0, Features).Max(j => stack.Cosine(id, p.Feature(j)));
            Assert.Equal(Best(new Place(n.Layer - 1, Site.Res)), n.ScoreRes);
            Assert.Equal(Best(new Place(n.Layer, Site.Mlp)), n.ScoreMlp);
            Assert.Equal(Best(new Place(n.Layer, Site.Att)), n.ScoreAtt);
        });
    }

    [Fact]
    public void A_backward_graph_reads_every_decoder_once()
    {
        var stack = Stack(6);
        stack.Graph(new FeatureId(4, Site.Res, 0), Options(3, FlowDirection.Backward, default));
        Assert.Equal(stack.Reads.Distinct(), stack.Reads);
        Assert.Equal((3 * Layers) - 1, stack.Reads.Count); // all but the seed's own
    }

    [Theory]
    [InlineData(FlowDirection.Forward)]
    [InlineData(FlowDirection.Both)]
    public void A_forward_graph_reads_module_decoders_once_and_residual_ones_twice_at_most(FlowDirection direction)
    {
        foreach (var modules in Enum.GetValues<ForwardModules>())
        {
            var stack = Stack(6);
            stack.Graph(new FeatureId(2, Site.Res, 0), Options(3, direction, modules));
            Assert.All(stack.Reads.CountBy(r => r), r => Assert.True(r.Value <= (r.Key.IsResidual ? 2 : 1), $"{r.Key} read {r.Value} times"));
        }
    }

    [Fact]
    public void A_cut_graph_stops_reading()
    {
        var stack = Stack(7);
        var graph = stack.Graph(new FeatureId(4, Site.Res, 0), new FlowGraphOptions { Thresholds = new Thresholds(1, 1, 1) });
        Assert.Equal("4/res/0", Assert.Single(graph.Nodes).Id);
        Assert.Equal((4, 4), (graph.SpanStart, graph.SpanEnd));
        Assert.Equal(FeatureClass.D, graph.Nodes[0].Class);
        Assert.NotNull(graph.Nodes[0].ScoreRes);
        Assert.Equal(3, stack.Reads.Count);
    }

    [Fact]
    public void Thresholds_of_a_layer_apply_to_edges_whose_target_is_there()
    {
        var options = Options(1, FlowDirection.Both, default) with { LayerThresholds = new Dictionary<int, Thresholds> { [1] = new(1, -1, 1), [4] = new(1, 1, -1) } };
        var graph = Stack(8).Graph(new FeatureId(2, Site.Res, 0), options);
        Assert.Equal((1, 3), (graph.SpanStart, graph.SpanEnd));
        Assert.Contains(graph.Nodes, n => n is { Layer: 1, Site: "mlp" });
        Assert.DoesNotContain(graph.Nodes, n => n is { Layer: 1, Site: "att" });
        Assert.Contains(graph.Nodes, n => n is { Layer: 4, Site: "att" });
        Assert.DoesNotContain(graph.Nodes, n => n is { Layer: 4, Site: "mlp" or "res" });
    }

    [Fact]
    public void Too_many_nodes_are_refused_with_the_remedy()
    {
        var error = Assert.Throws<FeatureFlowException>(() => Stack(9).Graph(new FeatureId(4, Site.Res, 0), Options(3, FlowDirection.Backward, default) with { MaxNodes = 20 }));
        Assert.Equal("FF4007", error.Code);
        Assert.Contains("4/res/0 passed 20 nodes at layer", error.Message, StringComparison.Ordinal);
    }

    private static MadeUpStack Stack(int seed) => MadeUpStack.Regular(seed, Layers, Features, 12);

    private static FlowGraphOptions Options(int top, FlowDirection direction, ForwardModules modules) => new()
    {
        Top = top,
        Direction = direction,
        ForwardModules = modules,
        Thresholds = new Thresholds(-1, -1, -1),
    };

    private static void AssertAcyclic(FlowGraph graph)
    {
        var before = graph.Edges.ToLookup(e => e.Target, e => e.Predecessor);
        var state = new Dictionary<string, int>();
        void Visit(string node)
        {
            Assert.False(state.GetValueOrDefault(node) == 1, $"a circle through {node}");
            if (state.GetValueOrDefault(node) == 2) return;
            state[node] = 1;
            foreach (var p in before[node]) Visit(p);
            state[node] = 2;
        }

        foreach (var node in graph.Nodes) Visit(node.Id);
    }
}
