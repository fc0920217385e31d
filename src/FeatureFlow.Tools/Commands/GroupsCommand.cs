using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow groups</c>: where active features come from at that token.</summary>
internal sealed class GroupsCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly MatcherOptions _matcher = new();
    private readonly TokenSource _tokens = new();
    private readonly Option<string?> _positions = new("--positions") { Description = "A CSV file with the columns seq and pos: which tokens to look at. Drawn by the seed unless given.", HelpName = "FILE" };
    private readonly Option<int> _perText = new("--tokens-per-text") { Description = "Random tokens of each text.", HelpName = "N", DefaultValueFactory = _ => GroupMeasurement.PaperTokens };
    private readonly Option<int[]> _layers = PackOptions.Layers("Layers; all that have a residual SAE unless given.");
    private readonly Option<string> _out = PackOptions.Out("Folder for groups.csv, mannwhitney.csv, mannwhitney_summary.csv, appears_as.csv, scores.csv and positions.csv.");
    private readonly Option<bool> _excel = PackOptions.Excel();

    public GroupsCommand()
        : base(
            "groups",
            "Tell at sampled tokens which predecessors of active features are active too, and test whether scores differ between the groups.",
            ("groups --pack examples/storyworld --text 'The ship sailed to the island. The captain saw a whale.' --tokens-per-text 8 --out groups", "Eight tokens of a text, every layer."),
            ("groups --pack examples/storyworld --text 'Once there was a baker.' --layers 1-3 --out groups --json", "Three layers; counts on standard output."))
    {
        foreach (var option in new Option[] { _pack, _matcher.Model }) Options.Add(option);
        _matcher.AddTo(this);
        _tokens.AddTo(this);
        foreach (var option in new Option[] { _positions, _perText, _layers, _out, _excel }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        using var lease = FlowEngine.Shared.Model(options.GetValue(_matcher.Model) ?? pack.Pack.Model ?? throw ToolErrors.NoModel(pack.Pack.Source));
        var documents = _tokens.Read(options, () => lease.Model.Tokenizer, context).ToList();
        var texts = options.GetValue(_positions) is { } file
            ? SampledText.At(documents, GroupTables.ReadNumbers(file, "seq", "pos").Select(r => (r[0], r[1])))
            : SampledText.Draw(documents, options.GetValue(_perText), options.GetValue(_tokens.Seed));
        var layers = options.GetValue(_layers) is { Length: > 0 } some ? some : null;
        var report = _matcher.With(options, context, pack, _tokens, layer => layers?.Contains(layer) != false, 1, matcher => context.Watch("groups", progress => GroupMeasurement.Measure(pack, lease.Model, texts, layers, matcher, progress, context.Cancel)));
        foreach (var note in report.Notes) context.Note(note);
        var folder = options.GetValue(_out)!;
        GroupTables.Write(report, folder, options.GetValue(_excel));
        context.Note($"{report.Occurrences.Count} active features at {texts.Sum(t => t.Positions.Count)} tokens, in {folder}");
        context.Show(GroupTables.Counts, report.Counts());
        return 0;
    }
}
