using FeatureFlow.Flow;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

/// <summary>The report in a real browser: what is asserted here is what readers get.</summary>
public sealed class GraphReportBrowserTests(GraphReportBrowserTests.OneBrowser fixture) : IClassFixture<GraphReportBrowserTests.OneBrowser>
{
    private const string Picture = "section.graph:not([hidden]) .figure";

    [BrowserFact]
    public async Task As_built_everything_is_shown_and_the_seed_is_the_stop_for_Tab()
    {
        var (graph, page) = (TestGraphs.Golden[4], await Open(TestGraphs.Golden[4]));
        Assert.Equal($"{graph.Nodes.Count} nodes", await Text("#count-nodes"));
        Assert.Equal($"{graph.Edges.Count} edges", await Text("#count-edges"));
        Assert.Equal($"span: layers {graph.SpanStart}–{graph.SpanEnd}", await Text("#count-span"));
        Assert.Equal(graph.Nodes.Count, await page.Eval<int>("document.querySelectorAll('#nodes tbody tr').length"));
        Assert.Equal(graph.Edges.Count, await page.Eval<int>("document.querySelectorAll('#edges tbody tr').length"));
        Assert.Equal([graph.Seed], await page.Eval<string[]>($"[...document.querySelectorAll('{Picture} [tabindex=\"0\"]')].map(e => e.dataset.n)"));
        for (var i = 0; i < 30 && await Focused() != graph.Seed; i++) await page.Press("Tab");
        Assert.Equal(graph.Seed, await Focused());
        Assert.True(await page.Eval<bool>("!document.getElementById('tip').hidden"));
        Assert.Empty(page.Complaints);
    }

    [BrowserFact]
    public async Task Evidence_is_shown_with_the_details_and_as_description()
    {
        var graph = TestGraphs.Golden[4];
        var id = FeatureId.Parse(graph.Seed);
        var evidence = new FeatureEvidence(id.Layer, id.Site.Name(), id.Index, 0.0123, 2, [new TokenEffect(1, " <b>sea", 1)], [new TokenEffect(2, "dry", -1)], [new FeatureContext("d#1", 4, 2, 1, [new ContextToken("\nthe", 0), new ContextToken(" ship", 2), new ContextToken(" sails", 1)])]);
        var page = fixture.Browser ??= await Browser.Start();
        await File.WriteAllTextAsync(fixture.Folder.File("evidence.html"), GraphReport.Render([graph], "with evidence", [evidence]));
        await page.Open(fixture.Folder.File("evidence.html"), $"#node={graph.Seed}");
        Assert.Equal(["Promotes", "Suppresses", "Most active in"], (await page.Eval<string[]>("[...document.querySelectorAll('#details h4')].map(e => e.textContent)")).Take(3));
        Assert.Equal([" <b>sea", "dry"], await page.Eval<string[]>("[...document.querySelectorAll('#details .tokens span')].map(e => e.textContent)"));
        Assert.Equal("⏎the ship sails", await Text("#details .context"));
        Assert.Equal(["a9  ship", "a5  sails"], await page.Eval<string[]>("[...document.querySelectorAll('#details mark')].map(e => `${e.className} ${e.textContent}`)"));
        Assert.Contains("active on “ship”; promotes “<b>sea”", await Text("#details"), StringComparison.Ordinal);
        Assert.Empty(page.Complaints);
    }

