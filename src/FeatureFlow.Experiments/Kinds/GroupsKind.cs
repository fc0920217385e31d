using System.Text.Json;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: groups</c>: activation groups over data sets and layers (Feature Flow, sections 4.2, 5.1, A.1, C.1, C.4).</summary>
internal sealed class GroupsKind : ExperimentKind
{
    public override string Name => "groups";

    public override IReadOnlyList<YamlRecord> Parts => [];

    public override YamlRecord Schema { get; } = new(
        "groups",
        "Tells at sampled tokens which predecessors of active features are active too, by layer and data set, and tests whether scores differ between the groups (docs/groups.md).",
        [
            .. Common("groups"),
            new("pack", YamlType.Text, "The pack: its file or folder, relative to this file, or the name of a preset.", Required: true),
            new("model", YamlType.Text, "The model: a checkpoint folder, relative to this file, or a hub id in the local cache.", Default: "the pack's"),
            new("texts", YamlType.OneOrMany(YamlType.Text), "Data sets: files, folders or patterns relative to this file, or names from corpora.yaml; each is measured on its own.", Required: true),
            new("documents", YamlType.Integer(1, int.MaxValue), "Documents drawn from each, by the seed.", Default: "250"),
            new("tokens_per_text", YamlType.Integer(1, int.MaxValue), "Random tokens of each document, never BOS.", Default: "5"),
            new("context", YamlType.Integer(2, int.MaxValue), "Longest document in tokens.", Default: "512"),
            new("layers", YamlType.Layers, "Layers.", Default: "every layer that has a residual SAE"),
            new("matchers", YamlType.OneOrMany(YamlType.Choice(MatcherNames)), "Who names the predecessors: top1 by cosine, permutation by exact assignment, pearson by correlation.", Default: "top1"),
            new("pearson_texts", YamlType.Text, "The data set that correlations are over.", Default: "the first of 'texts'"),
            new("pearson_tokens", YamlType.Integer(1, long.MaxValue), "Tokens of it, from its start.", Default: "100000"),
            new("points", YamlType.Integer(0, int.MaxValue), "Occurrences of a layer and data set in points.csv and in the clouds.", Default: "350"),
            new("seed", YamlType.Integer(0, int.MaxValue), "Seed of the draws.", Default: "1"),
        ]);

    internal static string[] MatcherNames { get; } = ["top1", "permutation", "pearson"];

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var values = file.Values;
        var pack = Session.Open(DataSets.Beside(file.Folder, values.Required("pack")));
        var layers = values.Layers("layers") ?? [.. pack.Pack.Saes.Where(s => s.Site == Site.Res).Select(s => s.Layer).Distinct().Order()];
        foreach (var layer in layers) _ = pack.Info(layer, Site.Res); // a layer that is not there is told now
        var plan = ReadPlan(values, layers);
        (string, long)? correlated = plan.Matchers.Contains("pearson") ? (plan.PearsonTexts, plan.PearsonTokens) : null;
        return new GroupsExperiment(plan, new LineageInputs(pack, ModelOf(file, pack), file.Folder, plan.Texts, plan.Documents, plan.Context, plan.Seed, correlated, cancel));
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) => ReadPlan(resolved.Values, resolved.Values.Layers("layers") ?? []);

    /// <summary>The model that a file names, or the pack's.</summary>
    /// <exception cref="FeatureFlowException">FF5004: neither.</exception>
    internal static string ModelOf(ExperimentFile file, OpenedPack pack)
    {
        if (file.Values.Text("model") is { } named) return DataSets.Beside(file.Folder, named);
        var place = file.Values.Place("pack");
        return pack.Pack.Model ?? throw ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, "the pack names no model; name one with 'model'.");
    }

    private static GroupsPlan ReadPlan(YamlValues values, int[] layers) => new(
        [.. values.Texts("texts").Distinct()],
        layers,
        (int)(values.Integer("documents") ?? GroupMeasurement.PaperTexts),
        (int)(values.Integer("tokens_per_text") ?? GroupMeasurement.PaperTokens),
        (int)(values.Integer("context") ?? 512),
        values.Has("matchers") ? [.. values.Texts("matchers").Distinct()] : ["top1"],
        values.Text("pearson_texts") ?? values.Texts("texts")[0],
        values.Integer("pearson_tokens") ?? PearsonMatcher.PaperTokens,
        (int)(values.Integer("points") ?? 350),
        (int)(values.Integer("seed") ?? 1));
}

