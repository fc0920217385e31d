using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow match</c>: which feature of one dictionary is which of another.</summary>
internal sealed class MatchCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<Site> _site = PackOptions.Site("Site of both SAEs, or of the source where --to-site is given; res unless given.");
    private readonly Option<Site> _toSite = PackOptions.Site("Site of the target SAE.");
    private readonly Option<int> _from = new("--from") { Description = "Layer of the source SAE.", HelpName = "L", Required = true };
    private readonly Option<int> _to = new("--to") { Description = "Layer of the target SAE.", HelpName = "M", Required = true };
    private readonly MapOptions _map = new();
    private readonly Option<string?> _model = new("--model", "-m") { Description = "Model that reads texts, for pearson and mean-activation: the folder of a checkpoint, or a hub id that the local cache has; the pack's unless given.", HelpName = "DIR" };
    private readonly TokenSource _tokens = new();
    private readonly Option<string?> _checkpoint = new("--checkpoint") { Description = "Keep the state of the assignment in this file and go on from it when stopped; deleted at the end.", HelpName = "FILE" };
    private readonly Option<string[]> _out = new("--out", "-o") { Description = "Write the map: .csv with the columns source,target,cost,similarity, or .npy with the target of every source; may be given twice.", HelpName = "FILE" };

    public MatchCommand()
        : base(
            "match",
            "Match the features of two SAEs: the exact assignment of least cost with its proof, the nearest by cosine, or the best correlated over texts.",
            ("match --pack examples/stories260k --site res --from 0 --to 1 --out map.csv", "SAE Match between two layers: decoder, encoder and bias, folded."),
            ("match --pack examples/stories260k --from 0 --to 1 --cost decoder --unfolded --out map.csv --out P_0_1.npy", "Decoder rows as they are; also as a NumPy permutation."),
            ("match --pack examples/stories260k --from 3 --site mlp --to 3 --to-site res --out map.csv --json", "What an MLP writes, in the residual stream after it."),
            ("match --pack examples/stories260k --from 0 --to 1 --method cosine --top 5 --out map.csv", "The five nearest by cosine of every feature."),
            ("match --pack examples/storyworld --from 0 --to 1 --fold mean-activation --text 'The ship sailed to the island. The captain saw a whale.' --out map.csv", "Folded by mean activations on a text: for SAEs that have no thresholds."),
            ("match --pack examples/storyworld --from 0 --to 1 --method pearson --text 'The ship sailed to the island. The captain saw a whale.' --out map.csv", "The best correlated over the tokens of a text."))
    {
        foreach (var option in new Option[] { _pack, _site, _from, _to }) Options.Add(option);
        _toSite = new Option<Site>("--to-site") { Description = _toSite.Description, HelpName = "SITE", CustomParser = _toSite.CustomParser };
        Options.Add(_toSite);
        _map.AddTo(this);
        foreach (var option in new Option[] { _checkpoint, _out, _model }) Options.Add(option);
        _tokens.AddTo(this, _map.Reads, "--method pearson and --fold mean-activation");
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        var site = options.GetResult(_site) is null ? Site.Res : options.GetValue(_site);
        var toSite = options.GetResult(_toSite) is null ? site : options.GetValue(_toSite);
        var (from, to) = (new SiteAddress(options.GetValue(_from), site), new SiteAddress(options.GetValue(_to), toSite));
        var map = context.Watch("match", progress =>
        {
            if (_map.Correlates(options.CommandResult)) return OnTexts(options, context, pack, (model, documents) => FeatureMapBuilder.Correlate(pack, model, documents, from, to, _map.Top(options), progress, context.Cancel));
            var how = _map.Read(options, new AssignmentOptions { Progress = progress, Checkpoint = options.GetValue(_checkpoint) });
            if (how is { Fold: FoldRule.MeanActivation })
            {
                var activity = OnTexts(options, context, pack, (model, documents) => new FeatureActivity(pack, model, documents, [from, to], new Reading(progress), context.Cancel));
                how = how with { SourceMeans = activity.Means(from), TargetMeans = activity.Means(to) };
            }

            return FeatureMapBuilder.Build(pack, from.Layer, from.Site, to.Layer, to.Site, how, context.Cancel);
        });
        foreach (var file in options.GetValue(_out) ?? [])
        {
            FeatureMapFile.Write(map, file);
            context.Note($"{map.Pairs.Count} pairs in {file}");
        }

        Show(map, context);
        return 0;
    }

    private T OnTexts<T>(ParseResult options, ToolContext context, OpenedPack pack, Func<LanguageModel, IEnumerable<TokenDocument>, T> work)
    {
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model) ?? pack.Pack.Model ?? throw ToolErrors.NoModel(pack.Pack.Source));
        return work(lease.Model, _tokens.Read(options, () => lease.Model.Tokenizer, context).Select(d => d.Document));
    }

    private static void Show(FeatureMap map, ToolContext context)
    {
        var facts = new (string Name, object? Value)[]
        {
            ("from", map.From), ("to", map.To), ("method", map.Method.ToString().ToLowerInvariant()), ("cost", map.Cost?.ToString().ToLowerInvariant()),
            ("source_fold", map.SourceFold), ("target_fold", map.TargetFold), ("source_unscaled", map.SourceUnscaled), ("target_unscaled", map.TargetUnscaled),
            ("features_source", map.SourceCount), ("features_target", map.TargetCount), ("pairs", map.Pairs.Count),
            ("total_cost", map.TotalCost), ("dual_bound", map.Certificate?.Dual), ("gap", map.Certificate?.Gap), ("pairs_verified", map.Certificate?.Pairs),
            ("mse_w_dec", map.Error?.Decoder), ("mse_w_enc", map.Error?.Encoder), ("mse_b_enc", map.Error?.EncoderBias),
            ("mean_similarity", map.Pairs.Count > 0 ? map.Pairs.Average(p => p.Similarity ?? 0) : null),
        };
        if (!context.Json)
        {
            context.Show(new TableColumns<(string Name, object? Value)>(("what", f => f.Name.Replace('_', ' ')), ("value", f => f.Value)), facts.Where(f => f.Value is not null));
            return;
        }

        var json = new JsonObject();
        foreach (var (name, value) in facts) json[name] = value is null ? null : JsonSerializer.SerializeToNode(value);
        json["unmatched_sources"] = new JsonArray([.. map.UnmatchedSources.Select(i => (JsonNode)i)]);
        json["unmatched_targets"] = new JsonArray([.. map.UnmatchedTargets.Select(i => (JsonNode)i)]);
        context.Out.WriteLine(json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }));
    }
}

