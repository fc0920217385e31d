using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow predecessors</c>: where features come from.</summary>
internal sealed class PredecessorsCommand() : MatchesCommand(
    "predecessors",
    "Where features come from: the best matches by decoder cosine in res one layer below, and in mlp and att of the layer.",
    PredecessorSearch.Find,
    ("predecessors --pack examples/stories260k --feature 4/res/40", "The best predecessor at each site."),
    ("predecessors --pack examples/stories260k --feature 4/res/40 --feature 3/res/7 --top 5 --csv predecessors.csv", "The five best of two features, as CSV."),
    ("predecessors --pack examples/stories260k --feature 4/res/40 --sites mlp,att --json", "Module features only, as JSON."),
    ("predecessors --pack examples/storyworld --feature 3/res/199 --method pearson --text 'The ship sailed to the island. The captain saw a whale.'", "The best correlated over the tokens of a text."));

/// <summary><c>featureflow successors</c>: where features go.</summary>
internal sealed class SuccessorsCommand() : MatchesCommand(
    "successors",
    "Where features go: the best matches by decoder cosine in res, mlp and att one layer above; for a module feature in res of its layer.",
    SuccessorSearch.Find,
    ("successors --pack examples/stories260k --feature 1/res/17 --top 3", "The three best successors at each site."),
    ("successors --pack examples/stories260k --feature 2/mlp/5", "The residual features that an MLP feature writes to."));

/// <summary>What the two have in common.</summary>
internal abstract class MatchesCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<FeatureId[]> _features = PackOptions.Features();
    private readonly Option<int> _top = PackOptions.Top(1);
    private readonly MatcherOptions _matcher = new();
    private readonly TokenSource _tokens = new();
    private readonly Option<Site[]> _sites = PackOptions.SiteList("Sites to look in; res, mlp and att unless given.");
    private readonly Option<string?> _csv = PackOptions.Csv();
    private readonly Option<bool> _excel = PackOptions.Excel();
    private readonly Search _search;

    protected MatchesCommand(string name, string description, Search search, params (string Line, string Does)[] examples)
        : base(name, description, examples)
    {
        _search = search;
        foreach (var option in new Option[] { _pack, _features, _top, _sites, _csv, _excel }) Options.Add(option);
        _matcher.AddTo(this);
        Options.Add(_matcher.Model);
        _tokens.AddTo(this, _matcher.Correlates, "--method pearson");
    }

    protected delegate IEnumerable<FeatureMatch> Search(
        OpenedPack pack, IReadOnlyList<FeatureId> targets, int top, IReadOnlyList<Site>? sites, IProgress<FlowProgress>? progress, ICollection<string>? notes, CancellationToken cancel);

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        var notes = new List<string>();
        var sites = options.GetValue(_sites) is { Length: > 0 } some ? some : null;
        var rows = _matcher.With(options, context, pack, _tokens, layer => options.GetValue(_features)!.Any(f => layer >= f.Layer - 1 && layer <= f.Layer + 1), options.GetValue(_top), matcher => context.Watch(Name, progress => _search(matcher is null ? pack : pack.With(matcher), options.GetValue(_features)!, options.GetValue(_top), sites, progress, notes, context.Cancel).ToList()));
        foreach (var note in notes) context.Note(note);
        context.ShowOrWrite(Tables.MatchesOf(pack), rows, options.GetValue(_csv), options.GetValue(_excel));
        return 0;
    }
}
