using FeatureFlow.Experiments.Judging;
using FeatureFlow.Experiments.Matching;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>
/// <c>kind: match</c>: SAE Match over all pairs of layers: errors folded, unfolded and unmatched, matching scores, composition against direct maps, paths, and what a judge says of matched
/// descriptions (SAE Match, sections 5.1 to 5.4, appendices C and D).
/// </summary>
internal sealed class MatchKind : ExperimentKind
{
    public override string Name => "match";

    public override IReadOnlyList<YamlRecord> Parts => [];

    public override YamlRecord Schema { get; } = new(
        "match",
        "Matches the dictionaries of layers exactly, folded and unfolded, and follows features along the maps (docs/matching.md).",
        [
            .. Common("match"),
            new("pack", YamlType.Text, "The pack: its file or folder, relative to this file, or the name of a preset.", Required: true),
            new("site", YamlType.Choice([.. Sites.Names]), "Site of the dictionaries.", Default: "res"),
            new("layers", YamlType.Layers, "Layers that are matched with each other.", Default: "every layer that has the site"),
            new("costs", YamlType.OneOrMany(YamlType.Choice("decoder", "encoder", "both")), "What assignments compare; the first one's folded maps are composed.", Default: "both"),
            new("fold", YamlType.Choice([.. FoldRules.Names.Where(n => n != "none")]), "What is folded by; mean-activation is measured on the texts.", Default: "thresholds where there are some, else decoder norms"),
            new("distance", YamlType.Integer(1, 999), "Direct maps between layers up to so far apart; composition is held against them.", Default: "all"),
            new("paths", YamlType.Integer(0, 1_000_000), "Features of the first layer whose paths are written.", Default: "20"),
            new("model", YamlType.Text, "The model that reads the texts: a checkpoint folder, relative to this file, or a hub id in the local cache.", Default: "the pack's"),
            .. ExperimentTexts.Fields(required: false, "matching scores are measured on them, and features that nobody described are described by them."),
            new("rated", YamlType.Integer(0, 1_000_000), "Features of every layer, drawn by the seed, whose descriptions the judge compares with those of their matches.", Default: "0"),
            new("judge", JudgeFile.Record, "Who compares descriptions (docs/judges.md).", Default: "an endpoint that the environment names, else the words that descriptions share"),
        ]);

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var values = file.Values;
        var pack = Session.Open(ExperimentTexts.Beside(file.Folder, values.Required("pack")));
        var site = Sites.Parse(values.Text("site") ?? "res");
        int[] layers = values.Layers("layers") ?? [.. pack.Pack.Saes.Where(s => s.Site == site).Select(s => s.Layer)];
        foreach (var layer in layers) _ = pack.Info(layer, site);
        var plan = ReadPlan(values, site, layers);
        if (plan is { Fold: FoldRule.MeanActivation, Texts.Names.Count: 0 }) throw Wrong(values, "fold", "'mean-activation' is measured on texts; name some with 'texts'.");
        if (plan is { Rated: > 0, Texts.Names.Count: 0 } && pack.Descriptions.Count == 0) throw Wrong(values, "rated", "nobody described the features of this pack; name texts to describe them by with 'texts'.");
        string? model = null;
        if (plan.Texts.Names.Count > 0) model = values.Text("model") is { } named ? ExperimentTexts.Beside(file.Folder, named) : pack.Pack.Model ?? throw Wrong(values, "texts", "the pack names no model to read texts with; name one with 'model'.");
        var judge = values.Record("judge") is { } record ? JudgeFile.Of(record, file.Folder) : new JudgeSettings();
        if (plan.Rated > 0) Judges.OpenForPairs(judge, null).Dispose(); // a judge that is not there is told now
        return new MatchExperiment(pack, model, plan, judge, file.Folder, cancel);
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) =>
        ReadPlan(resolved.Values, Sites.Parse(resolved.Values.Text("site") ?? "res"), resolved.Values.Layers("layers") ?? []);

    private static MatchPlan ReadPlan(YamlValues values, Site site, int[] layers) => new(
        site,
        [.. layers.Order()],
        values.Has("costs") ? [.. values.Texts("costs").Distinct()] : ["both"],
        (int)(values.Integer("distance") ?? Math.Max(1, layers.Length - 1)),
        (int)(values.Integer("paths") ?? 20))
    {
        Fold = values.Text("fold") is { } fold ? FoldRules.Parse(fold) : null,
        Texts = ExperimentTexts.Of(values),
        Rated = (int)(values.Integer("rated") ?? 0),
        Judge = values.Record("judge") is { } judge ? judge.Raw() : new Dictionary<string, object?>(),
    };

    private static FeatureFlowException Wrong(YamlValues values, string key, string what)
    {
        var place = values.Place(key);
        return ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, what);
    }
}
