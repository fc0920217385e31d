using System.Runtime.InteropServices;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>What is tried on every target.</summary>
public sealed record CausalOptions
{
    /// <summary>Who names predecessors, each a strategy; all active candidates' sites are cut.</summary>
    public required IReadOnlyList<IFeatureMatcher> Strategies { get; init; }

    /// <summary>Also every active feature of the three sites on its own; the largest change is reported.</summary>
    public bool Exhaustive { get; init; } = true;

    /// <summary>Also each site alone, with the first strategy.</summary>
    public bool OneAtATime { get; init; } = true;

    /// <summary>Also with the activations of the clean run removed.</summary>
    public bool Recorded { get; init; } = true;

    /// <summary>Factors of the sweep, with the first strategy; none for no sweep.</summary>
    public IReadOnlyList<double> Sweep { get; init; } = [-1, -0.5, 0, 0.5, 1, 1.5, 2];

    /// <summary>Factors with which the loss of the whole text is measured; none for no loss.</summary>
    public IReadOnlyList<double> Losses { get; init; } = [0, 2];

    /// <summary>Targets of the sweep and of the losses, evenly over all.</summary>
    public int SweepTargets { get; init; } = 100;
}

/// <summary>What cutting predecessors did to targets.</summary>
/// <param name="Rows">By target, then strategy; exhaustive last.</param>
/// <param name="OneSite">By target, then site.</param>
/// <param name="Sweep">By target, then factor.</param>
/// <param name="Losses">By target, then factor.</param>
/// <param name="Skipped">Targets that were not active where they should have been.</param>
/// <param name="Cuts">Cuts that were tried, each a target and what was removed.</param>
public sealed record CausalReport(IReadOnlyList<CausalRow> Rows, IReadOnlyList<OneSiteRow> OneSite, IReadOnlyList<RescaleRow> Sweep, IReadOnlyList<CutLossRow> Losses, IReadOnlyList<CausalTarget> Skipped, long Cuts)
{
    /// <summary>Single-layer computations of single tokens: a cut that several targets of a token have in common is computed once.</summary>
    public long Computed { get; init; }

    /// <summary>Success rates and mean changes by strategy, layer and group; combinations without targets are left out.</summary>
    public IReadOnlyList<CausalSummary> Summary()
    {
        var rows = new List<CausalSummary>();
        var layers = Rows.Select(r => r.Target.Layer).Distinct().Order().Select(l => (int?)l).Prepend(null).ToList();
        foreach (var strategy in Rows.Select(r => r.Strategy).Distinct())
        {
            foreach (var layer in layers)
            {
                foreach (var group in ActivationGroups.All.Select(g => (PredecessorSites?)g).Prepend(null))
                {
                    var some = Rows.Where(r => r.Strategy == strategy && (layer is null || r.Target.Layer == layer) && (group is null || r.Group == group)).ToList();
                    if (some.Count == 0) continue;
                    var with = some.Where(r => r.Group != PredecessorSites.None).ToList();
                    var silenced = with.Count(r => r.Deactivated);
                    rows.Add(new CausalSummary(
                        strategy, layer, group, some.Count, with.Count, silenced,
                        with.Count > 0 ? Wilson.Of(silenced, with.Count) : null,
                        with.Count > 0 ? new Bootstrap(Resamples: 1000).Mean(with.Select(r => r.ActivationChange)) : null));
                }
            }
        }

        return rows;
    }
}

/// <summary>Removes the matched predecessors of active residual features and looks what becomes of them (Feature Flow, sections 5.2 and A.2).</summary>
public static class CausalTests
{
    /// <summary>The name of the strategy that tries every active feature on its own.</summary>
    public const string Exhaustive = "exhaustive";

    /// <summary>Targets of a token and layer in the paper's protocol.</summary>
    public const int PaperTargets = 25;

    /// <summary>Layers in the paper's protocol, of a model with 26.</summary>
    public static IReadOnlyList<int> PaperLayers { get; } = [6, 12, 18];

    /// <summary>Texts in the paper's protocol.</summary>
    public const int PaperTexts = 35;

    private const ulong TargetKey = 0x7A6;

