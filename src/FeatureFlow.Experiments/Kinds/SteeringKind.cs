using FeatureFlow.Experiments.Judging;
using FeatureFlow.Experiments.Steering;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: steering</c>: a sweep of steering plans over layers, coefficients, schedules and modes (Feature Flow, section 5.3).</summary>
internal sealed class SteeringKind : ExperimentKind
{
    private static readonly SteeringRecipe Plain = new();

    public override string Name => "steering";

    public override IReadOnlyList<YamlRecord> Parts => [GraphRecord, LineageRecord];

    public override YamlRecord Schema { get; } = new(
        "steering",
        "Writes texts under steering plans, many at a time, and has them judged: every mode, schedule, layer and coefficient with every prompt and sample (docs/steering.md).",
        [
            .. Common("steering"),
            new("pack", YamlType.Text, "The pack: its file or folder, relative to this file, or the name of a preset.", Required: true),
            new("model", YamlType.Text, "The model: a checkpoint folder, relative to this file, or a hub id in the local cache.", Default: "the pack's"),
            new("aim", YamlType.Choice(SteeringPlanFile.Names<SteeringAim>()), "Bring the subject in, or take it out: what the total score counts.", Default: "activate"),
            new("features", YamlType.OneOrMany(SteeringPlanFile.Feature), "Features whose lineage is steered; their flow graphs are joined.", Default: "'lineage' is given instead"),
            new("antagonists", YamlType.OneOrMany(SteeringPlanFile.Feature), "Features whose lineage is steered the other way.", Default: "none"),
            new("graph", GraphRecord, "How the flow graphs are built."),
            new("sites", YamlType.OneOrMany(YamlType.Choice([.. Sites.Names])), "Sites of the nodes that are taken.", Default: "res"),
            new("lineage", LineageRecord, "The features themselves, instead of graphs of some.", Default: "'features' is given instead"),
            new("method", YamlType.Choice(SteeringPlanFile.Names<EditMethod>()), "add brings features in; rescale removes them, or makes them stronger.", Default: "add to activate, rescale to deactivate"),
            new("coefficients", YamlType.OneOrMany(SteeringPlanFile.Number), "s of add; r of rescale, 0 removes.", Required: true),
            new("layers", YamlType.Layers, "The layers.", Default: "every layer of the lineage"),
            new("modes", YamlType.OneOrMany(YamlType.Choice(SteeringPlanFile.Names<SteeringMode>())), "Which layers a plan edits.", Default: "single, cumulative"),
            new("schedules", YamlType.OneOrMany(YamlType.Choice(SteeringPlanFile.Names<SteeringSchedule>())), "How s changes over layers; single and rescale are constant.", Default: "constant"),
            new("alpha", SteeringPlanFile.Number, "Of the exponential schedule, s·e^(αl).", Default: "-0.05"),
            new("end", SteeringPlanFile.Number, "Of the linear schedule: s at the end of the span.", Default: "1"),
            new("folded", YamlType.Boolean, "Scale what is added by the features' thresholds.", Default: "false"),
            new("prompts", YamlType.OneOrMany(YamlType.Text), "How texts begin.", Required: true),
            new("samples", YamlType.Integer(1, 1_000_000), "Texts of every plan and prompt; equal numbers draw alike under every plan.", Default: "20"),
            new("max_tokens", YamlType.Integer(1, 1_000_000), "New tokens at most.", Default: "36 to activate, 96 to deactivate"),
            new("temperature", YamlType.Number(0, 100), "0 takes the likeliest token every time.", Default: "1.27"),
            new("top_p", YamlType.Number(0.000001, 1), "Draw from the likeliest tokens of this probability together.", Default: "0.7"),
            new("seed", YamlType.Integer(0, long.MaxValue), "Seed of the draws.", Default: "1"),
            new("tokens", YamlType.Choice(SteeringPlanFile.Names<SteeredTokens>()), "Tokens that are steered.", Default: "all"),
            new("ignore_eos", YamlType.Boolean, "Go on after the model's end-of-text token.", Default: "false"),
            new("subjects", YamlType.OneOrMany(YamlType.Text), "What texts are judged for: a name, or 'name: what it means'.", Default: "texts are not judged"),
            new("judge", JudgeFile.Record, "Who judges (docs/judges.md).", Default: "an endpoint that the environment names, else Storyworld's grammar for its themes"),
        ]);

