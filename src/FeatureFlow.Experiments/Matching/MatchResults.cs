using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Matching;

/// <summary>What the judge said of a kind of map between two layers (SAE Match, figures 4, 7 and 8): shares of the pairs and their mean, 1 different to 3 the same, with intervals over pairs.</summary>
internal sealed record RatedGroup(int From, int To, int Distance, string Map, int Pairs, Interval Similarity, Interval Different, Interval Maybe, Interval Same, string Judge);

/// <summary>A map over some layers, direct or composed (SAE Match, section 5.4).</summary>
internal sealed record PersistenceRow(int From, int To, int Distance, string Map, double? Share, FeatureMapMeasurement Figures);

/// <summary>Everything that the units of an experiment found, as tables.</summary>
internal sealed class MatchResults(MatchPlan plan)
{
    private static readonly TableColumns<(MatchUnit Unit, FeatureMapMeasurement Figures)> MapColumns = new(
        ("from", m => m.Figures.From), ("to", m => m.Figures.To), ("cost", m => m.Unit.Task == MatchTask.Vanilla ? "vanilla" : m.Unit.Cost), ("fold", m => m.Figures.Fold), ("pairs", m => m.Figures.Pairs),
        ("total_cost", m => m.Figures.TotalCost), ("gap", m => m.Figures.Gap), ("mse_w_dec", m => m.Figures.DecoderError), ("mse_w_enc", m => m.Figures.EncoderError), ("mse_b_enc", m => m.Figures.BiasError),
        ("mean_similarity", m => m.Figures.MeanSimilarity), ("mean_norm_source", m => m.Figures.SourceNorm), ("mean_norm_target", m => m.Figures.TargetNorm), ("matching_score", m => m.Figures.MatchingScore),
        ("matching_score_low", m => m.Figures.MatchingScoreLow), ("matching_score_high", m => m.Figures.MatchingScoreHigh));

    private static readonly TableColumns<PersistenceRow> CompositionColumns = new(("layer_a", c => c.From), ("layer_c", c => c.To), ("distance", c => c.Distance), ("share_equal", c => c.Share));

    private static readonly TableColumns<PersistenceRow> PersistenceColumns = new(
        ("layer_a", r => r.From), ("layer_c", r => r.To), ("distance", r => r.Distance), ("map", r => r.Map), ("share_equal", r => r.Share), ("mean_similarity", r => r.Figures.MeanSimilarity),
        ("mse_w_dec", r => r.Figures.DecoderError), ("matching_score", r => r.Figures.MatchingScore), ("matching_score_low", r => r.Figures.MatchingScoreLow), ("matching_score_high", r => r.Figures.MatchingScoreHigh));

    private static readonly TableColumns<RatedPair> RatedColumns = new(
        ("layer_a", r => r.From), ("layer_c", r => r.To), ("map", r => r.Map), ("source", r => r.Source), ("target", r => r.Target), ("mse_w_dec", r => r.DecoderError), ("description", r => r.SourceDescription),
        ("target_description", r => r.TargetDescription), ("judged_similarity", r => r.Similarity), ("forward", r => r.Forward), ("backward", r => r.Backward), ("judge", r => r.Judge), ("problem", r => r.Problem));

    private static readonly TableColumns<RatedGroup> SemanticColumns = new(
        ("layer_a", r => r.From), ("layer_c", r => r.To), ("distance", r => r.Distance), ("map", r => r.Map), ("pairs", r => r.Pairs), ("judged", r => r.Similarity.Count),
        ("similarity", r => Known(r.Similarity.Value)), ("similarity_low", r => Known(r.Similarity.Low)), ("similarity_high", r => Known(r.Similarity.High)),
        ("different", r => Known(r.Different.Value)), ("maybe", r => Known(r.Maybe.Value)), ("same", r => Known(r.Same.Value)), ("same_low", r => Known(r.Same.Low)), ("same_high", r => Known(r.Same.High)), ("judge", r => r.Judge));

    private static readonly TableColumns<DescribedPath> PathColumns = new(("path", p => p.Path), ("layer", p => p.Layer), ("feature", p => p.Feature), ("description", p => p.Description));

    public MatchPlan Plan => plan;

    public Dictionary<MatchUnit, MatchedMap> Maps { get; } = [];

    public IReadOnlyList<LayerStatistics> Layers { get; set; } = [];

    public IReadOnlyList<DescribedPath> Paths { get; set; } = [];

    public List<RatedPair> Rated { get; } = [];

    /// <summary>Assignments and unmatched pairs, in the order of the units.</summary>
    public IReadOnlyList<(MatchUnit Unit, FeatureMapMeasurement Figures)> Matches => [.. plan.Work.Where(w => w.Task is MatchTask.Assign or MatchTask.Vanilla).Select(w => (w, Maps[w].Figures))];

    /// <summary>Direct and composed maps by distance.</summary>
    public IReadOnlyList<PersistenceRow> Persistence { get; private set; } = [];

    /// <summary>What the judge said, by layers and kind of map.</summary>
    public IReadOnlyList<RatedGroup> Semantic { get; private set; } = [];

    /// <summary>The same over all starting layers, by distance.</summary>
    public IReadOnlyList<RatedGroup> SemanticByDistance { get; private set; } = [];

    /// <summary>What the paper says, held against what was found.</summary>
    public IReadOnlyList<PaperClaim> Claims { get; private set; } = [];