    /// <summary>Sliders must show exactly what building the graph again with higher thresholds gives, classes included.</summary>
    [BrowserFact]
    public async Task Sliders_agree_with_graphs_built_with_their_thresholds()
    {
        var pack = Session.Open(Repository.Example("stories260k"));
        var (low, high) = (new Thresholds(0.3, 0.15, 0.15), new Thresholds(0.45, 0.3, 0.25));
        var cases = (from direction in Enum.GetValues<FlowDirection>()
                     from mode in Enum.GetValues<ForwardModules>()
                     from seed in new[] { new FeatureId(2, Site.Res, 100), new FeatureId(2, Site.Mlp, 7) }
                     select (seed, options: new FlowGraphOptions { Direction = direction, ForwardModules = mode, Top = 2, LayerThresholds = new Dictionary<int, Thresholds> { [1] = new(0.5, 0.2, 0.15) } })).ToList();
        FlowGraph Build((FeatureId Seed, FlowGraphOptions Options) c, Thresholds t) => FlowGraphBuilder.Build(pack, c.Seed, c.Options with
        {
            Thresholds = t, LayerThresholds = c.Options.LayerThresholds.ToDictionary(p => p.Key, p => new Thresholds(Math.Max(t.Res, p.Value.Res), Math.Max(t.Mlp, p.Value.Mlp), Math.Max(t.Att, p.Value.Att))),
        });
        var lows = cases.Select(c => Build(c, low)).ToList();
        var fewer = 0;
        for (var i = 0; i < cases.Count; i++)
        {
            var page = await Open(lows, $"#graph={i + 1}&t-res=0.45&t-mlp=0.3&t-att=0.25");
            var expected = Build(cases[i], high);
            fewer += lows[i].Nodes.Count - expected.Nodes.Count;
            Assert.Equal(expected.Nodes.Select(n => $"{n.Id} {n.Class}").Order(), (await page.Eval<string[]>($"[...document.querySelectorAll('{Picture} [data-n]:not(.off)')].map(e => `${{e.dataset.n}} ${{e.querySelector('.k')?.textContent ?? ''}}`)")).Order());
            Assert.Equal(expected.Edges.Select(e => $"{e.Target} {e.Predecessor}").Order(), (await page.Eval<string[]>($"[...document.querySelectorAll('{Picture} path[data-e]:not(.off)')].map(e => e.dataset.e)")).Order());
            Assert.Equal(expected.SpanStart == expected.SpanEnd ? $"span: layer {expected.SpanStart}" : $"span: layers {expected.SpanStart}–{expected.SpanEnd}", await Text("#count-span"));
        }

        Assert.True(fewer > 30, "the higher thresholds hid next to nothing");
    }

    [BrowserFact]
    public async Task Arrow_keys_walk_along_the_strongest_edges_and_Enter_and_Escape_open_and_close()
    {
        var (graph, page) = (TestGraphs.Golden[4], await Open(TestGraphs.Golden[4]));
        string Before(bool residual) => graph.Edges.Where(e => e.Target == graph.Seed && e.Kind == "res" == residual).MaxBy(e => e.Similarity)!.Predecessor;
        var after = graph.Edges.Where(e => e.Predecessor == graph.Seed && e.Kind == "res").MaxBy(e => e.Similarity)!.Target;
        await page.Eval<bool>($"document.querySelector('{Picture} [tabindex=\"0\"]').focus() === undefined");
        await page.Press("ArrowLeft");
        Assert.Equal(Before(residual: true), await Focused());
        await page.Press("Home");
        await page.Press("ArrowLeft", shift: true);
        Assert.Equal(Before(residual: false), await Focused());
        await page.Press("ArrowRight"); // a module leads into the residual stream only
        Assert.Equal(graph.Seed, await Focused());
        await page.Press("ArrowRight");
        Assert.Equal(after, await Focused());
        await page.Press("ArrowDown");
        await page.Press("ArrowUp");
        Assert.Equal(after, await Focused());
        await page.Press("Enter");
        Assert.StartsWith(after, await Text("#details h3"), StringComparison.Ordinal);
        Assert.Equal("details", await page.Eval<string>("document.activeElement.id"));
        Assert.EndsWith("node=" + after, await page.Eval<string>("location.hash"), StringComparison.Ordinal);
        await page.Press("Escape");
        Assert.True(await page.Eval<bool>("document.getElementById('details').hidden"));
        Assert.Equal(after, await Focused());
        Assert.Empty(page.Complaints);
    }

    [BrowserFact]
    public async Task Slash_searches_names_words_and_places()
    {
        var (graph, page) = (TestGraphs.Made(300), await Open(TestGraphs.Made(300)));
        await page.Press("/");
        Assert.Equal("search", await page.Eval<string>("document.activeElement.id"));
        await page.Type("layer:1 physics");
        var expected = graph.Nodes.Where(n => n.Layer == 1 && n.Description?.Contains("physics", StringComparison.Ordinal) == true).Select(n => n.Id).Order().ToList();
        Assert.NotEmpty(expected);
        Assert.Equal(expected, (await page.Eval<string[]>("[...document.querySelectorAll('#nodes tbody tr td:first-child')].map(e => e.textContent)")).Order());
        Assert.Equal(expected, (await page.Eval<string[]>($"[...document.querySelectorAll('{Picture} .seek .hit')].map(e => e.dataset.n)")).Order());
        await page.Press("Escape");
        Assert.Equal($"{graph.Nodes.Count} nodes", await Text("#found-nodes"));
        await page.Eval<bool>("[...document.querySelectorAll('#nodes th button')].find(b => b.textContent === 's(R)').click() === undefined");
        var sorted = await page.Eval<string[]>("[...document.querySelectorAll('#nodes tbody tr td:nth-child(3)')].map(e => e.textContent).filter(t => t)");
        Assert.Equal(graph.Nodes.Count(n => n.ScoreRes is not null), sorted.Length);
        Assert.Equal(sorted.OrderDescending(StringComparer.Ordinal), sorted);
        Assert.Equal("descending", await page.Eval<string>("document.querySelector('#nodes th:nth-child(3)').ariaSort"));
    }

