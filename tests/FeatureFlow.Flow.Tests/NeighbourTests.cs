using FeatureFlow.Saes;

namespace FeatureFlow.Flow.Tests;

/// <summary>Packs that are not a plain stack of res, mlp and att.</summary>
public sealed class NeighbourTests
{
    private static readonly FlowGraphOptions Everything = new() { Thresholds = new Thresholds(-1, -1, -1), Direction = FlowDirection.Both };

    [Fact]
    public void A_pack_without_a_site_leaves_it_out_and_says_so()
    {
        var stack = Stack((0, Site.Res), (1, Site.Res), (2, Site.Res), (0, Site.Mlp), (2, Site.Mlp));
        var graph = stack.Graph(new FeatureId(2, Site.Res, 0), Everything);
        Assert.Equal(["mlp at layer 1: the pack has no SAE there", "att at layers 0-2: the pack has no SAE there"], graph.Notes);
        Assert.All(graph.Nodes, n => Assert.Null(n.ScoreAtt));
        Assert.Null(graph.Nodes.Single(n => n is { Layer: 1, Site: "res" }).ScoreMlp);
        Assert.Equal(["0/mlp", "0/res", "1/res", "2/mlp", "2/res"], graph.Nodes.Select(n => $"{n.Layer}/{n.Site}").Order());
    }

    [Fact]
    public void Residual_input_sites_stand_for_the_output_of_the_layer_below()
    {
        // GPT-2 residual packs: resid_pre of every layer, resid_post of the last
        var stack = Stack((0, Site.ResPre), (1, Site.ResPre), (2, Site.ResPre), (2, Site.Res), (0, Site.Mlp), (1, Site.Mlp), (2, Site.Mlp));
        var graph = stack.Graph(new FeatureId(2, Site.Res, 0), Everything);
        Assert.Equal(
            ["1/res_pre>0/mlp", "1/res_pre>0/res_pre", "2/res>2/mlp", "2/res>2/res_pre", "2/res_pre>1/mlp", "2/res_pre>1/res_pre"],
            graph.Edges.Select(Shape).Order(StringComparer.Ordinal));
        var forward = stack.Graph(new FeatureId(0, Site.ResPre, 3), Everything with { Direction = FlowDirection.Forward });
        Assert.Contains(forward.Edges, e => Shape(e) == "2/res>2/res_pre");
        Assert.Equal((0, 2), (forward.SpanStart, forward.SpanEnd));
    }

    [Fact]
    public void A_transcoder_stands_in_for_a_missing_mlp()
    {
        var stack = Stack((0, Site.Res), (1, Site.Res), (1, Site.Tc));
        var graph = stack.Graph(new FeatureId(1, Site.Res, 0), Everything);
        Assert.Equal("tc", Assert.Single(graph.Edges, e => e.Kind != "res").Kind);
        Assert.NotNull(graph.Nodes.Single(n => n.Id == "1/res/0").ScoreMlp);
        Assert.Contains("mlp at layer 1: the pack has no SAE there; its transcoder stands in", graph.Notes);
    }

    [Fact]
    public void Decoders_of_another_width_are_left_out_with_the_widths()
    {
        var stack = new MadeUpStack(1, [(new(0, Site.Res), 8, 6), (new(1, Site.Res), 8, 6), (new(1, Site.Att), 8, 4), (new(1, Site.Mlp), 8, 6)]);
        var graph = stack.Graph(new FeatureId(1, Site.Res, 0), Everything);
        Assert.Contains("att at layer 1: left out, its decoder rows are 4 wide where those of res are 6", graph.Notes);
        Assert.DoesNotContain(graph.Nodes, n => n.Site == "att");
    }

    [Fact]
    public void Head_outputs_are_no_directions_of_the_stream_whatever_their_width()
    {
        var stack = Stack((0, Site.Res), (1, Site.Res), (1, Site.AttZ), (1, Site.Mlp));
        var graph = stack.Graph(new FeatureId(1, Site.Res, 0), Everything);
        Assert.Contains(graph.Notes, n => n.StartsWith("att_z at layer 1: left out, att_z holds the heads' outputs before the output projection", StringComparison.Ordinal));
        Assert.DoesNotContain(graph.Nodes, n => n.Site == "att_z");
    }