    /// <summary>Targets that are not From nowhere in one of some reports of the same texts, at most so many of a token and layer, drawn by a seed; by text, position, layer and index.</summary>
    public static IReadOnlyList<CausalTarget> Draw(IReadOnlyList<GroupReport> groups, int perToken, ulong seed) =>
    [
        .. groups.SelectMany(g => g.Occurrences.Where(o => o.Group != PredecessorSites.None).Select(o => (g.Texts[o.Text].Sequence, o.Position, o.Layer, o.Index)))
            .Distinct()
            .OrderBy(o => o)
            .GroupBy(o => (o.Sequence, o.Position, o.Layer))
            .OrderBy(g => g.Key)
            .SelectMany(g =>
            {
                var all = g.Select(o => o.Index).ToArray();
                new Prng(seed, TargetKey, (ulong)g.Key.Sequence, (ulong)g.Key.Position, (ulong)g.Key.Layer).Shuffle(all.AsSpan());
                return all.Take(perToken).Order().Select(i => new CausalTarget(g.Key.Sequence, g.Key.Position, g.Key.Layer, i));
            }),
    ];

    /// <summary>Tries everything on every target; a document at a time.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="documents">Texts, by the numbers of the targets.</param>
    /// <param name="targets">Targets.</param>
    /// <param name="options">What is tried.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4080, FF4081: no such text or position; FF4001, FF4002: no such feature; FF4040: SAEs of another model.</exception>
    public static CausalReport Run(OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<CausalTarget> targets, CausalOptions options, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        // positions that do not exist are refused before anything is computed
        _ = SampledText.At([.. documents.Select(d => ("", d))], targets.Select(t => (t.Sequence, t.Position)));
        var work = new Work(pack, model, options, cancel);
        work.Prepare(targets);
        var stride = Math.Max(1, targets.Count / Math.Max(1, options.SweepTargets));
        var swept = targets.Where((_, i) => i % stride == 0).Take(options.SweepTargets).ToHashSet();
        var done = 0;
        var results = new List<TextResults>();
        using var memory = new ReplayMemory(model);
        foreach (var text in targets.GroupBy(t => t.Sequence))
        {
            progress?.Report(new FlowProgress($"text {text.Key}", (double)done / targets.Count));
            results.Add(work.Text(documents[text.Key], [.. text.Distinct()], swept, memory));
            work.Loss(documents[text.Key], results[^1]);
            done += text.Count();
        }

        progress?.Report(new FlowProgress("done", 1));
        CausalTarget[] order = [.. targets.Distinct()];
        return new CausalReport(
            InOrder(r => r.Rows),
            InOrder(r => r.OneSite),
            InOrder(r => r.Sweep),
            InOrder(r => r.Losses),
            [.. results.SelectMany(r => r.Skipped)],
            results.Sum(r => r.Cuts)) { Computed = results.Sum(r => r.Computed) };

        IReadOnlyList<T> InOrder<T>(Func<TextResults, Dictionary<CausalTarget, List<T>>> part)
        {
            var all = results.SelectMany(part).ToDictionary();
            return [.. order.SelectMany(t => all.GetValueOrDefault(t) ?? [])];
        }
    }

    /// <summary>What the cuts in one text did.</summary>
    private sealed class TextResults
    {
        public Dictionary<CausalTarget, List<CausalRow>> Rows { get; } = [];

        public Dictionary<CausalTarget, List<OneSiteRow>> OneSite { get; } = [];

        public Dictionary<CausalTarget, List<RescaleRow>> Sweep { get; } = [];

        public Dictionary<CausalTarget, List<CutLossRow>> Losses { get; } = [];

        public List<(CausalTarget Target, FeatureId[] Removed, double R)> LossesWanted { get; } = [];

        public List<CausalTarget> Skipped { get; } = [];

        public long Cuts { get; set; }

        public long Computed { get; set; }
    }

    // everything that texts have in common
    private sealed class Work(OpenedPack pack, LanguageModel model, CausalOptions options, CancellationToken cancel)
    {
        private readonly Dictionary<Place, Lanes> _lanes = [];
        private readonly Dictionary<Place, float[]?> _thresholds = [];
        private readonly Dictionary<(int Strategy, Place Target, EdgeKind Kind, int Feature), FeatureId[]> _candidates = [];

        // candidates of every target by every strategy
        public void Prepare(IReadOnlyList<CausalTarget> targets)
        {
            var neighbours = new Neighbours(pack.Pack, pack.Matches);
            foreach (var layer in targets.GroupBy(t => t.Layer))
            {
                var place = new Place(layer.Key, Site.Res);
                int[] features = [.. layer.Select(t => t.Feature).Distinct().Order()];
                pack.Check(place, features);
                _lanes[place] = neighbours.Before(place);
                using var lease = pack.Lease(place.Layer, place.Site);
                _thresholds[place] = lease.Sae.Threshold_F?.ToFloats(model.Engine);
                for (var s = 0; s < options.Strategies.Count; s++)
                {
                    foreach (var (kind, source) in _lanes[place].All())
                    {
                        var found = options.Strategies[s].Match(place.Address, source.Address, features, cancel);
                        for (var i = 0; i < features.Length; i++) _candidates[(s, place, kind, features[i])] = [.. found[i].Select(c => source.Feature(c.Index))];
                    }
                }
            }
        }

