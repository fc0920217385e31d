using System.CommandLine;
using System.Globalization;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow approximate</c>: hidden states from the layer before.</summary>
internal sealed class ApproximateCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<string?> _model = new("--model", "-m") { Description = "Model; the pack's own unless given.", HelpName = "DIR" };
    private readonly TokenSource _tokens = new();
    private readonly Option<int[]> _layers = PackOptions.Layers("First layers of the pairs; every pair of neighbours unless given.");
    private readonly Option<string> _cost = PackOptions.Choice("--cost", [], "What the assignments compare, by squared error.", MatchCost.Both);
    private readonly Option<string?> _fold = new Option<string?>("--fold") { Description = "What to fold by; thresholds where there are some, else decoder norms. mean-activation is measured on the tokens.", HelpName = "threshold|decoder-norm|mean-activation" }.AcceptOnlyFromAmong("threshold", "decoder-norm", "mean-activation");
    private readonly Option<double[]> _quantiles = Numbers("--quantiles", "Shares of the pairs, those of smallest error first, that go through the permutation.", [0, 0.25, 0.5, 0.75, 1], 1);
    private readonly Option<double[]> _tops = Numbers("--top", "k of the transition maps.", [1, 2], 1024);
    private readonly Option<bool> _fast = new("--no-losses") { Description = "Leave out how the loss rises: a forward pass for every substitute." };
    private readonly Option<string> _out = new("--out", "-o") { Description = "Folder for layers.csv, approx.csv, intervals.csv and transitions.csv.", HelpName = "DIR", Required = true };

    public ApproximateCommand()
        : base(
            "approximate",
            "Approximate the hidden states of each layer from the layer before: layer drop, SAEs, matched features, MSE quantiles, transition maps.",
            ("approximate --pack examples/storyworld --text 'The old sailor fed the dragon. The dragon was happy.' --layer 0-1 --out approximation", "Two pairs of layers on a short text."),
            ("approximate --pack examples/storyworld --text 'The old sailor fed the dragon.' --layer 2 --no-losses --quantiles 0.5 --top 1,4 --out approximation", "Other quantiles and maps, explained variance only."))
    {
        Options.Add(_pack);
        Options.Add(_model);
        _tokens.AddTo(this);
        foreach (var option in new Option[] { _layers, _cost, _fold, _quantiles, _tops, _fast, _out }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model) ?? pack.Pack.Model ?? throw ToolErrors.NoModel(pack.Pack.Source));
        var documents = _tokens.Read(options, () => lease.Model.Tokenizer, context).Select(d => d.Document).ToList();
        var measure = new ApproximationOptions
        {
            Layers = options.GetValue(_layers) is { Length: > 0 } some ? some : null,
            Cost = Enum.Parse<MatchCost>(options.GetValue(_cost)!, ignoreCase: true),
            Fold = options.GetValue(_fold) is { } fold ? FoldRules.Parse(fold) : null,
            Quantiles = options.GetValue(_quantiles)!,
            TransitionTops = [.. options.GetValue(_tops)!.Select(k => (int)k)],
            Losses = !options.GetValue(_fast),
        };
        var result = context.Watch("approximate", progress => LayerApproximations.Measure(pack, lease.Model, documents, measure, progress, context.Cancel));
        var folder = options.GetValue(_out)!;
        Tables.Write(result, folder);
        context.Note(FormattableString.Invariant($"{result.Tokens} tokens, folded by {string.Join(", ", result.Approximations.Select(a => a.Fold).Distinct())}; layers.csv, approx.csv, intervals.csv and transitions.csv in {folder}"));
        context.Show(Tables.Approximations, result.Approximations);
        return 0;
    }

    private static Option<double[]> Numbers(string name, string description, double[] otherwise, double most) => new(name)
    {
        Description = description,
        HelpName = "X,...",
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => [.. result.Tokens.SelectMany(t => t.Value.Split(',')).Select(text =>
        {
            if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !(number >= 0 && number <= most)) result.AddError($"'{text}' is no number from 0 to {most}.");
            return number;
        })],
    };
}