    [BrowserFact]
    public async Task Hostile_text_stays_text()
    {
        string[] texts = ["</script><script>document.title='gone'</script>", "<img src=x onerror=\"document.title='gone'\">", "\u2028{{script}}", "${document.title='gone'}", "-->]]>"];
        var graph = TestGraphs.Golden[3];
        graph = graph with { PackName = texts[0], Nodes = [.. graph.Nodes.Select((n, i) => n with { Description = texts[i % texts.Length], NeuronpediaUrl = i % 2 == 0 ? "javascript://%0Adocument.title='gone'" : "https://www.neuronpedia.org/a'\"><b>" })] };
        var page = await Open(graph, $"#node={graph.Nodes[1].Id}");
        Assert.Equal($"Flow graph of {graph.Seed}", await page.Eval<string>("document.title"));
        Assert.Equal(0, await page.Eval<int>("document.querySelectorAll('img, [onerror], b b, script:not([type])').length"));
        Assert.Contains(texts[1], await Text("#details"), StringComparison.Ordinal);
        var links = await page.Eval<string[]>("[...document.querySelectorAll('a')].map(a => a.protocol + ' ' + a.rel)");
        Assert.Equal(["https: noopener noreferrer"], links.Distinct());
        Assert.Empty(page.Complaints);
    }

    [BrowserFact]
    public async Task Text_stays_inside_its_box_and_labels_touch_no_box()
    {
        foreach (var graph in new[] { TestGraphs.Golden[4], TestGraphs.AwkwardText, TestGraphs.Made(300), TestGraphs.Made(78, 26, 1), TestGraphs.Made(60, 12, 2, true, FlowDirection.Both) })
        {
            var page = await Open(graph);
            var outside = await page.Eval<string[]>($$"""
                [...document.querySelectorAll('{{Picture}} [data-n]')].flatMap(n => {
                  const box = n.querySelector('.b').getBoundingClientRect();
                  return [...n.querySelectorAll('text')].filter(t => {
                    const it = t.getBoundingClientRect();
                    return it.width > 0 && (it.left < box.left || it.right > box.right || it.top < box.top - 1 || it.bottom > box.bottom + 1);
                  }).map(t => n.dataset.n + ': ' + t.textContent);
                })
                """);
            Assert.Empty(outside);
            var overlapping = await page.Eval<string[]>($$"""
                [...document.querySelectorAll('{{Picture}} .cosines text')].filter(t => {
                  const a = t.getBoundingClientRect();
                  return [...document.querySelectorAll('{{Picture}} .b')].some(e => { const b = e.getBoundingClientRect(); return a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2; });
                }).map(t => t.dataset.e)
                """);
            Assert.Empty(overlapping);
        }
    }

    [BrowserFact]
    public async Task Hiding_nodes_takes_their_room_away_and_showing_them_brings_the_first_picture_back()
    {
        var page = await Open(TestGraphs.Made(300));
        const string Drawing = $"document.querySelector('{Picture} svg').outerHTML.replace(/ class=\"[^\"]*\"/g, '')";
        var first = await page.Eval<string>(Drawing);
        var height = await page.Eval<double>($"document.querySelector('{Picture} svg').viewBox.baseVal.height");
        await Slide("t-res", 0.6);
        Assert.True(await page.Eval<double>($"document.querySelector('{Picture} svg').viewBox.baseVal.height") < height);
        Assert.Equal("#t-res=0.6", await page.Eval<string>("location.hash"));
        Assert.Equal(0, await page.Eval<int>($$"""
            (boxes => boxes.filter((a, i) => boxes.some((b, j) => i !== j && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length)
            ([...document.querySelectorAll('{{Picture}} .n:not(.off) .b')].map(e => e.getBoundingClientRect()))
            """));
        await page.Eval<bool>("document.getElementById('reset').click() === undefined");
        Assert.Equal(first, await page.Eval<string>(Drawing));
        Assert.Equal("", await page.Eval<string>("location.hash"));
    }