        public TextResults Text(TokenDocument document, CausalTarget[] targets, HashSet<CausalTarget> swept, ReplayMemory memory)
        {
            int[] positions = [.. targets.Select(t => t.Position).Distinct().Order()];
            var places = targets.Select(t => new Place(t.Layer, Site.Res)).Distinct().ToDictionary(p => p, p => _lanes[p]);
            var results = new TextResults();
            using var replay = new LayerReplay(pack, model, document, positions, places, memory, cancel);
            foreach (var (place, lanes) in places)
            {
                var plan = new CutPlan();
                var after = new List<Action<CutOutcome[]>>();
                var singles = new Dictionary<int, List<(FeatureId Feature, int Cut)>>();
                foreach (var target in targets.Where(t => t.Layer == place.Layer)) Plan(replay, place, lanes, target, Array.IndexOf(positions, target.Position), swept, plan, singles, after, results);
                var outcomes = replay.Run(place, lanes, plan);
                results.Cuts += plan.Questions.Count;
                results.Computed += plan.Cuts.Count;
                foreach (var reader in after) reader(outcomes);
            }

            return results;
        }

        // what is to be computed for one target, and how its rows are made of the outcomes
        private void Plan(LayerReplay replay, Place place, Lanes lanes, CausalTarget target, int row, HashSet<CausalTarget> swept, CutPlan plan, Dictionary<int, List<(FeatureId Feature, int Cut)>> singles, List<Action<CutOutcome[]>> after, TextResults results)
        {
            double old = replay.Activations[place].At(row, target.Feature);
            if (old == 0)
            {
                results.Skipped.Add(target);
                return;
            }

            var theta = (double?)_thresholds[place]?[target.Feature];
            var rows = results.Rows[target] = [];
            for (var s = 0; s < options.Strategies.Count; s++)
            {
                var (strategy, name) = (s, options.Strategies[s].Name);
                var candidates = Candidates(strategy, place, target.Feature);
                var group = Active(replay, row, candidates);
                var removed = Of(candidates, group);
                var same = new CausalRow(target, name, group, [.. removed.Select(f => f.ToString())], old, old, old, theta, group, options.Recorded ? old : null);
                if (group == PredecessorSites.None)
                {
                    after.Add(_ => rows.Add(same with { PreNew = theta is null ? null : old }));
                    continue;
                }

                var cut = Ask(Rescaled(removed, 0), candidates);
                var recorded = options.Recorded && removed.All(f => pack.Info(f.Layer, f.Site).InputTransform == InputTransform.None) ? Recorded(group, removed, cut) : -1;
                after.Add(o => rows.Add(same with { ZNew = o[cut].Activation, PreNew = o[cut].Pre, GroupAfter = o[cut].Active, ZNewRecorded = recorded < 0 ? null : o[recorded].Activation }));
                if (s > 0) continue;

                if (options.OneAtATime)
                {
                    var sites = results.OneSite[target] = [];
                    foreach (var site in ActivationGroups.Sites.Where(x => group.HasFlag(x)))
                    {
                        var alone = Of(candidates, site);
                        var one = Ask(Rescaled(alone, 0), candidates);
                        after.Add(o => sites.Add(new OneSiteRow(site, same with { Removed = [.. alone.Select(f => f.ToString())], ZNew = o[one].Activation, PreNew = o[one].Pre, GroupAfter = o[one].Active, ZNewRecorded = null })));
                    }
                }

                if (!swept.Contains(target)) continue;
                var sweep = results.Sweep[target] = [];
                foreach (var r in options.Sweep)
                {
                    var at = Ask(Rescaled(removed, r), null);
                    after.Add(o => sweep.Add(new RescaleRow(r, same with { ZNew = o[at].Activation, PreNew = o[at].Pre, GroupAfter = null, ZNewRecorded = null })));
                }

                foreach (var r in options.Losses) results.LossesWanted.Add((target, removed, r));
            }

            if (options.Exhaustive) All(replay, lanes, target, row, old, theta, rows, plan, singles, after);

            int Ask(IReadOnlyList<FeatureEdit> edits, FeatureId[]?[]? watched) => plan.Ask(plan.Add(row, edits), target.Feature, watched);

            // where one site alone is cut, what arrives there is what the clean run had
            int Recorded(PredecessorSites sites, FeatureId[] features, int sameCut) =>
                System.Numerics.BitOperations.IsPow2((uint)sites) ? sameCut : Ask([.. features.Select(f => new FeatureEdit(f, EditMethod.Add, -replay.Activations[Place.Of(f)].At(row, f.Index)))], null);
        }

