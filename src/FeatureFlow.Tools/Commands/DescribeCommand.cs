using System.CommandLine;
using System.Globalization;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow describe</c>: what texts and the decoder say about features.</summary>
internal sealed class DescribeCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<FeatureId[]> _features = PackOptions.Features();
    private readonly Option<int[]> _layers = PackOptions.Layers("Layers whose features are all described.");
    private readonly Option<Site[]> _sites = PackOptions.SiteList("With --layer: sites; res unless given.");
    private readonly Option<string?> _graph = new("--graph") { Description = "A graph JSON: describes every feature in it.", HelpName = "FILE" };
    private readonly Option<string?> _model = new("--model", "-m") { Description = "Model: a checkpoint folder or a hub id in the local cache; the pack's unless given.", HelpName = "DIR" };
    private readonly TokenSource _tokens = new(context: 512);
    private readonly Option<int> _contexts = new("--contexts") { Description = "Contexts of a feature.", HelpName = "N", DefaultValueFactory = _ => new EvidenceOptions().Contexts };
    private readonly Option<int> _window = new("--window") { Description = "Tokens of a context on either side of the peak.", HelpName = "N", DefaultValueFactory = _ => new EvidenceOptions().Window };
    private readonly Option<int> _effects = new("--effects") { Description = "Tokens promoted, and as many suppressed.", HelpName = "N", DefaultValueFactory = _ => new EvidenceOptions().Tokens };
    private readonly Option<string?> _csv = PackOptions.Csv();
    private readonly Option<string?> _out = new("--out", "-o") { Description = "With --graph: write the graph's report (.html) with what was found about its features.", HelpName = "FILE" };

    public DescribeCommand()
        : base(
            "describe",
            "Describe features that nobody has explained: the texts where they are most active, the tokens that they promote and suppress.",
            ("describe --pack tests/fixtures/training/pack --model tests/fixtures/models/gemma2-window --feature 1/res/7 --ids-file tests/fixtures/models/gemma2-window/expected.safetensors --tensor input_ids", "One feature, on given tokens."),
            ("describe --pack tests/fixtures/training/pack --model tests/fixtures/models/gemma2-window --feature 0/res/3 1/mlp/5 --ids-file tests/fixtures/models/gemma2-window/expected.safetensors --tensor input_ids --contexts 3 --csv evidence.csv", "Two, as a CSV that a pack can name under 'descriptions'."),
            ("describe --pack examples/storyworld --layer 2 --text 'The ship sailed to the island. The captain saw a whale.' --csv evidence.csv", "Every feature of the residual stream after layer 2."))
    {
        _features.Required = false;
        foreach (var option in new Option[] { _pack, _features, _layers, _sites, _graph, _model }) Options.Add(option);
        _tokens.AddTo(this);
        foreach (var option in new Option[] { _contexts, _window, _effects, _csv, _out }) Options.Add(option);
        Validators.Add(result =>
        {
            if (new Option[] { _features, _layers, _graph }.Count(o => result.GetResult(o) is not null) != 1) result.AddError("Give one of --feature, --layer and --graph.");
            if (result.GetResult(_sites) is not null && result.GetResult(_layers) is null) result.AddError("--sites goes with --layer.");
            if (result.GetResult(_out) is not null && result.GetResult(_graph) is null) result.AddError("--out goes with --graph.");
        });
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var opened = context.Open(options.GetValue(_pack)!);
        var pack = opened.Pack;
        var graphs = options.GetValue(_graph) is { } file ? GraphJson.ReadAll(file) : [];
        FeatureId[] features = graphs.Count > 0 ? [.. graphs.SelectMany(g => g.Nodes).Select(n => FeatureId.Parse(n.Id)).Distinct()] : options.GetValue(_layers) is { Length: > 0 } layers ? [.. All(opened, layers, options.GetValue(_sites) is { Length: > 0 } some ? some : [Site.Res])] : options.GetValue(_features)!;
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model) ?? pack.Model ?? throw ToolErrors.NoModel(pack.Source));
        var model = lease.Model;
        var documents = _tokens.Read(options, () => model.Tokenizer, context).Select(d => d.Document).ToList();
        var settings = new EvidenceOptions { Contexts = options.GetValue(_contexts), Window = options.GetValue(_window), Tokens = options.GetValue(_effects) };
        var saes = new List<(Sae Sae, IReadOnlyList<int> Features)>();
        try
        {
            foreach (var place in features.GroupBy(f => (f.Layer, f.Site)))
            {
                var found = pack.Saes.FirstOrDefault(s => s.Layer == place.Key.Layer && s.Site == place.Key.Site) ?? throw ToolErrors.NoSaeAt(pack.Source, new SiteAddress(place.Key.Layer, place.Key.Site), pack.Saes.Select(s => $"{s.Layer}/{s.Site.Name()}"));
                saes.Add((Sae.Open(found.Path, found.Site, found.Layer), [.. place.Select(f => f.Index)]));
            }

            var evidence = context.Watch("describe", progress => EvidenceSearch.Find(model, documents, saes, TextOf(model), settings, new Share(progress), context.Cancel));
            var known = evidence.ToDictionary(e => e.Feature);
            Write(options, context, graphs, [.. features.Select(f => known[f.ToString()])]);
            return 0;
        }
        finally
        {
            foreach (var (sae, _) in saes) sae.Dispose();
        }
    }

    private void Write(ParseResult options, ToolContext context, IReadOnlyList<FlowGraph> graphs, IReadOnlyList<FeatureEvidence> evidence)
    {
        if (options.GetValue(_csv) is { } csv)
        {
            Tables.Evidence.Write(csv, evidence);
            context.Note($"{evidence.Count} rows in {csv}");
        }

        if (options.GetValue(_out) is { } page)
        {
            AtomicFile.WriteText(page, GraphReport.Render(graphs, graphs is [var one] ? $"Flow graph of {one.Seed}" : $"{graphs.Count} flow graphs", evidence));
            context.Note($"wrote {page}");
        }

        if (context.Json) context.Out.Write(EvidenceJson.Render(evidence));
        else if (options.GetResult(_layers) is null || options.GetValue(_csv) is null) foreach (var one in evidence) Show(one, context.Out);
    }

    private static void Show(FeatureEvidence e, TextWriter text)
    {
        text.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{e.Feature}  active at {100 * e.Frequency:0.###} % of the tokens, at most {e.MaxActivation:0.###}"));
        if (e.Promoted.Count > 0) text.WriteLine($"  promotes    {string.Join("  ", e.Promoted.Select(t => t.Text))}");
        if (e.Suppressed.Count > 0) text.WriteLine($"  suppresses  {string.Join("  ", e.Suppressed.Select(t => t.Text))}");
        foreach (var context in e.Contexts) text.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {context.Activation,8:0.###}  {context.ToString().ReplaceLineEndings("⏎")}  ({context.Source})"));
    }

    private static IEnumerable<FeatureId> All(OpenedPack pack, int[] layers, Site[] sites) =>
        from layer in layers from site in sites from index in Enumerable.Range(0, pack.Info(layer, site).FeatureCount) select new FeatureId(layer, site, index);

    // a model whose tokens were given as ids may have no tokenizer
    private static Func<int, string> TextOf(LanguageModel model)
    {
        try
        {
            return model.Tokenizer.Piece;
        }
        catch (FeatureFlowException)
        {
            return id => string.Create(CultureInfo.InvariantCulture, $"#{id} ");
        }
    }

    private sealed class Share(IProgress<FlowProgress> to) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress("reading texts", value));
    }
}
