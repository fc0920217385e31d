using System.Globalization;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>Steering plans in files: YAML for one, CSV for any number (docs/steering.md). What is written reads back the same.</summary>
public static class SteeringPlanFile
{
    private const string Kind = "steering-plan";
    private const string FeaturePattern = "^\\d+/(res|mlp|att|att_z|res_pre|tc)/\\d+$";
    private static readonly string[] Methods = ["add", "rescale"];

    /// <summary>Columns of plans as CSV: one edit a row.</summary>
    public static TableColumns<(SteeringPlan Plan, FeatureEdit Edit)> Columns { get; } = new(
        ("plan", r => r.Plan.Name),
        ("layer", r => r.Edit.Feature.Layer),
        ("site", r => r.Edit.Feature.Site.Name()),
        ("index", r => r.Edit.Feature.Index),
        ("method", r => Name(r.Edit.Method)),
        ("coefficient", r => r.Edit.Coefficient),
        ("folded", r => r.Edit.Folded),
        ("target", r => r.Plan.Targets.Contains(r.Edit.Feature)));

    internal static YamlType Feature { get; } = YamlType.Pattern("a feature, as in 24/res/14548", FeaturePattern);

    internal static YamlRecord Edit { get; } = new(
        "features",
        "A feature, and what is done to it.",
        new YamlField("feature", Feature, "The feature.", Required: true),
        new YamlField("method", YamlType.Choice(Methods), "add: h + c·v; rescale: h + (c − 1)·z·v with the feature's own activation z.", Default: "add"),
        new YamlField("coefficient", Number, "c. To remove a feature, rescale by 0.", Required: true),
        new YamlField("folded", YamlType.Boolean, "Scale v by the feature's threshold; for add.", Default: "false"));

    internal static YamlRecord Made { get; } = new(
        "made",
        "How the plan was made: remembered for tables, without effect.",
        new YamlField("method", YamlType.Choice(Methods), "Method of features without their own.", Default: "add"),
        new YamlField("coefficient", Number, "Coefficient before the schedule.", Required: true),
        new YamlField("mode", YamlType.Choice(Names<SteeringMode>()), "Which layers.", Default: "cumulative"),
        new YamlField("layer", YamlType.Integer(0, 999), "The layer.", Required: true),
        new YamlField("schedule", YamlType.Choice(Names<SteeringSchedule>()), "Schedule of the coefficient.", Default: "constant"),
        new YamlField("alpha", Number, "α of the exponential schedule.", Default: "-0.05"),
        new YamlField("end", Number, "Coefficient at the end of the linear schedule.", Default: "1"),
        new YamlField("folded", YamlType.Boolean, "Embeddings scaled by thresholds.", Default: "false"),
        new YamlField("span", YamlType.List(YamlType.Integer(0, 999)), "First and last layer of the similarity span."));

    internal static YamlRecord Plan { get; } = new(
        Kind,
        "What is done to which features while a model writes (docs/steering.md).",
        new YamlField("version", YamlType.Integer(1, 1), "Version of this form: 1.", Required: true),
        new YamlField("kind", YamlType.Choice(Kind), $"What this is: {Kind}.", Required: true),
        new YamlField("name", YamlType.Text, "Name in results.", Default: "the file's name"),
        new YamlField("features", YamlType.List(Edit), "The edits.", Required: true),
        new YamlField("targets", YamlType.OneOrMany(Feature), "Features whose activation is watched.", Default: "none"),
        new YamlField("made", Made, "How the plan was made: remembered for tables, without effect."));

    internal static YamlType Number => YamlType.Number(-1e9, 1e9);

    /// <summary>Reads the plans of a file, by its ending.</summary>
    /// <exception cref="FeatureFlowException">FF5001-FF5004, FF5023: not a plan; FF5006: unreadable; FF5402: another ending.</exception>
    public static IReadOnlyList<SteeringPlan> Read(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".csv" => ReadCsv(path),
        ".yaml" or ".yml" => [ReadYaml(path)],
        _ => throw ExperimentErrors.PlanFormat(path),
    };

