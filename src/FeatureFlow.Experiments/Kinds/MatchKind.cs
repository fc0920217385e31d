using System.Globalization;
using System.Text.Json;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: match</c>: SAE Match over all pairs of layers: errors folded and unfolded, composition against direct maps, paths (SAE Match, sections 5.1 to 5.4, appendix D).</summary>
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
            new("distance", YamlType.Integer(1, 999), "Direct maps between layers up to so far apart; composition is held against them.", Default: "all"),
            new("paths", YamlType.Integer(0, 1_000_000), "Features of the first layer whose paths are written.", Default: "20"),
        ]);

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var named = file.Values.Required("pack");
        var beside = Path.Combine(file.Folder, named);
        var pack = Session.Open(Path.Exists(beside) ? beside : named);
        var site = Sites.Parse(file.Values.Text("site") ?? "res");
        int[] layers = file.Values.Layers("layers") ?? [.. pack.Pack.Saes.Where(s => s.Site == site).Select(s => s.Layer)];
        foreach (var layer in layers) _ = pack.Info(layer, site);
        return new MatchExperiment(pack, ReadPlan(file.Values, site, layers), cancel);
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) =>
        ReadPlan(resolved.Values, Sites.Parse(resolved.Values.Text("site") ?? "res"), resolved.Values.Layers("layers") ?? []);

    private static MatchPlan ReadPlan(YamlValues values, Site site, int[] layers) => new(
        site,
        [.. layers.Order()],
        values.Has("costs") ? [.. values.Texts("costs").Distinct()] : ["both"],
        (int)(values.Integer("distance") ?? Math.Max(1, layers.Length - 1)),
        (int)(values.Integer("paths") ?? 20));
}

/// <summary>One unit per map: neighbours by every cost, folded and not; farther layers by the first cost, folded.</summary>
internal sealed record MatchPlan(Site Site, IReadOnlyList<int> Layers, IReadOnlyList<string> Costs, int Distance, int Paths) : IExperimentPlan
{
    private static readonly TableColumns<FeatureMapMeasurement> Maps = new(
        ("from", m => m.From), ("to", m => m.To), ("cost", m => m.Cost?.ToString().ToLowerInvariant()), ("fold", m => m.Fold), ("pairs", m => m.Pairs), ("total_cost", m => m.TotalCost), ("gap", m => m.Gap),
        ("mse_w_dec", m => m.DecoderError), ("mse_w_enc", m => m.EncoderError), ("mse_b_enc", m => m.BiasError), ("mean_similarity", m => m.MeanSimilarity));

    private static readonly TableColumns<(int A, int C, int Distance, double Share)> Composition = new(
        ("layer_a", c => c.A), ("layer_c", c => c.C), ("distance", c => c.Distance), ("share_equal", c => c.Share));

    public IReadOnlyList<MatchUnit> Work { get; } =
    [
        .. from a in Enumerable.Range(0, Layers.Count)
           from c in Enumerable.Range(a + 1, Math.Max(0, Math.Min(Distance, Layers.Count - 1 - a)))
           from cost in c == a + 1 ? Costs : Costs.Take(1)
           from folded in c == a + 1 ? new[] { true, false } : [true]
           select new MatchUnit(Layers[a], Layers[c], cost, folded),
    ];

    public IReadOnlyList<string> Units => [.. Work.Select(w => string.Create(CultureInfo.InvariantCulture, $"{w.From}-{w.To}-{w.Cost}-{(w.Folded ? "folded" : "unfolded")}"))];

