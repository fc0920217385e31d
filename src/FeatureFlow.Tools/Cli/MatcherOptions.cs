using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools;

/// <summary>Who names the candidates of a search: <c>--method cosine|assignment|pearson</c>, with the model that correlations need.</summary>
internal sealed class MatcherOptions
{
    private readonly Option<string> _method = new Option<string>("--method")
    {
        Description = "Who names matches: the nearest by cosine; the partner in the exact assignment; pearson, the best correlated over the tokens given.",
        HelpName = "cosine|assignment|pearson",
        DefaultValueFactory = _ => "cosine",
    }.AcceptOnlyFromAmong("cosine", "assignment", "pearson");

    /// <summary>The model option; added by whoever has no other.</summary>
    public Option<string?> Model { get; } = new("--model", "-m") { Description = "Model that reads tokens: the folder of a checkpoint, or a hub id that the local cache has; the pack's unless given.", HelpName = "DIR" };

    /// <summary>Adds <c>--method</c>.</summary>
    public void AddTo(Command command) => command.Options.Add(_method);

    /// <summary>Whether tokens are needed.</summary>
    public bool Correlates(System.CommandLine.Parsing.CommandResult result) => result.GetValue(_method) == "pearson";

    /// <summary>Runs work with the matcher, null for cosine.</summary>
    /// <param name="options">The options.</param>
    /// <param name="context">The call.</param>
    /// <param name="pack">The pack.</param>
    /// <param name="tokens">What correlations are over.</param>
    /// <param name="layers">Layers whose residual features and their predecessors are asked for.</param>
    /// <param name="top">Candidates of a feature and site.</param>
    /// <param name="work">The work.</param>
    public T With<T>(ParseResult options, ToolContext context, OpenedPack pack, TokenSource tokens, Func<int, bool> layers, int top, Func<IFeatureMatcher?, T> work)
    {
        switch (options.GetValue(_method))
        {
            case "assignment":
                return work(new AssignmentMatcher(pack));
            case "pearson":
                using (var lease = FlowEngine.Shared.Model(options.GetValue(Model) ?? pack.Pack.Model ?? throw ToolErrors.NoModel(pack.Pack.Source)))
                using (var pearson = context.Watch("correlations", progress => new PearsonMatcher(
                    pack, lease.Model, tokens.Read(options, () => lease.Model.Tokenizer, context).Select(d => d.Document), PearsonMatcher.PlacesOf(pack, pack.Pack.Saes.Where(s => s.Site == Site.Res && layers(s.Layer)).Select(s => s.Layer)), top, new Stage(progress), context.Cancel)))
                {
                    context.Note(FormattableString.Invariant($"correlations over {pearson.Tokens} tokens"));
                    return work(pearson);
                }

            default:
                return work(null);
        }
    }

    private sealed class Stage(IProgress<FlowProgress> to) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress("reading texts", value));
    }
}