    /// <summary>Between neighbours: the maps of a cost, folded or not; null stands for unmatched pairs.</summary>
    public IEnumerable<(MatchUnit Unit, FeatureMapMeasurement Figures)> Neighbours(string? cost, bool folded = true) =>
        Matches.Where(m => plan.Apart(m.Unit) == 1 && (cost is null ? m.Unit.Task == MatchTask.Vanilla : m.Unit.Task == MatchTask.Assign && m.Unit.Cost == cost && m.Unit.Folded == folded));

    /// <summary>Writes what there is as CSV files, maps as NumPy arrays beside them.</summary>
    public void WriteTables(RunOutputs outputs)
    {
        var direct = plan.Work.Where(w => w is { Task: MatchTask.Assign, Folded: true } && w.Cost == plan.Costs[0]).ToList();
        var composed = plan.Work.Where(w => w.Task == MatchTask.Compose).ToDictionary(w => (w.From, w.To), w => Maps[w].Figures);
        Persistence = [.. direct.SelectMany(w => new[] { new PersistenceRow(w.From, w.To, plan.Apart(w), "exact", null, Maps[w].Figures) }.Concat(
            composed.TryGetValue((w.From, w.To), out var joined) ? [new PersistenceRow(w.From, w.To, plan.Apart(w), "composed", joined.Agreement, joined)] : []))];
        var bootstrap = new Bootstrap();
        Semantic = [.. Rated.GroupBy(r => (r.From, r.To, r.Map)).Select(g => Group(g.Key.From, g.Key.To, plan.Position(g.Key.To) - plan.Position(g.Key.From), g.Key.Map, [.. g], bootstrap))];
        SemanticByDistance = [.. Rated.GroupBy(r => (Distance: plan.Position(r.To) - plan.Position(r.From), r.Map)).OrderBy(g => g.Key.Distance).Select(g => Group(-1, -1, g.Key.Distance, g.Key.Map, [.. g], bootstrap))];

        MapColumns.Write(outputs.Add("match.csv"), Matches);
        // a step agrees with itself: the row that says so keeps the table square
        CompositionColumns.Write(outputs.Add("composition.csv"), direct.Select(w => new PersistenceRow(w.From, w.To, plan.Apart(w), "", composed.TryGetValue((w.From, w.To), out var joined) ? joined.Agreement : 1, Maps[w].Figures)));
        PersistenceColumns.Write(outputs.Add("persistence.csv"), Persistence);
        if (Layers.Count > 0) Tables.Layers.Write(outputs.Add("layers.csv"), Layers);
        var steps = direct.Where(w => plan.Apart(w) == 1).Select(w => Maps[w].Map()).ToList();
        if (steps.Count > 0) FeaturePaths.Write(outputs.Add("paths.csv"), steps, Enumerable.Range(0, Math.Min(plan.Paths, steps[0].SourceCount)));
        if (Paths.Any(p => p.Description is not null)) PathColumns.Write(outputs.Add("path_descriptions.csv"), Paths);
        if (Rated.Count > 0)
        {
            RatedColumns.Write(outputs.Add("judged.csv"), Rated);
            SemanticColumns.Write(outputs.Add("semantic.csv"), Semantic);
            ByDistance(SemanticColumns).Write(outputs.Add("semantic_by_distance.csv"), SemanticByDistance);
        }

        Claims = [.. MatchClaims.Of(this)];
        PaperClaim.Columns.Write(outputs.Add("claims.csv"), Claims);
        foreach (var w in direct.Where(w => plan.Apart(w) == 1)) FeatureMapFile.Write(Maps[w].Map(), outputs.Add(FormattableString.Invariant($"maps/P_{w.From}_{w.To}.npy")));
    }

    /// <summary>The tables that a report shows whole.</summary>
    public void Show(Report report, bool rated)
    {
        if (rated) report.Table("What the judge said", SemanticColumns, Semantic, "semantic.csv");
        else report.Table("Maps between neighbours", MapColumns, [.. Matches.Where(m => plan.Apart(m.Unit) == 1)], "match.csv");
    }

    /// <summary>Direct against composed maps.</summary>
    public void ShowPersistence(Report report) => report.Table("Direct and composed maps", PersistenceColumns, Persistence, "persistence.csv");

    private static TableColumns<RatedGroup> ByDistance(TableColumns<RatedGroup> all) => new([.. all.Names.Select((name, i) => (name, (Func<RatedGroup, object?>)(r => all.Values(r)[i]))).Where(c => !c.name.StartsWith("layer", StringComparison.Ordinal))]);

    private static RatedGroup Group(int from, int to, int distance, string map, List<RatedPair> pairs, Bootstrap bootstrap)
    {
        Interval Mean(Func<double, double> of) => bootstrap.Mean(pairs.Select(p => p.Similarity is { } s ? of(s) : double.NaN));
        // the mean of both orders of asking: 1.5 and 2.5 are as undecided as 2
        return new RatedGroup(from, to, distance, map, pairs.Count, Mean(s => s), Mean(s => s == 1 ? 1 : 0), Mean(s => s is > 1 and < 3 ? 1 : 0), Mean(s => s == 3 ? 1 : 0), pairs[0].Judge);
    }

    private static double? Known(double value) => double.IsNaN(value) ? null : value;
}