    /// <summary>Writes plans, by the file's ending, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written; FF5402, FF5403: not this way.</exception>
    public static void Write(string path, IReadOnlyList<SteeringPlan> plans)
    {
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".csv":
                Columns.Write(path, RowsOf(plans));
                break;
            case ".yaml" or ".yml":
                AtomicFile.WriteText(path, plans.Count == 1 ? Yaml(plans[0]) : throw ExperimentErrors.SeveralPlans(path, plans.Count));
                break;
            default:
                throw ExperimentErrors.PlanFormat(path);
        }
    }

    /// <summary>Rows of <see cref="Columns"/>.</summary>
    public static IEnumerable<(SteeringPlan Plan, FeatureEdit Edit)> RowsOf(IEnumerable<SteeringPlan> plans) => plans.SelectMany(p => p.Edits.Select(e => (p, e)));

    /// <summary>A plan as YAML.</summary>
    public static string Yaml(SteeringPlan plan)
    {
        var all = new Dictionary<string, object?> { ["version"] = 1, ["kind"] = Kind, ["name"] = plan.Name };
        all["features"] = plan.Edits.Select(e => new Dictionary<string, object?>
        {
            ["feature"] = e.Feature.ToString(),
            ["method"] = Name(e.Method),
            ["coefficient"] = e.Coefficient,
            ["folded"] = e.Folded,
        }).ToList();
        if (plan.Targets.Count > 0) all["targets"] = plan.Targets.Select(t => t.ToString()).ToList();
        if (plan is { Recipe: { Layer: { } layer } recipe })
        {
            var made = new Dictionary<string, object?>
            {
                ["method"] = Name(recipe.Method),
                ["coefficient"] = recipe.Coefficient,
                ["mode"] = Name(recipe.Mode),
                ["layer"] = layer,
                ["schedule"] = Name(recipe.Schedule),
                ["alpha"] = recipe.Alpha,
                ["end"] = recipe.End,
                ["folded"] = recipe.Folded,
            };
            if (plan is { SpanStart: { } start, SpanEnd: { } end }) made["span"] = new List<int> { start, end };
            all["made"] = made;
        }

        return ResolvedYaml.Write(all);
    }

    internal static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    internal static string[] Names<T>() where T : struct, Enum => [.. Enum.GetValues<T>().Select(Name)];

    internal static T Value<T>(string? name, T otherwise) where T : struct, Enum => name is null ? otherwise : Enum.Parse<T>(name, ignoreCase: true);

    private static SteeringPlan ReadYaml(string path)
    {
        var full = Path.GetFullPath(path);
        var values = Plan.ReadDocument(YamlTree.Read(PackFile.Text(full), full));
        var made = values.Record("made");
        var span = made?.Items("span").Cast<long>().ToArray() ?? [];
        return new SteeringPlan
        {
            Name = values.Text("name") ?? Path.GetFileNameWithoutExtension(full),
            Edits = [.. values.Records("features").Select(e => new FeatureEdit(FeatureId.Parse(e.Required("feature")), Value(e.Text("method"), EditMethod.Add), e.Number("coefficient")!.Value, e.Flag("folded")))],
            Targets = [.. values.Texts("targets").Select(FeatureId.Parse)],
            Recipe = made is null ? null : new SteeringRecipe
            {
                Method = Value(made.Text("method"), EditMethod.Add),
                Coefficient = made.Number("coefficient")!.Value,
                Mode = Value(made.Text("mode"), SteeringMode.Cumulative),
                Layer = (int)made.Integer("layer")!.Value,
                Schedule = Value(made.Text("schedule"), SteeringSchedule.Constant),
                Alpha = made.Number("alpha") ?? new SteeringRecipe().Alpha,
                End = made.Number("end") ?? new SteeringRecipe().End,
                Folded = made.Flag("folded"),
            },
            SpanStart = span.Length == 2 ? (int)span[0] : null,
            SpanEnd = span.Length == 2 ? (int)span[1] : null,
        };
    }

    private static List<SteeringPlan> ReadCsv(string path)
    {
        using var reader = new StringReader(PackFile.Text(Path.GetFullPath(path)));
        var table = CsvTable.Read(path, reader);
        int Column(string name) => table.Column(name) is >= 0 and var c ? c : throw ExperimentErrors.Table(path, 1, $"there is no column '{name}'; a steering plan has {string.Join(", ", Columns.Names)}.");
        int plan = table.Column("plan"), layer = Column("layer"), site = Column("site"), index = Column("index"), method = table.Column("method"), coefficient = Column("coefficient"), folded = table.Column("folded"), target = table.Column("target");
        var rows = new List<(string Plan, FeatureEdit Edit, bool Target)>();
        foreach (var (line, fields) in table.Rows)
        {
            string Field(int column, string otherwise) => column >= 0 && column < fields.Length && fields[column].Trim() is { Length: > 0 } text ? text : otherwise;
            FeatureFlowException Bad(string what) => ExperimentErrors.Table(path, line, what);
            if (!int.TryParse(Field(layer, ""), NumberStyles.None, CultureInfo.InvariantCulture, out var l) || !int.TryParse(Field(index, ""), NumberStyles.None, CultureInfo.InvariantCulture, out var i))
                throw Bad("layer and index are whole numbers from 0.");
            if (!Sites.TryParse(Field(site, ""), out var s)) throw Bad($"there is no site '{Field(site, "")}'; sites are {string.Join(", ", Sites.Names)}.");
            if (!Methods.Contains(Field(method, "add"))) throw Bad($"there is no method '{Field(method, "")}'; methods are add and rescale.");
            if (!double.TryParse(Field(coefficient, ""), NumberStyles.Float, CultureInfo.InvariantCulture, out var c) || !double.IsFinite(c)) throw Bad($"the coefficient '{Field(coefficient, "")}' is not a number; write it with a point, as in 2.5.");
            rows.Add((Field(plan, Path.GetFileNameWithoutExtension(path)), new FeatureEdit(new FeatureId(l, s, i), Value(Field(method, "add"), EditMethod.Add), c, Field(folded, "false").Equals("true", StringComparison.OrdinalIgnoreCase)), Field(target, "false").Equals("true", StringComparison.OrdinalIgnoreCase)));
        }

        if (rows.Count == 0) throw ExperimentErrors.Table(path, 1, "the table has no rows.");
        return [.. rows.GroupBy(r => r.Plan).Select(g => new SteeringPlan { Name = g.Key, Edits = [.. g.Select(r => r.Edit)], Targets = [.. g.Where(r => r.Target).Select(r => r.Edit.Feature)] })];
    }
}
