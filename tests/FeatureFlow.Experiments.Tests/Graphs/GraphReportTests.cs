using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

/// <summary>The report as a file; <see cref="GraphReportBrowserTests"/> runs it.</summary>
public sealed partial class GraphReportTests
{
    [Fact]
    public void The_page_around_scripts_and_styles()
    {
        var page = GraphReport.Render([TestGraphs.AwkwardText], "a <title> & \"more\"\u2028");
        page = Style().Replace(page, "<style>...</style>");
        page = Script().Replace(page, "<script type=\"module\">...</script>");
        page = Regex.Replace(page, "sha256-[^']+", "sha256-...").Replace($"FeatureFlow {Generator.Current.Version}", "FeatureFlow VERSION", StringComparison.Ordinal);
        page = page.Replace($"\"{Generator.Current.Version}\"", "\"VERSION\"", StringComparison.Ordinal);
        Golden.Check("FeatureFlow.Experiments/graphs/awkward.html", page);
    }

    [Fact]
    public void The_policy_allows_this_style_and_this_script_and_nothing_else()
    {
        var page = GraphReport.Render([TestGraphs.AwkwardText], "x");
        var policy = Regex.Match(page, "<meta http-equiv=\"Content-Security-Policy\" content=\"([^\"]+)\">").Groups[1].Value;
        Assert.StartsWith("default-src 'none'; ", policy, StringComparison.Ordinal);
        Assert.Equal([$"style-src {Hash(Style().Match(page).Groups[1].Value)}", $"script-src {Hash(Script().Match(page).Groups[1].Value)}"], policy.Split("; ")[1..3]);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Single(Style().Matches(page));
        Assert.Equal(2, Regex.Count(page, "<script", RegexOptions.IgnoreCase)); // the data and the program
        Assert.DoesNotMatch(@"<(link|img|iframe|object|base)\b|@import|url\(|\bsrc=|\bstyle=", page);

        static string Hash(string text) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";
    }

    [Fact]
    public void The_page_carries_the_graphs_whole()
    {
        IReadOnlyList<FlowGraph> graphs = [TestGraphs.AwkwardText, TestGraphs.Golden[4]];
        var json = Data().Match(GraphReport.Render(graphs, "x")).Groups[1].Value;
        Assert.DoesNotContain('<', json);
        Assert.DoesNotContain('&', json);
        Assert.DoesNotContain('\u2028', json);
        var expected = GraphJson.Parse(GraphJson.Render(graphs), "x");
        var read = GraphJson.Parse(json, "x");
        Assert.Equal(expected.SelectMany(g => g.Nodes), read.SelectMany(g => g.Nodes));
        Assert.Equal(expected.SelectMany(g => g.Edges), read.SelectMany(g => g.Edges));
    }

    [Fact]
    public void Every_node_and_edge_is_drawn_and_named_and_only_the_first_page_needs_no_chooser()
    {
        var graph = TestGraphs.Golden[4];
        var page = GraphReport.Render([graph], "x");
        Assert.Equal(graph.Nodes.Select(n => n.Id), Regex.Matches(page, " data-n=\"([^\"]+)\"").Select(m => m.Groups[1].Value));
        Assert.Equal(graph.Edges.Select(e => $"{e.Target} {e.Predecessor}").Order(), Regex.Matches(page, "<path [^>]*data-e=\"([^\"]+)\"").Select(m => m.Groups[1].Value).Order());
        Assert.Equal(graph.Nodes.Count, Regex.Count(page, "role=\"button\" tabindex=\"-1\" aria-label=\""));
        Assert.Equal(3, Regex.Count(GraphReport.Render([graph, graph, graph], "x"), "<section class=\"graph\""));
    }

    [Fact]
    public void A_large_graph_is_drawn_in_part_and_told_so()
    {
        var graph = TestGraphs.Made(8000);
        Assert.True(graph.Nodes.Count > GraphReport.MostNodes);
        var page = GraphReport.Render([graph], "x");
        Assert.Equal(GraphReport.MostNodes, Regex.Count(page, " data-n=\""));
        Assert.Contains($"The picture draws {GraphReport.MostNodes} of {graph.Nodes.Count} nodes", page, StringComparison.Ordinal);
        Assert.Equal(graph.Nodes.Count, GraphJson.Parse(Data().Match(page).Groups[1].Value, "x")[0].Nodes.Count);
    }

    [Fact]
    public void An_excerpt_holds_all_that_strong_edges_connect_to_the_seed()
    {
        var graph = TestGraphs.Made(2000);
        var part = GraphExcerpt.Of(graph, 200, 6000);
        Assert.Equal(200, part.Nodes.Count);
        Assert.Contains(part.Nodes, n => n.Id == graph.Seed);
        var inside = part.Nodes.Select(n => n.Id).ToHashSet();
        Assert.All(part.Edges, e => Assert.True(inside.Contains(e.Target) && inside.Contains(e.Predecessor)));
        // grown along the strongest edge out, it has all that the seed reaches along edges above the weakest one that it needs
        var from = 1.0;
        while (!Reached(part, from).IsSupersetOf(inside)) from = part.Edges.Where(e => e.Similarity < from).Max(e => e.Similarity);
        var reached = Reached(graph, from + 1e-9);
        Assert.True(reached.Count > 3 && reached.IsSubsetOf(inside), $"{reached.Count} nodes along edges above {from}");
        Assert.Same(graph, GraphExcerpt.Of(graph, graph.Nodes.Count, graph.Edges.Count));

        var thin = GraphExcerpt.Of(graph, 200, 210);
        Assert.Equal((200, 210), (thin.Nodes.Count, thin.Edges.Count));
        Assert.Equal(200, Reached(thin, -1).Count);
    }

    // nodes that the seed is connected with along edges of at least that cosine
    private static HashSet<string> Reached(FlowGraph graph, double least)
    {
        var reached = new HashSet<string> { graph.Seed };
        for (var before = 0; before < reached.Count;)
        {
            before = reached.Count;
            foreach (var e in graph.Edges.Where(e => e.Similarity >= least && (reached.Contains(e.Target) || reached.Contains(e.Predecessor)))) reached.UnionWith([e.Target, e.Predecessor]);
        }

        return reached;
    }

    [GeneratedRegex("<style>(.*?)</style>", RegexOptions.Singleline)]
    private static partial Regex Style();

    [GeneratedRegex("<script type=\"module\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Script();

    [GeneratedRegex("<script type=\"application/json\" id=\"graphs\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Data();
}