    public IReadOnlyDictionary<string, object?> Settings => new Dictionary<string, object?>
    {
        ["site"] = Site.Name(), ["layers"] = Layers.ToList(), ["costs"] = Costs.ToList(), ["distance"] = Distance, ["paths"] = Paths,
    };

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var found = results.Select((json, i) => JsonSerializer.Deserialize<MatchResult>(json) ?? throw ExperimentErrors.UnitDamaged(Units[i], "it is empty.")).ToList();
        var maps = Work.Zip(found).Where(w => w.First.Folded && w.First.Cost == Costs[0]).ToDictionary(w => (w.First.From, w.First.To), w => w.Second.Map());
        Maps.Write(outputs.Add("match.csv"), found.Select(f => f.Figures));
        var composition = maps.Keys.OrderBy(k => k).Select(k =>
        {
            int first = Position(k.From), last = Position(k.To);
            var joined = FeatureMapAlgebra.Join([.. Enumerable.Range(first, last - first).Select(i => maps[(Layers[i], Layers[i + 1])])]);
            return (A: k.From, C: k.To, Distance: last - first, Share: FeatureMapAlgebra.Agreement(joined, maps[k]));
        }).ToList();
        Composition.Write(outputs.Add("composition.csv"), composition);
        var steps = Enumerable.Range(0, Layers.Count - 1).Select(i => maps[(Layers[i], Layers[i + 1])]).ToList();
        if (steps.Count > 0) FeaturePaths.Write(outputs.Add("paths.csv"), steps, Enumerable.Range(0, Math.Min(Paths, steps[0].SourceCount)));
        foreach (var (key, map) in maps.Where(m => Position(m.Key.To) == Position(m.Key.From) + 1))
            FeatureMapFile.Write(map, outputs.Add(string.Create(CultureInfo.InvariantCulture, $"maps/P_{key.From}_{key.To}.npy")));
        Models.AtomicFile.WriteText(outputs.Add("report.html"), Page(name, found, composition));
    }

    private int Position(int layer) => Layers.ToList().IndexOf(layer);

    private string Page(string name, List<MatchResult> found, List<(int A, int C, int Distance, double Share)> composition)
    {
        LineSeries Errors(string title, bool folded) => new(title, [.. Work.Zip(found).Where(w => w.First.Cost == Costs[0] && w.First.Folded == folded && Position(w.First.To) == Position(w.First.From) + 1).Select(w => new Dot(w.First.From, w.Second.Figures.DecoderError ?? 0))]);
        return new Report(name)
            .Section("Folded against unfolded")
            .Paragraph("Mean squared error of the folded decoder rows of matched features, from each layer to the next: assignments found on folded and on unfolded parameters.")
            .Figure(new Figure("Error of matched features", new Panel(new Axis("Layer") { Whole = true }, new Axis("Mean squared error"), [Errors("folded", true), Errors("unfolded", false)])))
            .Table("Maps", Maps, [.. found.Select(f => f.Figures)], "match.csv")
            .Section("Persistence")
            .Paragraph("Share of the features for which following the maps layer by layer leads where the direct map leads, by distance.")
            .Figure(new Figure("Agreement of composed and direct maps", new Panel(new Axis("Layers apart") { Whole = true }, new Axis("Share") { Min = 0, Max = 1 }, [.. composition.GroupBy(c => c.A).Select(g => new LineSeries(string.Create(CultureInfo.InvariantCulture, $"from layer {g.Key}"), [.. g.Select(c => new Dot(c.Distance, c.Share))]))])))
            .Table("Composition", Composition, composition, "composition.csv")
            .Render();
    }
}

/// <summary>One map to be made.</summary>
internal sealed record MatchUnit(int From, int To, string Cost, bool Folded);

/// <summary>What is stored of a map.</summary>
internal sealed record MatchResult(FeatureMapMeasurement Figures, int[] Targets, int TargetCount)
{
    public FeatureMap Map() => new()
    {
        Method = MapMethod.Assignment,
        From = Figures.From,
        To = Figures.To,
        SourceCount = Targets.Length,
        TargetCount = TargetCount,
        Pairs = [.. Targets.Select((t, i) => new FeaturePair(i, t, null, null)).Where(p => p.Target >= 0)],
    };
}

/// <summary>Makes the maps of a plan, one after the other.</summary>
internal sealed class MatchExperiment(OpenedPack pack, MatchPlan plan, CancellationToken cancel) : IExperiment
{
    public IExperimentPlan Plan => plan;

    public string Pack => pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs { get; } = new Dictionary<string, string> { ["saes"] = pack.ContentHash(cancel) };

    public IReadOnlyList<string> Notes => pack.Warnings;

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        for (var i = 0; i < units.Count; i++)
        {
            var unit = plan.Work[units[i]];
            progress?.Report(new FlowProgress(plan.Units[units[i]], (double)i / units.Count));
            var options = new FeatureMapOptions { Cost = Enum.Parse<MatchCost>(unit.Cost, ignoreCase: true), Folded = unit.Folded };
            var map = FeatureMapBuilder.Build(pack, unit.From, plan.Site, unit.To, plan.Site, options, cancel);
            yield return (units[i], JsonSerializer.Serialize(new MatchResult(FeatureMapMeasurement.Of(map) with { Pack = null }, map.Targets(), map.TargetCount)));
        }
    }
}