        // every active feature of the three sites on its own: the same cuts for all targets of a token
        private static void All(LayerReplay replay, Lanes lanes, CausalTarget target, int row, double old, double? theta, List<CausalRow> rows, CutPlan plan, Dictionary<int, List<(FeatureId Feature, int Cut)>> singles, List<Action<CutOutcome[]>> after)
        {
            if (!singles.TryGetValue(row, out var tried))
            {
                singles[row] = tried = [];
                foreach (var (_, place) in lanes.All())
                {
                    foreach (var index in replay.Activations[place].Indices(row)) tried.Add((place.Feature(index), plan.Add(row, Rescaled([place.Feature(index)], 0))));
                }
            }

            var group = PredecessorSites.None;
            foreach (var (kind, place) in lanes.All())
            {
                if (replay.Activations[place].Indices(row).Length > 0) group |= ActivationGroups.Of(kind);
            }

            var first = plan.Questions.Count;
            foreach (var (_, cut) in tried) plan.Ask(cut, target.Feature);
            after.Add(o =>
            {
                var row = new CausalRow(target, Exhaustive, group, [], old, old, old, theta, null, null);
                if (tried.Count > 0)
                {
                    var least = Enumerable.Range(0, tried.Count).MinBy(i => o[first + i].Activation);
                    row = row with { Removed = [tried[least].Feature.ToString()], ZNew = o[first + least].Activation, PreNew = o[first + least].Pre };
                }

                rows.Add(row);
            });
        }

        // full passes of the text, each row of a batch under its own cut
        public void Loss(TokenDocument document, TextResults results)
        {
            const int tokensTogether = 4096;
            var cuts = results.LossesWanted;
            if (cuts.Count == 0) return;
            var length = document.Ids.Length;
            var old = Mean(model.TokenLosses(new TokenBatch([document.Ids]), null, cancel));
            var together = Math.Max(1, tokensTogether / length);
            for (var start = 0; start < cuts.Count; start += together)
            {
                var some = CollectionsMarshal.AsSpan(cuts).Slice(start, Math.Min(together, cuts.Count - start)).ToArray();
                using var set = new InterventionSet(pack, model, [.. some.Select(c => Rescaled(c.Removed, c.R))], cancel);
                using var hook = set.Hook([.. some.Select((c, i) => new RowEdits(i, EditPositions.At(c.Target.Position)))]);
                var losses = model.TokenLosses(new TokenBatch([.. some.Select(_ => document.Ids)]), hook, cancel);
                for (var i = 0; i < some.Length; i++)
                {
                    if (!results.Losses.TryGetValue(some[i].Target, out var rows)) results.Losses[some[i].Target] = rows = [];
                    rows.Add(new CutLossRow(some[i].Target, [.. some[i].Removed.Select(f => f.ToString())], some[i].R, old, Mean(losses.AsSpan(i * length, length))));
                }
            }

            double Mean(ReadOnlySpan<float> losses)
            {
                double sum = 0;
                for (var t = document.FirstPosition; t < length - 1; t++) sum += losses[t];
                return sum / (length - 1 - document.FirstPosition);
            }
        }

        private FeatureId[]?[] Candidates(int strategy, Place place, int feature) =>
            [.. Enum.GetValues<EdgeKind>().Select(kind => _candidates.GetValueOrDefault((strategy, place, kind, feature)))];

        // sites at which one of the candidates is active in the clean run
        private static PredecessorSites Active(LayerReplay replay, int row, FeatureId[]?[] candidates)
        {
            var group = PredecessorSites.None;
            for (var kind = 0; kind < candidates.Length; kind++)
            {
                if (candidates[kind]?.Any(f => replay.Activations[Place.Of(f)].At(row, f.Index) > 0) == true) group |= ActivationGroups.Sites[kind];
            }

            return group;
        }

        private static FeatureId[] Of(FeatureId[]?[] candidates, PredecessorSites sites) =>
            [.. candidates.SelectMany((c, kind) => sites.HasFlag(ActivationGroups.Sites[kind]) ? c ?? [] : [])];

        private static FeatureEdit[] Rescaled(FeatureId[] features, double r) => Array.ConvertAll(features, f => new FeatureEdit(f, EditMethod.Rescale, r));
    }
}
