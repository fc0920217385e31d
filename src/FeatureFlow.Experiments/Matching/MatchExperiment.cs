using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FeatureFlow.Experiments.Judging;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments.Matching;

/// <summary>Makes the maps of a plan one after the other, measures them on texts and has them judged.</summary>
internal sealed class MatchExperiment : IExperiment
{
    private readonly OpenedPack _pack;
    private readonly string? _model;
    private readonly MatchPlan _plan;
    private readonly JudgeSettings _judge;
    private readonly List<TokenDocument> _documents = [];
    private readonly List<string> _notes;
    private readonly Dictionary<MatchUnit, FeatureMap> _maps = [];
    private readonly FeatureDescriber _describer;
    private string _folder = "";
    private FeatureActivity? _activity;

    public MatchExperiment(OpenedPack pack, string? model, MatchPlan plan, JudgeSettings judge, string folder, CancellationToken cancel)
    {
        (_pack, _model, _plan, _judge, _notes) = (pack, model, plan, judge, [.. pack.Warnings]);
        var inputs = new Dictionary<string, string> { ["saes"] = pack.ContentHash(cancel) };
        if (model is not null)
        {
            var (documents, hash) = plan.Texts.Read(folder, model, _notes.Add);
            _documents.AddRange(documents.SelectMany(d => d));
            (inputs["model"], inputs["tokens"]) = (ModelIdentity.Of(model), hash);
        }

        _describer = new FeatureDescriber(pack, model, _documents);
        if (plan.Rated > 0) inputs["descriptions"] = DescriptionHash();
        Inputs = inputs;
    }

    IExperimentPlan IExperiment.Plan => _plan;

    public string Pack => _pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs { get; }

    public IReadOnlyList<string> Notes => _notes;

