using FeatureFlow.Experiments.Judging;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments.Matching;

/// <summary>What is measured of a map beyond its parameters.</summary>
public sealed record MapEvaluationOptions
{
    /// <summary>Texts for the matching score, and to describe features by that nobody described: names or paths of corpora; none to leave that out.</summary>
    public IReadOnlyList<string> Corpora { get; init; } = [];

    /// <summary>Documents drawn from each corpus; 0 for all.</summary>
    public int Documents { get; init; }

    /// <summary>Longest document in tokens.</summary>
    public int Context { get; init; } = 512;

    /// <summary>The model that reads them; null for the pack's.</summary>
    public string? Model { get; init; }

    /// <summary>Whether a judge compares descriptions.</summary>
    public bool Judged { get; init; }

    /// <summary>Who: <c>auto</c>, <c>openai</c>, or <c>words</c>, which needs no network; null for what the file says.</summary>
    public string? Judge { get; init; }

    /// <summary>The judge as YAML (docs/judges.md), or null.</summary>
    public string? JudgeFile { get; init; }

    /// <summary>File of raw answers of an endpoint, or null.</summary>
    public string? Answers { get; init; }

    /// <summary>Pairs that are judged, drawn by the seed; 0 for all.</summary>
    public int Sample { get; init; } = 100;

    /// <summary>Seed of all draws.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>Measures maps: folded errors of any map, the matching score on texts, and what a judge says of matched descriptions (SAE Match, sections 4 and 5).</summary>
public static class MapEvaluation
{
    /// <summary>The figures of a map.</summary>
    /// <param name="map">Any map; compositions and maps from files get their errors here.</param>
    /// <param name="pack">The pack whose features it pairs, or null: then only what the map itself holds is told.</param>
    /// <param name="options">What more.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4068: texts or a judge, but the map does not say where it belongs; FF5152: nothing to compare; FF5153: no model; FF51xx, FF53xx: texts, judge.</exception>
    public static FeatureMapMeasurement Measure(FeatureMap map, OpenedPack? pack, MapEvaluationOptions options, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        if (pack is not null && map.Error is null && map is { From: not null, To: not null }) map = FeatureMapBuilder.WithErrors(pack, map, null, cancel);
        var figures = FeatureMapMeasurement.Of(map);
        if (pack is null || (options.Corpora.Count == 0 && !options.Judged)) return figures;
        var documents = new List<TokenDocument>();
        string? model = null;
        if (options.Corpora.Count > 0)
        {
            model = options.Model ?? pack.Pack.Model ?? throw ExperimentErrors.NoTextModel(pack.Pack.Source);
            using var lease = FlowEngine.Shared.Model(model);
            documents = Read(options, lease.Model);
            var (from, to) = FeatureActivity.PlacesOf(map);
            var activity = new FeatureActivity(pack, lease.Model, documents, [from, to], Stage.Of(progress, "reading texts", 0, 0.5), cancel);
            figures = figures.With(new Bootstrap().Mean(activity.MatchShares(map)));
        }

        return options.Judged ? Judged(figures, map, pack, new FeatureDescriber(pack, model, documents), options, progress, cancel) : figures;
    }

    private static List<TokenDocument> Read(MapEvaluationOptions options, LanguageModel model)
    {
        var how = new TokenizeOptions(MaxTokens: Math.Min(options.Context, model.Config.Context));
        return [.. options.Corpora.Select(c => Corpora.Find(c)).SelectMany(c => how.Tokenize(options.Documents > 0 ? c.Sample(options.Documents, options.Seed) : c.Read(), model.Tokenizer))];
    }

    private static FeatureMapMeasurement Judged(FeatureMapMeasurement figures, FeatureMap map, OpenedPack pack, FeatureDescriber describer, MapEvaluationOptions options, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        var (from, to) = FeatureActivity.PlacesOf(map);
        var best = map.Pairs.GroupBy(p => p.Source).Select(g => g.First());
        List<FeaturePair> pairs = [.. options.Sample > 0 ? Sampling.Choose(best, options.Sample, options.Seed) : best];
        var said = describer.Describe(pairs.SelectMany(p => new[] { Source(p), Target(p) }), Stage.Of(progress, "describing", 0.5, 0.3), cancel);
        var questions = pairs.Where(p => said.ContainsKey(Source(p)) && said.ContainsKey(Target(p))).Select(p => new PairQuestion(said[Source(p)], said[Target(p)])).ToList();
        if (questions.Count == 0) throw ExperimentErrors.NothingDescribed(pack.Pack.Source);
        var settings = options.JudgeFile is { } file ? JudgeFile.Load(file) : new JudgeSettings();
        if (options.Judge is { } named) settings = settings with { Kind = named.ToLowerInvariant() switch { "openai" => JudgeKind.OpenAi, "words" => JudgeKind.Lexicon, _ => JudgeKind.Auto } };
        using var judge = Judges.OpenForPairs(settings, options.Answers);
        var answers = judge.Judge.CompareAsync(questions, Stage.Of(progress, "judging", 0.8, 0.2), cancel).GetAwaiter().GetResult();
        var bootstrap = new Bootstrap();
        Interval Mean(Func<double, double> of) => bootstrap.Mean(answers.Select(a => a.Similarity is { } s ? of(s) : double.NaN));
        var similarity = Mean(s => s);
        return figures with
        {
            Judge = judge.Judge.Name,
            Judged = similarity.Count,
            JudgedSimilarity = similarity.Count > 0 ? similarity.Value : null,
            JudgedSimilarityLow = similarity.Known ? similarity.Low : null,
            JudgedSimilarityHigh = similarity.Known ? similarity.High : null,
            JudgedSame = similarity.Count > 0 ? Mean(s => s == 3 ? 1 : 0).Value : null,
            JudgedDifferent = similarity.Count > 0 ? Mean(s => s == 1 ? 1 : 0).Value : null,
        };

        FeatureId Source(FeaturePair pair) => new(from.Layer, from.Site, pair.Source);
        FeatureId Target(FeaturePair pair) => new(to.Layer, to.Site, pair.Target);
    }

    private sealed class Stage(IProgress<FlowProgress> whole, string name, double start, double size) : IProgress<double>
    {
        public static Stage? Of(IProgress<FlowProgress>? whole, string name, double start, double size) => whole is null ? null : new Stage(whole, name, start, size);

        public void Report(double value) => whole.Report(new FlowProgress(name, start + (size * Math.Clamp(value, 0, 1))));
    }
}
