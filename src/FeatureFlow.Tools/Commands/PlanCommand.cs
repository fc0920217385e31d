using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow plan</c>: a steering plan from the lineage of features.</summary>
internal sealed class PlanCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<FeatureId[]> _features = PackOptions.Features();
    private readonly Option<FeatureId[]> _antagonists = new("--antagonist") { Description = "Feature whose lineage is steered the other way; may be given several times.", HelpName = "L/SITE/I", AllowMultipleArgumentsPerToken = true, CustomParser = r => [.. r.Tokens.Select(t => FeatureId.Parse(t.Value))] };
    private readonly Option<string> _direction = PackOptions.Choice("--direction", ["-d"], "Which way to follow features.", FlowDirection.Both);
    private readonly ThresholdOptions _thresholds = new(Thresholds.Default.Res, Thresholds.Default.Mlp);
    private readonly Option<int> _top = PackOptions.Top(1);
    private readonly Option<Site[]> _sites = PackOptions.SiteList("Sites of the nodes that are taken; res alone unless given.");
    private readonly RecipeOptions _recipe = new();
    private readonly Option<string?> _name = new("--name") { Description = "Name in results; made of the recipe unless given.", HelpName = "TEXT" };
    private readonly Option<string?> _out = new("--out", "-o") { Description = "Write the plan as .yaml or .csv.", HelpName = "FILE" };

    public PlanCommand()
        : base(
            "plan",
            "Make a steering plan from the lineage of features: which of them, at which layers, how strongly.",
            ("plan --pack examples/storyworld --feature 5/res/108 --coefficient 6 --schedule exponential --out plan.yaml", "Brings the feature in, through all layers of its lineage."),
            ("plan --pack examples/storyworld --feature 5/res/108 --method rescale --coefficient 0 --mode cumulative --layer 3", "Removes it and its predecessors, up to layer 3; shown as a table."))
    {
        Options.Add(_pack);
        Options.Add(_features);
        Options.Add(_antagonists);
        Options.Add(_direction);
        _thresholds.AddTo(this);
        Options.Add(_top);
        Options.Add(_sites);
        _recipe.AddTo(this);
        Options.Add(_name);
        Options.Add(_out);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        var how = new FlowGraphOptions { Direction = Enum.Parse<FlowDirection>(options.GetValue(_direction)!, ignoreCase: true), Thresholds = _thresholds.Read(options), Top = options.GetValue(_top) };
        var seeds = options.GetValue(_features)!;
        var graphs = context.Watch("lineage", progress => FlowGraphBuilder.BuildMany(pack, [.. seeds, .. options.GetValue(_antagonists) ?? []], how, progress, context.Cancel).ToList());
        var features = SteeringFeatures.Of(graphs[..seeds.Length], graphs[seeds.Length..], options.GetValue(_sites) is { Length: > 0 } sites ? sites : null);
        var plan = SteeringPlanner.Make(pack, features, _recipe.Read(options), options.GetValue(_name));
        context.Note(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{plan.Name}: {plan.Edits.Count} features, similarity span [{plan.SpanStart}, {plan.SpanEnd}], perturbation {SteeringPlanner.PerturbationNorm(pack, plan.Edits):G3}"));
        if (options.GetValue(_out) is { } file)
        {
            SteeringPlanFile.Write(file, [plan]);
            context.Note($"wrote {file}");
            if (!context.Json) return 0;
        }

        context.Show(SteeringPlanFile.Columns, SteeringPlanFile.RowsOf([plan]));
        return 0;
    }
}

/// <summary>How features become a plan, as options.</summary>
internal sealed class RecipeOptions
{
    private readonly Option<string> _method = PackOptions.Choice("--method", [], "add brings features in, rescale removes them (or makes them stronger).", EditMethod.Add);
    private readonly Option<double> _coefficient = new("--coefficient", "-c") { Description = "s of add; r of rescale, 0 removes.", HelpName = "X", Required = true };
    private readonly Option<string> _mode = PackOptions.Choice("--mode", [], "Layers: one, all up to it, the whole similarity span, or all up to it with the perturbation of one.", SteeringMode.Cumulative);
    private readonly Option<int?> _layer = new("--layer", "-l") { Description = "The layer; the end of the span unless given, for --mode single the feature's.", HelpName = "L" };
    private readonly Option<string> _schedule = PackOptions.Choice("--schedule", [], "How s changes over layers.", SteeringSchedule.Constant);
    private readonly Option<double> _alpha = new("--alpha") { Description = "Of the exponential schedule, s·e^(αl).", HelpName = "A", DefaultValueFactory = _ => new SteeringRecipe().Alpha };
    private readonly Option<double> _end = new("--end") { Description = "Of the linear schedule: s at the end of the span.", HelpName = "X", DefaultValueFactory = _ => new SteeringRecipe().End };
    private readonly Option<bool> _folded = new("--folded") { Description = "Scale what is added by the features' thresholds." };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _method, _coefficient, _mode, _layer, _schedule, _alpha, _end, _folded }) command.Options.Add(option);
    }

    public SteeringRecipe Read(ParseResult options) => new()
    {
        Method = Enum.Parse<EditMethod>(options.GetValue(_method)!, ignoreCase: true),
        Coefficient = options.GetValue(_coefficient),
        Mode = Enum.Parse<SteeringMode>(options.GetValue(_mode)!, ignoreCase: true),
        Layer = options.GetValue(_layer),
        Schedule = Enum.Parse<SteeringSchedule>(options.GetValue(_schedule)!, ignoreCase: true),
        Alpha = options.GetValue(_alpha),
        End = options.GetValue(_end),
        Folded = options.GetValue(_folded),
    };
}
