using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow graph</c>: the flow graph of a feature.</summary>
internal sealed class GraphCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<FeatureId[]> _features = PackOptions.Features();
    private readonly Option<string> _direction = PackOptions.Choice("--direction", ["-d"], "Which way to follow the feature.", FlowDirection.Backward);
    private readonly ThresholdOptions _thresholds = new(Thresholds.Default.Res, Thresholds.Default.Mlp);
    private readonly Option<string[]> _layerThresholds = new("--layer-threshold")
    {
        Description = "Thresholds of one layer: LAYER:RES,MLP,ATT; may be given several times.",
        HelpName = "L:X,Y,Z",
    };

    private readonly Option<int> _top = PackOptions.Top(1);
    private readonly Option<string> _forward = PackOptions.Choice("--forward-modules", [], "Whose matches the module nodes of a forward step are: the feature's own, or the kept successor's.", ForwardModules.Feature);
    private readonly Option<int> _maxNodes = new("--max-nodes") { Description = "Refuse a graph that grows larger.", HelpName = "N", DefaultValueFactory = _ => new FlowGraphOptions().MaxNodes };
    private readonly Option<string[]> _out = new("--out", "-o")
    {
        Description = $"Write the graph; its ending says how: {string.Join(", ", GraphFormats.Extensions)}. May be given several times.",
        HelpName = "FILE",
    };

    private readonly Option<bool> _verify = new("--verify") { Description = "Try the edges on texts: remove the predecessor where both ends are active, and note on the edge what becomes of the target." };
    private readonly Option<int> _tries = new("--verify-tokens") { Description = "Tokens tried for every edge.", HelpName = "N", DefaultValueFactory = _ => GraphVerifier.DefaultTokens };
    private readonly Option<double?> _effect = new("--minimum-effect") { Description = "With --verify: leave out edges of a smaller mean activation change.", HelpName = "X" };
    private readonly MatcherOptions _matcher = new();
    private readonly TokenSource _tokens = new();

    public GraphCommand()
        : base(
            "graph",
            "Build the flow graph of a feature: composed of matches between neighbouring layers, cut at thresholds.",
            ("graph --pack examples/stories260k --feature 4/res/40 --out lineage.html", "An offline page with picture, sliders and tables."),
            ("graph --pack examples/stories260k --feature 2/res/7 --direction both --top 2 --out g.json --out g.svg", "Both ways, branching, in two forms."),
            ("graph --pack examples/stories260k --feature 4/res/40 --t-res 0.6 --t-mlp 0.25 --t-att 0.25", "The edges as a table."),
            ("graph --pack examples/storyworld --feature 5/res/108 --verify --text 'The ship sailed to the island. The captain saw a whale.' --minimum-effect 0.05 --out g.json", "Only edges that matter on a text, each with its evidence."))
    {
        Options.Add(_pack);
        Options.Add(_features);
        Options.Add(_direction);
        _thresholds.AddTo(this);
        foreach (var option in new Option[] { _layerThresholds, _top, _forward, _maxNodes, _out, _verify, _tries, _effect, _matcher.Model }) Options.Add(option);
        _matcher.AddTo(this);
        _tokens.AddTo(this, result => result.GetValue(_verify) || _matcher.Correlates(result), "--verify and --method pearson");
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var files = options.GetValue(_out) ?? [];
        foreach (var file in files) GraphFormats.Of(file); // a wrong ending is told before the work
        var pack = context.Open(options.GetValue(_pack)!);
        var settings = new FlowGraphOptions
        {
            Direction = Enum.Parse<FlowDirection>(options.GetValue(_direction)!, ignoreCase: true),
            Thresholds = _thresholds.Read(options),
            LayerThresholds = LayerThresholds(options.GetValue(_layerThresholds) ?? []),
            Top = options.GetValue(_top),
            ForwardModules = Enum.Parse<ForwardModules>(options.GetValue(_forward)!, ignoreCase: true),
            MaxNodes = options.GetValue(_maxNodes),
        };
        var graphs = _matcher.With(options, context, pack, _tokens, _ => true, settings.Top, matcher => context.Watch("graph", progress => FlowGraphBuilder.BuildMany(matcher is null ? pack : pack.With(matcher), options.GetValue(_features)!, settings, progress, context.Cancel)
            .Select(g => matcher is null ? g : g with { Notes = [.. g.Notes, $"edges and their similarities are by {matcher.Name}"] }).ToList()));
        if (options.GetValue(_verify)) graphs = context.Watch("verify", progress => Verify(options, context, pack, graphs, progress));
        foreach (var note in graphs.SelectMany(g => g.Notes).Distinct()) context.Note(note);
        foreach (var file in files)
        {
            GraphFile.Write(graphs, file);
            context.Note($"wrote {file}");
        }

        if (context.Json)
        {
            context.Out.Write(GraphFile.Render(graphs, GraphFormat.Json));
        }
        else
        {
            foreach (var graph in graphs) Summarise(graph, context);
            if (files.Length == 0) context.Show(options.GetValue(_verify) ? Tables.VerifiedEdges : Tables.Edges, graphs.SelectMany(Tables.EdgesOf));
        }

        return 0;
    }

    private List<FlowGraph> Verify(ParseResult options, ToolContext context, OpenedPack pack, List<FlowGraph> graphs, IProgress<FlowProgress> progress)
    {
        using var lease = FlowEngine.Shared.Model(options.GetValue(_matcher.Model) ?? pack.Pack.Model ?? throw ToolErrors.NoModel(pack.Pack.Source));
        var documents = _tokens.Read(options, () => lease.Model.Tokenizer, context).Select(d => d.Document).ToList();
        return [.. GraphVerifier.VerifyMany(pack, lease.Model, documents, graphs, options.GetValue(_tries), options.GetValue(_tokens.Seed), options.GetValue(_effect), progress, context.Cancel)];
    }

    private static void Summarise(FlowGraph graph, ToolContext context)
    {
        var seed = graph.Nodes.First(n => n.Id == graph.Seed);
        context.Note($"{graph.Seed}{(seed.Class is { } c ? $" (class {c})" : "")}{(seed.Description is { } d ? $" \"{d}\"" : "")}: {graph.Nodes.Count} nodes, {graph.Edges.Count} edges, similarity span [{graph.SpanStart}, {graph.SpanEnd}]");
    }

    private Dictionary<int, Thresholds> LayerThresholds(IEnumerable<string> texts)
    {
        var result = new Dictionary<int, Thresholds>();
        foreach (var text in texts)
        {
            var parts = text.Split(':', ',');
            var numbers = parts.Skip(1).Select(p => double.TryParse(p, System.Globalization.CultureInfo.InvariantCulture, out var x) ? x : double.NaN).ToArray();
            if (parts.Length != 4 || !int.TryParse(parts[0], out var layer) || numbers.Any(double.IsNaN)) throw ToolErrors.Usage($"'{text}' does not name the thresholds of a layer; write LAYER:RES,MLP,ATT as in 3:0.5,0.15,0.15.", ToolApp.PathOf(this));
            result[layer] = new Thresholds(numbers[0], numbers[1], numbers[2]);
        }

        return result;
    }
}