    [Fact]
    public void Named_sites_are_taken_or_refused()
    {
        var stack = Stack((0, Site.Res), (1, Site.Res), (1, Site.AttZ), (1, Site.Mlp), (1, Site.ResPre));
        var neighbours = new Neighbours(stack.Pack, stack);
        Assert.Equal([new Place(1, Site.Mlp), new Place(0, Site.Res), new Place(1, Site.ResPre)], neighbours.Named(new Place(1, Site.Res), Side.Before, [Site.Mlp, Site.Res, Site.ResPre, Site.Mlp]));
        Assert.Equal([new Place(1, Site.Mlp), new Place(1, Site.Res)], neighbours.Named(new Place(0, Site.Res), Side.After, [Site.Mlp, Site.Res]));
        Assert.Equal([new Place(1, Site.Res)], neighbours.Named(new Place(1, Site.Mlp), Side.After, [Site.Res]));
        Assert.Empty(neighbours.Named(new Place(0, Site.Res), Side.Before, [Site.Res]));
        Assert.Empty(neighbours.Notes());

        Assert.Equal("FF4003", Code(() => neighbours.Named(new Place(1, Site.Res), Side.Before, [Site.Att])));
        Assert.Equal("FF4004", Code(() => neighbours.Named(new Place(1, Site.Res), Side.Before, [Site.AttZ])));
        Assert.Equal("FF4006", Code(() => neighbours.Named(new Place(1, Site.Mlp), Side.Before, [Site.Mlp])));
    }

    [Fact]
    public void A_module_feature_is_a_leaf_backward_and_leads_into_the_stream_forward()
    {
        var stack = MadeUpStack.Regular(3, 3, 8, 6);
        var back = stack.Graph(new FeatureId(1, Site.Mlp, 2), Everything with { Direction = FlowDirection.Backward });
        Assert.Equal("1/mlp/2", Assert.Single(back.Nodes).Id);
        Assert.Equal("1/mlp/2 is a module feature: a leaf of backward graphs, which are about residual features.", Assert.Single(back.Notes));
        Assert.Equal((1, 1), (back.SpanStart, back.SpanEnd));

        var forward = stack.Graph(new FeatureId(1, Site.Mlp, 2), Everything with { Direction = FlowDirection.Forward });
        var first = Assert.Single(forward.Edges, e => e.Predecessor == "1/mlp/2");
        Assert.Equal("mlp", first.Kind);
        Assert.StartsWith("1/res/", first.Target, StringComparison.Ordinal);
        Assert.Equal((1, 2), (forward.SpanStart, forward.SpanEnd));
        Assert.Equal(["1/mlp", "1/res", "2/att", "2/mlp", "2/res"], forward.Nodes.Select(n => $"{n.Layer}/{n.Site}").Order());
    }

    [Fact]
    public void A_dead_feature_matches_nothing()
    {
        var stack = MadeUpStack.Regular(3, 3, 8, 6);
        stack.Kill(new FeatureId(2, Site.Res, 4));
        var graph = stack.Graph(new FeatureId(2, Site.Res, 4), Everything);
        Assert.Equal("2/res/4", Assert.Single(graph.Nodes).Id);
        Assert.Empty(graph.Edges);
        Assert.Equal((0, 0d, FeatureClass.B), (graph.Nodes[0].Norm, graph.Nodes[0].ScoreRes, graph.Nodes[0].Class)); // thresholds of −1 call 0 high
    }

    [Fact]
    public void Fewer_features_than_asked_for_are_all_there_are()
    {
        var stack = new MadeUpStack(2, [(new(0, Site.Res), 2, 6), (new(1, Site.Res), 3, 6)]);
        var graph = stack.Graph(new FeatureId(1, Site.Res, 0), Everything with { Top = 9 });
        Assert.All(graph.Nodes, n => Assert.True(n.Index >= 0));
        Assert.InRange(graph.Nodes.Count, 1, 3);
    }

    private static string Code(Action action) => Assert.Throws<FeatureFlowException>(action).Code;

    private static string Shape(FlowEdge edge) => $"{edge.Target[..edge.Target.LastIndexOf('/')]}>{edge.Predecessor[..edge.Predecessor.LastIndexOf('/')]}";

    private static MadeUpStack Stack(params (int Layer, Site Site)[] places) => new(1, places.Select(p => (new Place(p.Layer, p.Site), 8, 6)));
}