    private static YamlRecord GraphRecord { get; } = new(
        "graph",
        "How flow graphs are built; the thresholds are those for steering.",
        new YamlField("direction", YamlType.Choice(SteeringPlanFile.Names<FlowDirection>()), "Which way to follow features.", Default: "both"),
        new YamlField("top", YamlType.Integer(1, 1024), "Matches per site and node; above 1 graphs branch.", Default: "1"),
        new YamlField("res", YamlType.Number(-1, 1), "Least cosine with the residual stream.", Default: "0.5"),
        new YamlField("mlp", YamlType.Number(-1, 1), "Least cosine with MLP features.", Default: "0.15"),
        new YamlField("att", YamlType.Number(-1, 1), "Least cosine with attention features.", Default: "0.15"));

    private static YamlRecord LineageRecord { get; } = new(
        "lineage",
        "Features that are steered together.",
        new YamlField("features", YamlType.List(SteeringPlanFile.Feature), "The features.", Required: true),
        new YamlField("antagonists", YamlType.List(SteeringPlanFile.Feature), "Features steered the other way.", Default: "none"),
        new YamlField("targets", YamlType.OneOrMany(SteeringPlanFile.Feature), "Features whose activation is watched; the first one's layer counts as the one that was picked.", Default: "the features"),
        new YamlField("span", YamlType.List(YamlType.Integer(0, 999)), "First and last layer of the similarity span.", Default: "those of the features"),
        new YamlField("edges", YamlType.List(YamlType.Text), "Edges of the flow graphs that the features are of, as 'target predecessor similarity': for the report's picture.", Default: "none"));

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var values = file.Values;
        var pack = Session.Open(Beside(file.Folder, values.Required("pack")));
        var model = values.Text("model") is { } named ? Beside(file.Folder, named) : pack.Pack.Model ?? throw Wrong(values, "model", "the pack names no model; name one with 'model'.");
        if (values.Has("features") == values.Has("lineage")) throw Wrong(values, "features", "give either 'features' or 'lineage'.");
        var lineage = values.Has("lineage") ? Lineage(values.Record("lineage")!) : Traced(values, pack, cancel);
        foreach (var site in lineage.Features.Select(f => f.Feature).GroupBy(f => (f.Layer, f.Site))) _ = pack.Features(site.Key.Layer, site.Key.Site, [.. site.Select(f => f.Index)], cancel);
        var plan = ReadPlan(values, lineage);
        if (plan.Recipes.Count == 0) throw Wrong(values, "layers", $"no plan comes of this: the lineage has features at layers {string.Join(", ", lineage.Features.Select(f => f.Feature.Layer).Distinct().Order())} only.");
        var judge = values.Record("judge") is { } record ? JudgeFile.Of(record, file.Folder) : new JudgeSettings();
        if (plan.Subjects.Count > 0) Judges.Open(judge, plan.Subjects, null).Dispose(); // a judge that is not there is told now
        return new SteeringSweep(pack, model, plan, judge, cancel);
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) => ReadPlan(resolved.Values, Lineage(resolved.Values.Record("lineage")!));

    private static SteeringFeatures Traced(YamlValues values, OpenedPack pack, CancellationToken cancel)
    {
        var graph = values.Record("graph");
        var thresholds = new Thresholds(graph?.Number("res") ?? Thresholds.Default.Res, graph?.Number("mlp") ?? Thresholds.Default.Mlp, graph?.Number("att") ?? Thresholds.Default.Att);
        var options = new FlowGraphOptions { Direction = SteeringPlanFile.Value(graph?.Text("direction"), FlowDirection.Both), Top = (int)(graph?.Integer("top") ?? 1), Thresholds = thresholds };
        FeatureId[] seeds = [.. values.Texts("features").Select(FeatureId.Parse)];
        var graphs = FlowGraphBuilder.BuildMany(pack, [.. seeds, .. values.Texts("antagonists").Select(FeatureId.Parse)], options, cancel: cancel).ToList();
        return SteeringFeatures.Of(graphs[..seeds.Length], graphs[seeds.Length..], values.Has("sites") ? [.. values.Texts("sites").Select(Sites.Parse)] : null);
    }

    private static SteeringFeatures Lineage(YamlValues values)
    {
        var features = SteeringFeatures.Of([
            .. values.Texts("features").Select(f => new SteeringFeature(FeatureId.Parse(f))),
            .. values.Texts("antagonists").Select(f => new SteeringFeature(FeatureId.Parse(f), Antagonist: true))]);
        var span = values.Items("span").Cast<long>().ToList();
        return features with
        {
            Targets = values.Has("targets") ? [.. values.Texts("targets").Select(FeatureId.Parse)] : features.Targets,
            SpanStart = span.Count == 2 ? (int)span[0] : features.SpanStart,
            SpanEnd = span.Count == 2 ? (int)span[1] : features.SpanEnd,
            Edges = [.. values.Texts("edges").Select(e => SteeringGraph.Edge(e) ?? throw Wrong(values, "edges", $"'{e}' is no edge: write 'target predecessor similarity', as in '5/res/108 4/res/77 0.83'."))],
        };
    }

    private static SteeringSweepPlan ReadPlan(YamlValues values, SteeringFeatures lineage)
    {
        var aim = SteeringPlanFile.Value(values.Text("aim"), SteeringAim.Activate);
        var generation = SteeringOptions.PaperGeneration;
        return new SteeringSweepPlan
        {
            Lineage = lineage,
            Aim = aim,
            Recipe = Plain with
            {
                Method = SteeringPlanFile.Value(values.Text("method"), aim == SteeringAim.Activate ? EditMethod.Add : EditMethod.Rescale),
                Alpha = values.Number("alpha") ?? Plain.Alpha,
                End = values.Number("end") ?? Plain.End,
                Folded = values.Flag("folded"),
            },
            Coefficients = values.Numbers("coefficients"),
            Modes = values.Has("modes") ? [.. values.Texts("modes").Select(m => SteeringPlanFile.Value(m, SteeringMode.Single))] : [SteeringMode.Single, SteeringMode.Cumulative],
            Schedules = values.Has("schedules") ? [.. values.Texts("schedules").Select(m => SteeringPlanFile.Value(m, SteeringSchedule.Constant))] : [SteeringSchedule.Constant],
            Layers = values.Layers("layers"),
            Prompts = values.Texts("prompts"),
            Samples = (int)(values.Integer("samples") ?? 20),
            Options = new SteeringOptions
            {
                Tokens = SteeringPlanFile.Value(values.Text("tokens"), SteeredTokens.All),
                Generation = generation with
                {
                    MaxTokens = (int)(values.Integer("max_tokens") ?? (aim == SteeringAim.Activate ? 36 : 96)),
                    Temperature = (float)(values.Number("temperature") ?? generation.Temperature),
                    TopP = (float)(values.Number("top_p") ?? generation.TopP),
                    Seed = (ulong)(values.Integer("seed") ?? 1),
                    StopAtEos = !values.Flag("ignore_eos"),
                    RowsTogether = 64,
                },
            },
            Subjects = values.Texts("subjects"),
            Judge = values.Record("judge") is { } judge ? judge.Raw() : new Dictionary<string, object?>(),
        };
    }

    private static string Beside(string folder, string named) => Path.Exists(Path.Combine(folder, named)) ? Path.GetFullPath(Path.Combine(folder, named)) : named;

    private static FeatureFlowException Wrong(YamlValues values, string key, string what)
    {
        var place = values.Place(key);
        return ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, what);
    }
}
