namespace FeatureFlow.Flow;

/// <summary>Maps after maps: composition, agreement, paths (SAE Match, section 3.2 and appendix D).</summary>
public static class FeatureMapAlgebra
{
    /// <summary>
    /// The map that goes through all of them in turn: P(A→C) = P(B→C)∘P(A→B). Weights multiply, ways to one target add up; of one source the targets come by falling weight.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF4065: one does not begin where the one before ends.</exception>
    public static FeatureMap Join(IReadOnlyList<FeatureMap> maps)
    {
        var joined = maps[0];
        for (var m = 1; m < maps.Count; m++)
        {
            var next = maps[m];
            if ((joined.To is { } to && next.From is { } from && to != from) || joined.TargetCount > next.SourceCount && joined.Pairs.Any(p => p.Target >= next.SourceCount)) throw FlowErrors.Gap(joined, next);
            var onward = next.Pairs.ToLookup(p => p.Source);
            var pairs = new List<FeaturePair>(joined.Pairs.Count);
            foreach (var source in joined.Pairs.GroupBy(p => p.Source).OrderBy(g => g.Key))
            {
                var weights = new SortedDictionary<int, double>();
                foreach (var first in source)
                {
                    foreach (var second in onward[first.Target]) weights[second.Target] = weights.GetValueOrDefault(second.Target) + (first.Weight * second.Weight);
                }

                pairs.AddRange(weights.OrderByDescending(w => w.Value).Select(w => new FeaturePair(source.Key, w.Key, null, null, w.Value)));
            }

            joined = new FeatureMap
            {
                Pack = joined.Pack,
                From = joined.From,
                To = next.To,
                Method = MapMethod.Composed,
                SourceFold = joined.SourceFold,
                TargetFold = next.TargetFold,
                SourceCount = joined.SourceCount,
                TargetCount = next.TargetCount,
                Pairs = pairs,
            };
        }

        return joined;
    }

    /// <summary>Share of the sources of the direct map whose target is the same in the other.</summary>
    public static double Agreement(FeatureMap map, FeatureMap direct)
    {
        var (a, b) = (map.Targets(), direct.Targets());
        int all = 0, equal = 0;
        for (var i = 0; i < b.Length; i++)
        {
            if (b[i] < 0) continue;
            all++;
            if (i < a.Length && a[i] == b[i]) equal++;
        }

        return all == 0 ? 0 : (double)equal / all;
    }

    /// <summary>Where a feature goes through maps one after another: one index per place, ending where a map has no target for it.</summary>
    public static IReadOnlyList<int> Path(IReadOnlyList<FeatureMap> maps, int feature)
    {
        var path = new List<int> { feature };
        foreach (var map in maps)
        {
            var next = map.Pairs.FirstOrDefault(p => p.Source == path[^1], new FeaturePair(-1, -1, null, null)).Target;
            if (next < 0) break;
            path.Add(next);
        }

        return path;
    }
}
