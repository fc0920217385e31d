using System.Globalization;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: flow-graph</c>: flow graphs of chosen features (Feature Flow, section 3.3), their predecessors, the pack's classes.</summary>
internal sealed class FlowGraphKind : ExperimentKind
{
    private const string FeaturePattern = "^\\d+/(res|mlp|att|att_z|res_pre|tc)/\\d+$";

    public override string Name => "flow-graph";

    public override IReadOnlyList<YamlRecord> Parts => [Seeds.Schema, ThresholdRecord];

    public override YamlRecord Schema { get; } = new(
        "flow-graph",
        "Traces features of a pack and writes their flow graphs.",
        [
            .. Common("flow-graph"),
            new("pack", YamlType.Text, "The pack: its file or folder, relative to this file, or the name of a preset.", Required: true),
            new("seeds", YamlType.Either(Seeds.Schema, YamlType.OneOrMany(YamlType.Pattern("a feature, as in 24/res/14548", FeaturePattern))), "Features to trace: a list of them, or how to choose them.", Required: true),
            new("direction", YamlType.Choice("backward", "forward", "both"), "Which way to follow features.", Default: "backward"),
            new("top", YamlType.Integer(1, 1024), "Matches per site and node; above 1 the graph branches.", Default: "1"),
            new("thresholds", ThresholdRecord, "Least similarity of an edge.", Default: "res 0.5, mlp 0.15, att 0.15"),
            new("layer_thresholds", YamlType.Map("a layer", "^\\d+$", ThresholdRecord), "Thresholds of single layers, by the layer of the edge's target.", Default: "thresholds everywhere"),
            new("forward_modules", YamlType.Choice("feature", "successor"), "Whose matches the module nodes of a forward step are: the feature's own, or the kept successor's.", Default: "feature"),
            new("max_nodes", YamlType.Integer(1, 10_000_000), "A graph that grows larger is refused.", Default: "20000"),
            new("predecessors", YamlType.Integer(0, 1024), "Also write this many predecessors per site of every seed.", Default: "0"),
            new("classes", YamlType.Boolean, "Also count the static classes of all residual features.", Default: "false"),
            new("formats", YamlType.OneOrMany(YamlType.Choice([.. Formats.Select(f => f.Name)])), "Forms of the graphs.", Default: "html, json, csv"),
        ]);

    /// <summary>Names of the forms, with the file each is written to; «{unit}» stands for one file per graph.</summary>
    public static IReadOnlyList<(string Name, GraphFormat Format, string File)> Formats =>
    [
        ("html", GraphFormat.Html, "report.html"),
        ("json", GraphFormat.Json, "graphs.json"),
        ("csv", GraphFormat.Csv, "edges.csv"),
        ("svg", GraphFormat.Svg, "graphs/{unit}.svg"),
        ("dot", GraphFormat.Dot, "graphs/{unit}.dot"),
        ("mmd", GraphFormat.Mermaid, "graphs/{unit}.mmd"),
        ("graphml", GraphFormat.GraphMl, "graphs/{unit}.graphml"),
        ("attribution", GraphFormat.Attribution, "graphs/{unit}.attribution.json"),
    ];

    private static YamlRecord ThresholdRecord { get; } = new(
        "thresholds",
        "Least cosine of an edge, by the site of its earlier end.",
        new YamlField("res", YamlType.Number(-1, 1), "Residual stream.", Default: "0.5"),
        new YamlField("mlp", YamlType.Number(-1, 1), "MLP features.", Default: "0.15"),
        new YamlField("att", YamlType.Number(-1, 1), "Attention features.", Default: "0.15"));

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var place = file.Values.Place("pack");
        var named = file.Values.Required("pack");
        var beside = Path.Combine(file.Folder, named);
        var path = Path.Exists(beside) ? beside : named;
        if (!Path.Exists(path) && !PackFile.Presets.Contains(path)) throw ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, $"there is no pack '{named}' beside this file, and no preset of that name ({string.Join(", ", PackFile.Presets)}).");
        var pack = Session.Open(path);
        var seeds = Seeds.Choose(file.Values, pack);
        return new FlowGraphExperiment(pack, ReadPlan(file.Values, seeds), cancel);
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) =>
        ReadPlan(resolved.Values, [.. resolved.Values.Texts("seeds").Select(FeatureId.Parse)]);

    private static FlowGraphPlan ReadPlan(YamlValues values, IReadOnlyList<FeatureId> seeds)
    {
        var thresholds = Read(values.Record("thresholds"), Thresholds.Default);
        return new FlowGraphPlan(
            seeds,
            new FlowGraphOptions
            {
                Direction = Enum.Parse<FlowDirection>(values.Text("direction") ?? "backward", ignoreCase: true),
                Top = (int)(values.Integer("top") ?? 1),
                Thresholds = thresholds,
                LayerThresholds = values.Map("layer_thresholds").ToDictionary(p => int.Parse(p.Key, CultureInfo.InvariantCulture), p => Read(p.Value as YamlValues, thresholds)),
                ForwardModules = Enum.Parse<ForwardModules>(values.Text("forward_modules") ?? "feature", ignoreCase: true),
                MaxNodes = (int)(values.Integer("max_nodes") ?? 20_000),
            },
            (int)(values.Integer("predecessors") ?? 0),
            values.Flag("classes"),
            values.Has("formats") ? [.. values.Texts("formats").Distinct()] : ["html", "json", "csv"]);
    }

    private static Thresholds Read(YamlValues? values, Thresholds otherwise) =>
        values is null ? otherwise : new(values.Number("res") ?? otherwise.Res, values.Number("mlp") ?? otherwise.Mlp, values.Number("att") ?? otherwise.Att);
}