    public void Begin(string folder, bool force)
    {
        _folder = folder;
        Directory.CreateDirectory(Path.Combine(folder, "units")); // checkpoints of assignments lie beside the units
    }

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (units.Count == 0) yield break;
        using var judge = units.Any(u => _plan.Work[u].Task == MatchTask.Rate) ? Judges.OpenForPairs(_judge, Path.Combine(_folder, Judges.AnswersName)) : null;
        for (var i = 0; i < units.Count; i++)
        {
            var unit = _plan.Work[units[i]];
            var part = new Part(progress, unit.Id, (double)i / units.Count, 1.0 / units.Count);
            part.Report(new FlowProgress("", 0));
            yield return (units[i], unit.Task switch
            {
                MatchTask.Layers => JsonSerializer.Serialize(Activity(part, cancel).Statistics),
                MatchTask.Paths => JsonSerializer.Serialize(DescribedPaths(cancel)),
                MatchTask.Rate => JsonSerializer.Serialize(Rate(judge!.Judge, unit.From, part, cancel)),
                _ => JsonSerializer.Serialize(Store(unit, Make(unit, part, cancel), part, cancel)),
            });
        }
    }

    private FeatureMap Make(MatchUnit unit, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        switch (unit.Task)
        {
            case MatchTask.Vanilla:
                var count = Math.Min(_pack.Info(unit.From, _plan.Site).FeatureCount, _pack.Info(unit.To, _plan.Site).FeatureCount);
                return FeatureMapBuilder.WithErrors(_pack, new FeatureMap
                {
                    Method = MapMethod.Cosine, // no assignment: nothing is proven of it
                    From = new SiteAddress(unit.From, _plan.Site).ToString(),
                    To = new SiteAddress(unit.To, _plan.Site).ToString(),
                    SourceFold = FoldRule.None.Name(),
                    TargetFold = FoldRule.None.Name(),
                    SourceCount = count,
                    TargetCount = count,
                    Pairs = [.. Enumerable.Range(0, count).Select(f => new FeaturePair(f, f, null, null))],
                }, Options(unit, null, cancel), cancel);
            case MatchTask.Compose:
                var joined = Joined(unit, progress, cancel);
                var agreement = FeatureMapAlgebra.Agreement(joined, MapOf(unit with { Task = MatchTask.Assign }, progress, cancel));
                return FeatureMapBuilder.WithErrors(_pack, joined, Options(unit, progress, cancel), cancel) with { Agreement = agreement };
            default:
                return FeatureMapBuilder.Build(_pack, unit.From, _plan.Site, unit.To, _plan.Site, Options(unit, progress, cancel), cancel);
        }
    }

    private MatchedMap Store(MatchUnit unit, FeatureMap map, IProgress<FlowProgress> progress, CancellationToken cancel)
    {
        if (unit.Task == MatchTask.Assign) _maps[unit] = Slim(map);
        var figures = FeatureMapMeasurement.Of(map) with { Pack = null };
        var near = unit.Task == MatchTask.Assign && unit.Cost == _plan.Costs[0] && _plan.Apart(unit) == 1;
        float[] shares = [];
        if (_model is not null)
        {
            var found = Activity(progress, cancel).MatchShares(map);
            figures = figures.With(new Bootstrap().Mean(found));
            if (near) shares = [.. found.Select(s => double.IsNaN(s) ? -1f : (float)s)];
        }

        return new MatchedMap(figures, map.Targets(), map.TargetCount) { Shares = shares, DecoderErrors = near && unit.Folded ? [.. map.Pairs.Select(p => (float)(p.DecoderError ?? 0))] : [] };
    }

    private FeatureMapOptions Options(MatchUnit unit, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        var options = new FeatureMapOptions
        {
            Cost = Enum.TryParse<MatchCost>(unit.Cost, ignoreCase: true, out var cost) ? cost : MatchCost.Both,
            Folded = unit.Folded,
            Fold = _plan.Fold,
            Assignment = new AssignmentOptions { Progress = progress, Checkpoint = Path.Combine(_folder, "units", unit.Id + ".checkpoint") },
        };
        if (_plan.Fold != FoldRule.MeanActivation) return options;
        var activity = Activity(progress, cancel);
        return options with { SourceMeans = activity.Means(new SiteAddress(unit.From, _plan.Site)), TargetMeans = activity.Means(new SiteAddress(unit.To, _plan.Site)) };
    }

    private FeatureMap Joined(MatchUnit unit, IProgress<FlowProgress>? progress, CancellationToken cancel) =>
        FeatureMapAlgebra.Join([.. Enumerable.Range(_plan.Position(unit.From), _plan.Apart(unit)).Select(p => MapOf(Step(p), progress, cancel))]);

    private MatchUnit Step(int position) => new(MatchTask.Assign, _plan.Layers[position], _plan.Layers[position + 1], _plan.Costs[0]);

    // made in this process, or before it, or by another share that is not here: then again
    private FeatureMap MapOf(MatchUnit unit, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (_maps.TryGetValue(unit, out var known)) return known;
        var inputs = RunFolder.Hash(ResolvedYaml.Write(_plan.Settings), Inputs);
        if (new RunFolder(_folder).TryUnit(unit.Id, inputs) is { } stored && JsonSerializer.Deserialize<MatchedMap>(stored) is { } map) return _maps[unit] = map.Map();
        return _maps[unit] = Slim(Make(unit, progress, cancel));
    }

    // targets are all that is needed later of maps, and there are many
    private static FeatureMap Slim(FeatureMap map) => map with { Pairs = [.. map.Pairs.Select(p => new FeaturePair(p.Source, p.Target, null, null) { DecoderError = p.DecoderError })], Certificate = null, Work = null };

    private FeatureActivity Activity(IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (_activity is not null) return _activity;
        using var lease = FlowEngine.Shared.Model(_model!);
        return _activity = new FeatureActivity(_pack, lease.Model, _documents, _plan.Layers.Select(l => new SiteAddress(l, _plan.Site)), progress is null ? null : new Share(progress, "reading texts"), cancel);
    }

    private RatedPair[] Rate(IJudge judge, int layer, IProgress<FlowProgress> progress, CancellationToken cancel)
    {
        var start = _plan.Position(layer);
        var count = _pack.Info(layer, _plan.Site).FeatureCount;
        int[] drawn = [.. Sampling.Choose(Enumerable.Range(0, count), _plan.Rated, (ulong)_plan.Texts.Seed)];
        var pairs = new List<(MatchUnit Unit, string Map, FeaturePair Pair)>();
        for (var c = start + 1; c < _plan.Layers.Count && c - start <= _plan.Distance; c++)
        {
            var direct = new MatchUnit(MatchTask.Assign, layer, _plan.Layers[c], _plan.Costs[0]);
            Add(direct, "folded");
            if (c == start + 1) Add(direct with { Folded = false }, "unfolded");
            else Add(direct with { Task = MatchTask.Compose }, "composed");
        }

        var described = _describer.Describe(pairs.SelectMany(p => new[] { new FeatureId(p.Unit.From, _plan.Site, p.Pair.Source), new FeatureId(p.Unit.To, _plan.Site, p.Pair.Target) }), new Share(progress, "describing"), cancel);
        var asked = pairs.Select(p => (p.Unit, p.Map, p.Pair, First: described.GetValueOrDefault(new FeatureId(p.Unit.From, _plan.Site, p.Pair.Source)), Second: described.GetValueOrDefault(new FeatureId(p.Unit.To, _plan.Site, p.Pair.Target))))
            .Where(p => !string.IsNullOrWhiteSpace(p.First) && !string.IsNullOrWhiteSpace(p.Second)).ToList();
        var answers = judge.CompareAsync([.. asked.Select(p => new PairQuestion(p.First!, p.Second!))], new Share(progress, "judging"), cancel).GetAwaiter().GetResult();
        return [.. asked.Zip(answers, (p, a) => new RatedPair(p.Unit.From, p.Unit.To, p.Map, p.Pair.Source, p.Pair.Target, p.Pair.DecoderError, p.First!, p.Second!, a.Similarity, a.Forward, a.Backward, judge.Name, a.Problem))];

        void Add(MatchUnit unit, string name)
        {
            var whole = unit.Task == MatchTask.Compose ? Joined(unit, progress, cancel) : MapOf(unit, progress, cancel);
            var map = FeatureMapBuilder.WithErrors(_pack, Only(whole, drawn), Options(unit, null, cancel), cancel);
            var of = map.Pairs.GroupBy(p => p.Source).ToDictionary(g => g.Key, g => g.First());
            foreach (var feature in drawn)
            {
                if (of.TryGetValue(feature, out var pair)) pairs.Add((unit, name, pair));
            }
        }
    }

    private static FeatureMap Only(FeatureMap map, int[] features)
    {
        var wanted = features.ToHashSet();
        return map with { Pairs = [.. map.Pairs.Where(p => wanted.Contains(p.Source))] };
    }

    private DescribedPath[] DescribedPaths(CancellationToken cancel)
    {
        var steps = Enumerable.Range(0, _plan.Layers.Count - 1).Select(p => MapOf(Step(p), null, cancel)).ToList();
        var paths = Enumerable.Range(0, Math.Min(_plan.Paths, steps[0].SourceCount)).Select(f => FeatureMapAlgebra.Path(steps, f)).ToList();
        var all = paths.SelectMany((path, i) => path.Select((feature, p) => (Path: i, Id: new FeatureId(_plan.Layers[p], _plan.Site, feature)))).ToList();
        var described = _describer.Describe(all.Select(p => p.Id), null, cancel);
        return [.. all.Select(p => new DescribedPath(p.Path, p.Id.Layer, p.Id.Index, described.GetValueOrDefault(p.Id)))];
    }

    private string DescriptionHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var layer in _plan.Layers)
        {
            for (var i = 0; i < _pack.Info(layer, _plan.Site).FeatureCount; i++) hash.AppendData(Encoding.UTF8.GetBytes((_pack.Descriptions.Text(new FeatureId(layer, _plan.Site, i)) ?? "") + "\n"));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // one unit's share of the whole
    private sealed class Part(IProgress<FlowProgress>? whole, string unit, double start, double size) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value) => whole?.Report(new FlowProgress(value.Stage.Length > 0 ? $"{unit}: {value.Stage}" : unit, start + (size * Math.Clamp(value.Done, 0, 1))));
    }

    private sealed class Share(IProgress<FlowProgress> to, string stage) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress(stage, value));
    }
}
