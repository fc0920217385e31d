using System.Globalization;
using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments.Matching;

/// <summary>What a unit of the experiment does.</summary>
internal enum MatchTask
{
    /// <summary>Features paired as they are numbered: what matching is held against.</summary>
    Vanilla,

    /// <summary>An assignment.</summary>
    Assign,

    /// <summary>The maps of neighbours followed from one layer to another.</summary>
    Compose,

    /// <summary>What the SAEs do on the texts.</summary>
    Layers,

    /// <summary>Paths with descriptions.</summary>
    Paths,

    /// <summary>What the judge says of the matches of a layer's features.</summary>
    Rate,
}

/// <summary>A unit of work.</summary>
internal sealed record MatchUnit(MatchTask Task, int From = 0, int To = 0, string Cost = "", bool Folded = true)
{
    public string Id => Task switch
    {
        MatchTask.Assign => string.Create(CultureInfo.InvariantCulture, $"{From}-{To}-{Cost}-{(Folded ? "folded" : "unfolded")}"),
        MatchTask.Vanilla => string.Create(CultureInfo.InvariantCulture, $"{From}-{To}-vanilla"),
        MatchTask.Compose => string.Create(CultureInfo.InvariantCulture, $"{From}-{To}-composed"),
        MatchTask.Rate => string.Create(CultureInfo.InvariantCulture, $"rate-{From}"),
        _ => Task.ToString().ToLowerInvariant(),
    };
}

/// <summary>
/// A unit per map: neighbours by every cost, folded and not; farther layers by the first cost, folded, and composed. With texts one for what SAEs do on them; with a judge one for every layer
/// whose features are rated.
/// </summary>
internal sealed record MatchPlan(Site Site, IReadOnlyList<int> Layers, IReadOnlyList<string> Costs, int Distance, int Paths) : IExperimentPlan
{
    private static readonly bool[] FoldedAndNot = [true, false];

    private IReadOnlyList<MatchUnit>? _work;

    public FoldRule? Fold { get; init; }

    public required ExperimentTexts Texts { get; init; }

    public int Rated { get; init; }

    /// <summary>The judge as the file names it; empty for the default.</summary>
    public required IReadOnlyDictionary<string, object?> Judge { get; init; }

    public IReadOnlyList<MatchUnit> Work => _work ??= [.. Maps(), .. Others()];

    public IReadOnlyList<string> Units => [.. Work.Select(w => w.Id)];

    public IReadOnlyDictionary<string, object?> Settings
    {
        get
        {
            var settings = new Dictionary<string, object?> { ["site"] = Site.Name(), ["layers"] = Layers.ToList(), ["costs"] = Costs.ToList(), ["distance"] = Distance, ["paths"] = Paths };
            if (Fold is { } fold) settings["fold"] = fold.Name();
            if (Texts.Names.Count > 0)
            {
                foreach (var (key, value) in Texts.Settings()) settings[key] = value;
            }

            if (Rated > 0)
            {
                settings["rated"] = Rated;
                settings["seed"] = Texts.Seed;
                if (Judge.Count > 0) settings["judge"] = Judge;
            }

            return settings;
        }
    }

    /// <summary>The place of a layer among those that are matched.</summary>
    public int Position(int layer)
    {
        for (var i = 0; i < Layers.Count; i++)
        {
            if (Layers[i] == layer) return i;
        }

        return -1;
    }

    /// <summary>How many of the layers apart two are.</summary>
    public int Apart(MatchUnit unit) => Position(unit.To) - Position(unit.From);

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var found = new MatchResults(this);
        foreach (var (unit, json) in Work.Zip(results))
        {
            switch (unit.Task)
            {
                case MatchTask.Layers: found.Layers = Read<LayerStatistics[]>(unit, json); break;
                case MatchTask.Paths: found.Paths = Read<DescribedPath[]>(unit, json); break;
                case MatchTask.Rate: found.Rated.AddRange(Read<RatedPair[]>(unit, json)); break;
                default: found.Maps[unit] = Read<MatchedMap>(unit, json); break;
            }
        }