/// <summary>Reading texts before the step itself, whose share it leaves at none.</summary>
internal sealed class Reading(IProgress<FlowProgress> to) : IProgress<double>
{
    public void Report(double value) => to.Report(new FlowProgress(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"reading texts, {value:P0}"), 0));
}

/// <summary>Options of how features are matched, shared by the commands that match.</summary>
internal sealed class MapOptions
{
    private readonly Option<string> _method = new Option<string>("--method") { Description = "assignment: one to one, least total cost; cosine: the nearest of every source; pearson: the best correlated over the tokens given.", HelpName = "assignment|cosine|pearson", DefaultValueFactory = _ => "assignment" }.AcceptOnlyFromAmong("assignment", "cosine", "pearson");
    private readonly Option<string> _cost = PackOptions.Choice("--cost", [], "What an assignment compares, by squared error.", MatchCost.Both);
    private readonly Option<bool> _unfolded = new("--unfolded") { Description = "Compare parameters as they are, without folding thresholds into them." };
    private readonly Option<string?> _fold = new Option<string?>("--fold") { Description = "What to fold by; thresholds where there are some, else decoder norms. mean-activation is measured on the tokens given.", HelpName = "threshold|decoder-norm|mean-activation" }.AcceptOnlyFromAmong("threshold", "decoder-norm", "mean-activation");
    private readonly Option<double[]> _weights = new("--weights") { Description = "Weights of decoder, encoder and encoder bias in the cost 'both'; 1,1,1 unless given.", HelpName = "D,E,B", CustomParser = Weights };
    private readonly Option<int> _top = new("--top", "-k") { Description = "Targets of a source, for cosine and pearson.", HelpName = "K", DefaultValueFactory = _ => 1 };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _method, _cost, _unfolded, _fold, _weights, _top }) command.Options.Add(option);
    }

    /// <summary>Whether activations are asked for.</summary>
    public bool Correlates(System.CommandLine.Parsing.CommandResult result) => result.GetValue(_method) == "pearson";

    /// <summary>Whether texts are needed.</summary>
    public bool Reads(System.CommandLine.Parsing.CommandResult result) => Correlates(result) || result.GetValue(_fold) == "mean-activation";

    public int Top(ParseResult options) => options.GetValue(_top);

    public FeatureMapOptions Read(ParseResult options, AssignmentOptions assignment)
    {
        var weights = options.GetValue(_weights) is { Length: 3 } given ? given : [1, 1, 1];
        return new FeatureMapOptions
        {
            Method = Enum.Parse<MapMethod>(options.GetValue(_method)!, ignoreCase: true),
            Cost = Enum.Parse<MatchCost>(options.GetValue(_cost)!, ignoreCase: true),
            Folded = !options.GetValue(_unfolded),
            Fold = options.GetValue(_fold) is { } fold ? FoldRules.Parse(fold) : null,
            DecoderWeight = weights[0],
            EncoderWeight = weights[1],
            BiasWeight = weights[2],
            Top = options.GetValue(_top),
            Assignment = assignment,
        };
    }

    private static double[] Weights(System.CommandLine.Parsing.ArgumentResult result)
    {
        var parts = result.Tokens.SelectMany(t => t.Value.Split(',')).ToArray();
        var numbers = new double[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!double.TryParse(parts[i], System.Globalization.CultureInfo.InvariantCulture, out numbers[i])) result.AddError($"'{parts[i]}' is no number; weights are written as in 1,0.1,0.");
        }

        if (parts.Length != 3) result.AddError("Three weights are needed: decoder, encoder, encoder bias, as in 1,0.1,0.");
        return numbers;
    }
}