/// <summary>One unit per matcher, data set and layer.</summary>
internal sealed record GroupsPlan(
    IReadOnlyList<string> Texts, IReadOnlyList<int> Layers, int Documents, int TokensPerText, int Context, IReadOnlyList<string> Matchers, string PearsonTexts, long PearsonTokens, int Points, int Seed) : IExperimentPlan
{
    public IReadOnlyList<(string Matcher, int Text, int Layer)> Work { get; } = [.. from m in Matchers from t in Enumerable.Range(0, Texts.Count) from l in Layers select (m, t, l)];

    public IReadOnlyList<string> Units => [.. Work.Select(w => FormattableString.Invariant($"{w.Matcher}-text{w.Text}-layer{w.Layer}"))];

    public IReadOnlyDictionary<string, object?> Settings => new Dictionary<string, object?>
    {
        ["texts"] = Texts.ToList(), ["documents"] = Documents, ["tokens_per_text"] = TokensPerText, ["context"] = Context, ["layers"] = Layers.ToList(),
        ["matchers"] = Matchers.ToList(), ["pearson_texts"] = PearsonTexts, ["pearson_tokens"] = PearsonTokens, ["points"] = Points, ["seed"] = Seed,
    };

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var units = results.Select((json, i) => JsonSerializer.Deserialize<GroupUnit>(json) ?? throw ExperimentErrors.UnitDamaged(Units[i], "it is empty.")).ToList();
        new GroupFigures(this, [.. Work.Zip(units, (w, u) => (w.Matcher, u))]).Write(name, outputs);
    }
}

/// <summary>What is stored of a matcher, data set and layer.</summary>
/// <param name="Counts">Occurrences by group.</param>
/// <param name="Tests">Mann-Whitney tests.</param>
/// <param name="Scores">Distributions of the scores.</param>
/// <param name="Points">A sample of occurrences.</param>
/// <param name="Seen">Of every feature seen, its index and the groups it was seen in, one after the other.</param>
internal sealed record GroupUnit(IReadOnlyList<GroupCount> Counts, IReadOnlyList<GroupTest> Tests, IReadOnlyList<GroupScores> Scores, IReadOnlyList<GroupPoint> Points, IReadOnlyList<int> Seen);

/// <summary>Measures the groups of a plan: all missing layers of a data set in one pass.</summary>
internal sealed class GroupsExperiment(GroupsPlan plan, LineageInputs inputs) : IExperiment
{
    public IExperimentPlan Plan => plan;

    public string Pack => inputs.Pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs => inputs.Hashes;

    public IReadOnlyList<string> Notes => inputs.Notes;

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(inputs.Model);
        var done = 0;
        foreach (var matcher in units.GroupBy(u => plan.Work[u].Matcher))
        {
            using var pearson = matcher.Key == "pearson" ? inputs.Pearson(lease.Model, matcher.Select(u => plan.Work[u].Layer), cancel) : null;
            IFeatureMatcher names = matcher.Key switch { "pearson" => pearson!, "permutation" => new AssignmentMatcher(inputs.Pack), _ => new CosineMatcher(inputs.Pack) };
            foreach (var text in matcher.GroupBy(u => plan.Work[u].Text))
            {
                progress?.Report(new FlowProgress($"{matcher.Key}, {inputs.Texts.Names[text.Key]}", (double)done / units.Count));
                var sampled = SampledText.Draw(inputs.Texts.Documents[text.Key].Select(d => (inputs.Texts.Names[text.Key], d)), plan.TokensPerText, (ulong)plan.Seed);
                var report = GroupMeasurement.Measure(inputs.Pack, lease.Model, sampled, [.. text.Select(u => plan.Work[u].Layer)], names, null, cancel);
                foreach (var unit in text)
                {
                    yield return (unit, JsonSerializer.Serialize(Unit(report, plan.Work[unit].Layer)));
                    done++;
                }
            }
        }
    }

    private GroupUnit Unit(GroupReport all, int layer)
    {
        var report = all.Of(layer);
        return new GroupUnit(
            report.Counts(),
            report.Tests(),
            report.Distributions(),
            report.Points(plan.Points, (ulong)plan.Seed),
            [.. report.Seen().OrderBy(s => s.Index).SelectMany(s => new[] { s.Index, s.Groups })]);
    }
}
