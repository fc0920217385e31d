using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// Finds every match that the graphs of some seeds need, one level of the stream after the other: up for the forward part, down for
/// the backward part. At a level the features of all graphs are asked about together, so a module's decoder is read once, a residual
/// decoder once going down and twice going up (as successors, then for the scores of the level above).
/// </summary>
internal sealed class GraphGathering
{
    private readonly Neighbours _neighbours;
    private readonly MatchMemo _memo;
    private readonly FlowSteps _steps;
    private readonly FlowGraphOptions _options;
    private readonly IReadOnlyList<FeatureId> _seeds;
    private readonly GatherProgress _progress;
    private readonly CancellationToken _cancel;
    private readonly HashSet<FeatureId> _nodes = [];

    public GraphGathering(
        Neighbours neighbours, MatchMemo memo, FlowSteps steps, FlowGraphOptions options, IReadOnlyList<FeatureId> seeds, GatherProgress progress, CancellationToken cancel)
    {
        (_neighbours, _memo, _steps, _options, _seeds, _progress, _cancel) = (neighbours, memo, steps, options, seeds, progress, cancel);
    }

    /// <summary>Does all of it.</summary>
    public void Run()
    {
        foreach (var group in _seeds.GroupBy(Place.Of).OrderBy(g => g.Key)) Found(group.Key, group);
        if (_options.Direction != FlowDirection.Backward) Up();
        if (_options.Direction != FlowDirection.Forward) Down();
    }

    private void Up()
    {
        var frontier = new Frontier(_seeds);
        while (frontier.TakeLowest() is { } level)
        {
            _cancel.ThrowIfCancellationRequested();
            var (place, features) = level;
            var above = _neighbours.After(place);
            Score(place, features); // only seeds are unscored here: what was found on the way was scored with its level
            foreach (var (_, keys) in above.All()) _memo.Prefetch(keys, features);
            IReadOnlyCollection<FeatureId> arriving = [];
            Lanes below = default;
            if (above.Res is { } next)
            {
                Gather(next, features);
                frontier.Add(next, Found(next, features.SelectMany(_steps.Successors).Select(e => e.Target)));
                (arriving, below) = (frontier.At(next), _neighbours.Before(next));
            }

            // own matches of this level and scores of the next one come from the same decoders
            var asking = _options.ForwardModules == ForwardModules.Feature ? features : [];
            foreach (var module in new[] { above.Mlp, below.Mlp, above.Att, below.Att }.OfType<Place>().Distinct())
            {
                var own = module == above.Mlp || module == above.Att ? asking : [];
                var scored = module == below.Mlp || module == below.Att ? arriving : [];
                Gather(module, own.Concat(scored));
            }

            FoundModules(asking.SelectMany(_steps.ModuleSuccessors).Select(e => e.Target));
            if (above.Res is { } home) Score(home, arriving);
            if (_options.ForwardModules == ForwardModules.Successor) FoundModules(arriving.SelectMany(_steps.ModulePredecessors).Select(e => e.Predecessor));
        }
    }

    private void Down()
    {
        var frontier = new Frontier(_seeds.Where(s => Place.Of(s).IsResidual));
        while (frontier.TakeHighest() is { } level)
        {
            _cancel.ThrowIfCancellationRequested();
            var (place, features) = level;
            var lanes = _neighbours.Before(place);
            foreach (var (_, keys) in lanes.All()) _memo.Prefetch(keys, features);
            if (lanes.Res is { } below)
            {
                Gather(below, features);
                frontier.Add(below, Found(below, features.SelectMany(_steps.ResidualPredecessors).Select(e => e.Predecessor)));
            }

            Score(place, features);
            FoundModules(features.SelectMany(_steps.ModulePredecessors).Select(e => e.Predecessor));
        }
    }

    // the matches behind the three scores of residual features
    private void Score(Place place, IReadOnlyCollection<FeatureId> features)
    {
        if (!place.IsResidual) return;
        foreach (var (_, keys) in _neighbours.Before(place).All()) Gather(keys, features);
    }

    private void Gather(Place keys, IEnumerable<FeatureId> features)
    {
        _cancel.ThrowIfCancellationRequested();
        _memo.Gather(keys, features, _progress.Step(keys));
    }

    private void FoundModules(IEnumerable<FeatureId> features)
    {
        foreach (var group in features.GroupBy(Place.Of)) Found(group.Key, group);
    }

    private List<FeatureId> Found(Place place, IEnumerable<FeatureId> features)
    {
        var found = features.Distinct().Order().ToList();
        _memo.GatherFacts(place, found.Select(f => f.Index));
        _nodes.UnionWith(found);
        if (_nodes.Count > (long)_options.MaxNodes * _seeds.Count) throw FlowErrors.TooManyNodes(_seeds[0], _options.MaxNodes, place.Layer);
        return found;
    }
}