    [BrowserFact]
    public async Task Several_graphs_have_a_chooser()
    {
        var page = await Open([TestGraphs.Golden[0], TestGraphs.Golden[4]]);
        Assert.Equal(2, await page.Eval<int>("document.getElementById('chooser').options.length"));
        await page.Eval<bool>("(c => { c.value = 1; return c.dispatchEvent(new Event('change')); })(document.getElementById('chooser'))");
        Assert.Equal($"{TestGraphs.Golden[4].Nodes.Count} nodes", await Text("#count-nodes"));
        Assert.Equal("#graph=2", await page.Eval<string>("location.hash"));
        Assert.Equal(1, await page.Eval<int>("document.querySelectorAll('section.graph:not([hidden])').length"));
    }

    [BrowserFact]
    public async Task Dark_by_preference_or_by_button_and_paper_is_light()
    {
        var page = await Open(TestGraphs.Golden[0]);
        async Task<string> Paper() => await page.Eval<string>("getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()");
        Assert.Equal(GraphPalette.Paper.Light, await Paper());
        await page.Send("Emulation.setEmulatedMedia", new { features = new[] { new { name = "prefers-color-scheme", value = "dark" } } });
        Assert.Equal(GraphPalette.Paper.Dark, await Paper());
        await page.Eval<bool>("document.getElementById('theme').click() === undefined");
        Assert.Equal(GraphPalette.Paper.Light, await Paper());
        await page.Eval<bool>("document.getElementById('theme').click() === undefined");
        Assert.Equal(GraphPalette.Paper.Dark, await Paper());
        await page.Send("Emulation.setEmulatedMedia", new { media = "print" });
        Assert.Equal(GraphPalette.Paper.Light, await Paper());
        await page.Send("Emulation.setEmulatedMedia", new { media = "", features = Array.Empty<object>() });
        await page.Eval<bool>("localStorage.clear() === undefined");
    }

    [BrowserFact]
    public async Task Twenty_thousand_nodes_and_a_single_one()
    {
        var graph = TestGraphs.Made(25_000);
        Assert.True(graph.Nodes.Count > 19_000);
        var page = await Open(graph);
        Assert.Equal(FormattableString.Invariant($"{graph.Nodes.Count:N0} nodes"), await Text("#count-nodes"));
        Assert.Equal(GraphReport.MostNodes, await page.Eval<int>($"document.querySelectorAll('{Picture} [data-n]').length"));
        Assert.Equal(200, await page.Eval<int>("document.querySelectorAll('#nodes tbody tr').length"));
        Assert.StartsWith("Show 1,000 more of", await Text("#tables .more:not([hidden])"), StringComparison.Ordinal);
        await Slide("t-res", 0.9);
        Assert.Empty(page.Complaints);

        var node = new FlowNode { Id = "7/mlp/3", Layer = 7, Site = "mlp", Index = 3 };
        await Open(TestGraphs.Golden[0] with { Seed = node.Id, Nodes = [node], Edges = [], SpanStart = 7, SpanEnd = 7 }, "#node=7/mlp/3");
        Assert.Equal("1 node", await Text("#count-nodes"));
        Assert.Empty(page.Complaints);
    }

    private Task<Browser> Open(FlowGraph graph, string fragment = "") => Open([graph], fragment);

    private async Task<Browser> Open(IReadOnlyList<FlowGraph> graphs, string fragment = "")
    {
        fixture.Browser ??= await Browser.Start();
        var path = fixture.Folder.File("report.html");
        GraphFile.Write(graphs, path);
        await fixture.Browser.Open(path, fragment);
        return fixture.Browser;
    }

    private Task<string> Text(string selector) => fixture.Browser!.Eval<string>($"document.querySelector('{selector}').textContent");

    private Task<string?> Focused() => fixture.Browser!.Eval<string?>("document.activeElement?.dataset?.n ?? null");

    private Task<bool> Slide(string id, double value) => fixture.Browser!.Eval<bool>(FormattableString.Invariant(
        $"(s => {{ s.value = {value}; s.dispatchEvent(new Event('input')); return s.dispatchEvent(new Event('change')); }})(document.getElementById('{id}'))"));

    /// <summary>One browser for all tests of the class; they run one after another.</summary>
    public sealed class OneBrowser : IAsyncLifetime
    {
        public TempFolder Folder { get; } = new();

        public Browser? Browser { get; set; }

        public Task InitializeAsync() => Task.CompletedTask;

        public async Task DisposeAsync()
        {
            if (Browser is not null) await Browser.DisposeAsync();
            Folder.Dispose();
        }
    }
}
