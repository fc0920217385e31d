using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow deactivate</c>: does a feature fall silent when its predecessors are removed?</summary>
internal sealed class DeactivateCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<string?> _model = new("--model", "-m") { Description = "Model: the folder of a checkpoint, or a hub id that the local cache has; the pack's unless given.", HelpName = "DIR" };
    private readonly TokenSource _tokens = new();
    private readonly Option<string?> _targets = new("--targets") { Description = "A CSV file with the columns seq, pos, layer and feature; with a column strategy it also says which to try. Drawn by the seed unless given.", HelpName = "FILE" };
    private readonly Option<string[]> _strategies = new Option<string[]>("--strategies") { Description = "Who names the predecessors: top1, top5 and random (one of the five) by cosine, permutation, pearson (over all tokens given), exhaustive (each active feature on its own). All unless given.", HelpName = "NAME,...", AllowMultipleArgumentsPerToken = true };
    private readonly Option<int> _texts = new("--texts") { Description = "Texts from which targets are drawn, the first ones.", HelpName = "N", DefaultValueFactory = _ => CausalTests.PaperTexts };
    private readonly Option<int> _perText = new("--tokens-per-text") { Description = "Random tokens of each text.", HelpName = "N", DefaultValueFactory = _ => GroupMeasurement.PaperTokens };
    private readonly Option<int> _perToken = new("--targets-per-token") { Description = "Targets of a token and layer at most, drawn from those with an active predecessor.", HelpName = "N", DefaultValueFactory = _ => CausalTests.PaperTargets };
    private readonly Option<int[]> _layers = PackOptions.Layers("Layers of the targets; all from 1 unless given.");
    private readonly Option<int> _swept = new("--sweep-targets") { Description = "Targets for rsweep.csv and loss.csv, evenly over all; 0 for neither.", HelpName = "N", DefaultValueFactory = _ => 100 };
    private readonly Option<string> _out = PackOptions.Out("Folder for causal.csv, one_at_a_time.csv, summary.csv, rsweep.csv, loss.csv, claims.csv and methods.csv.");
    private readonly Option<bool> _excel = PackOptions.Excel();

    public DeactivateCommand()
        : base(
            "deactivate",
            "Remove the predecessors of active features at one token, compute the layer anew, and look whether the features fall silent.",
            ("deactivate --pack examples/storyworld --text 'The ship sailed to the island. The captain saw a whale.' --targets-per-token 3 --layers 2-3 --strategies top1,top5,random --out cut", "Does the best predecessor do more than a random one of the five?"),
            ("deactivate --pack examples/storyworld --text 'The ship sailed to the island.' --targets-per-token 1 --layers 3 --out cut --json", "Every strategy; the summary on standard output."))
    {
        foreach (var option in new Option[] { _pack, _model }) Options.Add(option);
        _tokens.AddTo(this);
        foreach (var option in new Option[] { _targets, _strategies, _texts, _perText, _perToken, _layers, _swept, _out, _excel }) Options.Add(option);
        _strategies.CompletionSources.Add(_ => CausalPlan.Known.Select(n => new System.CommandLine.Completions.CompletionItem(n)));
        _strategies.Validators.Add(r =>
        {
            foreach (var name in Split(r.GetValueOrDefault<string[]>()).Except(CausalPlan.Known)) r.AddError($"'{name}' is no strategy; there are {string.Join(", ", CausalPlan.Known)}.");
        });
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model) ?? pack.Pack.Model ?? throw ToolErrors.NoModel(pack.Pack.Source));
        var documents = _tokens.Read(options, () => lease.Model.Tokenizer, context).Select(d => d.Document).ToList();
        var (targets, listed) = options.GetValue(_targets) is { } file ? CausalTables.ReadTargets(file) : (null, []);
        var names = Split(options.GetValue(_strategies)).ToList();
        if (names.Count == 0) names = [.. listed.Where(CausalPlan.Known.Contains)];
        var plan = new CausalPlan
        {
            Strategies = names.Count > 0 ? names : CausalPlan.Known,
            Texts = options.GetValue(_texts),
            TokensPerText = options.GetValue(_perText),
            TargetsPerToken = options.GetValue(_perToken),
            Layers = options.GetValue(_layers) is { Length: > 0 } some ? some : null,
            SweepTargets = options.GetValue(_swept),
            Seed = options.GetValue(_tokens.Seed),
        };
        var report = context.Watch("deactivate", progress => plan.Run(pack, lease.Model, documents, targets, progress, context.Cancel));
        if (report.Skipped.Count > 0) context.Note($"{report.Skipped.Count} targets are not active where they should be, the first {report.Skipped[0]}; left out");
        var folder = options.GetValue(_out)!;
        CausalTables.Write(report, folder, options.GetValue(_excel));
        context.Note($"{report.Rows.Select(r => r.Target).Distinct().Count()} targets, {report.Cuts} cuts, in {folder}");
        context.Show(CausalTables.Summary, report.Summary().Where(s => context.Json || s.Layer is null));
        return 0;
    }

    private static IEnumerable<string> Split(string[]? names) => (names ?? []).SelectMany(n => n.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Distinct();
}
