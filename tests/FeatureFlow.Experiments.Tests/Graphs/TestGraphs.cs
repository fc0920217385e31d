using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Graphs;

/// <summary>Graphs to draw and write: the golden ones, a made-up large one, one full of awkward text.</summary>
internal static class TestGraphs
{
    /// <summary>The graphs of tests/fixtures/golden/stories260k, which an independent implementation made.</summary>
    public static IReadOnlyList<FlowGraph> Golden { get; } =
        [.. GraphJson.ReadAll(Repository.Fixture("golden", "stories260k", "graphs.json")).Select(g => g with { PackName = "stories260k", Pack = "examples/stories260k" })];

    /// <summary>A golden graph with made-up evidence: strong, weak, from one token, and none.</summary>
    public static FlowGraph Verified { get; } = Golden[4] with
    {
        MinimumEffect = 0.05,
        Notes = ["1 edge left out, with less effect than 0.05: 1/mlp/2 → 1/res/3 (0.01)"],
        Edges =
        [
            .. Golden[4].Edges.Select((e, i) => e with
            {
                Evidence = (i % 4) switch
                {
                    0 => new EdgeEvidence(50, new Interval(0.62, 0.48, 0.74, 50), new Interval(0.81, 0.7, 0.9, 50)),
                    1 => new EdgeEvidence(12, new Interval(0, 0, 0.24, 12), new Interval(0.07, -0.02, 0.15, 12)),
                    2 => new EdgeEvidence(1, new Interval(1, 0.2, 1, 1), new Interval(1, double.NaN, double.NaN, 1)),
                    _ => new EdgeEvidence(0, null, null),
                },
            }),
        ],
    };

    /// <summary>What a description can hold and a file format may trip over.</summary>
    public static IReadOnlyList<string> Awkward { get; } =
    [
        "says \"no\" <b>&amp; 'maybe'</b>", "two\nlines\r\nand\ta tab", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 (Arabic greeting)", "数字と日本語の単語、特に料理に関するもの",
        "family 👩‍👩‍👧‍👦 emoji and e\u0301 combining", "</script><!-- ]]> -->", "lone surrogate \ud83d here", "bell \u0007 null \u0000 end", "C:\\path\\N \\G | {x} [y] (z) `code` #1;",
        "=1+1", "  ", "", new string('W', 300), "a,b;c\u2028d\u2029e",
    ];

    /// <summary>A pretend pack of 26 layers traced with k matches: about <paramref name="size"/> nodes, the same ones every time.</summary>
    public static FlowGraph Made(int size, int layers = 26, int top = 3, bool described = true, FlowDirection direction = FlowDirection.Backward, int seed = 1)
    {
        var random = new Random(seed);
        var nodes = new SortedDictionary<(int Layer, int Site, int Index), FlowNode>();
        var edges = new List<FlowEdge>();
        var known = new HashSet<(string, string)>();
        string[] sites = ["res", "mlp", "att"];
        FlowNode Node(int layer, int site, int index)
        {
            if (nodes.TryGetValue((layer, site, index), out var old)) return old;
            return nodes[(layer, site, index)] = new FlowNode
            {
                Id = $"{layer}/{sites[site]}/{index}", Layer = layer, Site = sites[site], Index = index, Threshold = 0.5 + random.NextDouble(), Norm = 1,
                ScoreRes = site == 0 && layer > 0 ? 0.3 + (0.69 * random.NextDouble()) : null, ScoreMlp = site == 0 ? 0.7 * random.NextDouble() : null, ScoreAtt = site == 0 ? 0.6 * random.NextDouble() : null,
                Class = site == 0 ? (FeatureClass)random.Next(4) : null,
                Description = described && random.Next(5) > 0 ? Phrase(random) : null,
                NeuronpediaUrl = $"https://www.neuronpedia.org/gemma-2-2b/{layer}-gemmascope-{sites[site]}-16k/{index}",
            };
        }

        var from = direction == FlowDirection.Forward ? 0 : direction == FlowDirection.Both ? layers / 2 : layers - 1;
        var start = Node(from, 0, 14548);
        if (direction != FlowDirection.Forward) Grow([start], -1);
        if (direction != FlowDirection.Backward) Grow([start], 1);

        void Grow(List<FlowNode> front, int step)
        {
            while (front.Count > 0)
            {
                var next = new Dictionary<string, FlowNode>();
                var budget = Math.Max(1, (int)Math.Round((double)size / layers / 5.2));
                foreach (var node in front)
                {
                    var layer = step < 0 ? node.Layer : node.Layer + 1;
                    for (var site = 0; site < 3; site++)
                    {
                        var other = site == 0 ? node.Layer + step : layer;
                        if (other < 0 || other >= layers) continue;
                        var s = 0.35 + (0.6 * random.NextDouble());
                        for (var rank = 0; rank < top; rank++, s *= 0.8)
                        {
                            if (rank > 0 && random.Next(3) == 0) break;
                            var choice = site == 0 ? next.Count >= budget ? next.Values.ElementAt(random.Next(next.Count)) : Node(other, 0, random.Next(16384)) : Node(other, site, random.Next(3) == 0 ? random.Next(16384) : (node.Index + rank) % 16384);
                            var (target, source) = step < 0 ? (node, choice) : (choice, node);
                            if (!known.Add((target.Id, source.Id))) continue;
                            edges.Add(new FlowEdge(target.Id, source.Id, Math.Round(s, 6), sites[site]));
                            if (site == 0) next[choice.Id] = choice;
                        }
                    }
                }

                front = [.. next.Values];
            }
        }

        var residual = nodes.Values.Where(n => n.Site == "res").Select(n => n.Layer).ToList();
        return new FlowGraph
        {
            PackName = "made-up pack", Pack = "made-up/pack.yaml", Seed = start.Id, SpanStart = residual.Min(), SpanEnd = residual.Max(), Nodes = [.. nodes.Values], Edges = edges,
            Options = new FlowGraphOptions { Direction = direction, Top = top },
        };
    }

    /// <summary>A golden graph whose nodes carry <see cref="Awkward"/> descriptions.</summary>
    public static FlowGraph AwkwardText { get; } = Golden[3] with
    {
        PackName = "a \"pack\" <&> 'x'\n", Pack = "dir with space/it's $HOME & co/pack.yaml", Notes = ["att: left out, \"width\" 2048 ≠ 2304"],
        Nodes = [.. Golden[3].Nodes.Select((n, i) => n with { Description = Awkward[i % Awkward.Count] })],
    };

    private static string Phrase(Random random)
    {
        string[] a = ["references to", "terms related to", "words expressing", "mentions of", "punctuation before", "phrases about"];
        string[] b = ["scientific experiments", "legal documents and court decisions", "family members", "numbers in tables", "cooking", "particle physics and colliders", "code comments", "emotional states"];
        return $"{a[random.Next(a.Length)]} {b[random.Next(b.Length)]}";
    }
}