        found.WriteTables(outputs);
        MatchReport.Write(name, found, outputs);
    }

    private IEnumerable<MatchUnit> Maps() =>
        from a in Enumerable.Range(0, Layers.Count)
        from c in Enumerable.Range(a + 1, Math.Max(0, Math.Min(Distance, Layers.Count - 1 - a)))
        from unit in c == a + 1
            ? Costs.SelectMany(cost => FoldedAndNot.Select(folded => new MatchUnit(MatchTask.Assign, Layers[a], Layers[c], cost, folded))).Append(new MatchUnit(MatchTask.Vanilla, Layers[a], Layers[c]))
            : [new MatchUnit(MatchTask.Assign, Layers[a], Layers[c], Costs[0])]
        select unit;

    // after the maps that they are made of
    private IEnumerable<MatchUnit> Others()
    {
        for (var a = 0; a < Layers.Count; a++)
        {
            for (var c = a + 2; c < Layers.Count && c - a <= Distance; c++) yield return new MatchUnit(MatchTask.Compose, Layers[a], Layers[c], Costs[0]);
        }

        if (Texts.Names.Count > 0) yield return new MatchUnit(MatchTask.Layers);
        if (Paths > 0 && Layers.Count > 1) yield return new MatchUnit(MatchTask.Paths);
        for (var a = 0; Rated > 0 && a < Layers.Count - 1; a++) yield return new MatchUnit(MatchTask.Rate, Layers[a]);
    }

    private static T Read<T>(MatchUnit unit, string json) => JsonSerializer.Deserialize<T>(json) ?? throw ExperimentErrors.UnitDamaged(unit.Id, "it is empty.");
}

/// <summary>What is stored of a map.</summary>
/// <param name="Figures">Its row of match.csv.</param>
/// <param name="Targets">For every source its target, −1 for none.</param>
/// <param name="TargetCount">Number of target features.</param>
internal sealed record MatchedMap(FeatureMapMeasurement Figures, int[] Targets, int TargetCount)
{
    /// <summary>P(matched feature active | feature active) of every source, −1 where it is not known; for maps between neighbours by the first cost.</summary>
    public float[] Shares { get; init; } = [];

    /// <summary>Folded decoder error of every source's pair, for maps between neighbours by the first cost, folded; else empty.</summary>
    public float[] DecoderErrors { get; init; } = [];

    public FeatureMap Map() => new()
    {
        Method = Figures.Method,
        From = Figures.From,
        To = Figures.To,
        SourceFold = Figures.Fold,
        TargetFold = Figures.TargetFold,
        SourceCount = Targets.Length,
        TargetCount = TargetCount,
        Pairs = [.. Targets.Select((t, i) => new FeaturePair(i, t, null, null)).Where(p => p.Target >= 0)],
    };
}

/// <summary>A feature and its match with their descriptions, and what the judge said of them.</summary>
/// <param name="From">Layer of the source.</param>
/// <param name="To">Layer of the target.</param>
/// <param name="Map">folded, unfolded or composed.</param>
/// <param name="Source">Index of the source.</param>
/// <param name="Target">Index of the target.</param>
/// <param name="DecoderError">Mean squared error of the folded decoder rows.</param>
/// <param name="SourceDescription">What is said about the source.</param>
/// <param name="TargetDescription">What is said about the target.</param>
/// <param name="Similarity">1 to 3; null where the judge had no answer.</param>
/// <param name="Forward">What it said of (source, target).</param>
/// <param name="Backward">What it said of (target, source).</param>
/// <param name="Judge">Who judged.</param>
/// <param name="Problem">Why there is no answer.</param>
internal sealed record RatedPair(
    int From, int To, string Map, int Source, int Target, double? DecoderError, string SourceDescription, string TargetDescription, double? Similarity, double? Forward, double? Backward, string Judge, string? Problem);

/// <summary>A step of a path (SAE Match, appendix D).</summary>
internal sealed record DescribedPath(int Path, int Layer, int Feature, string? Description);
