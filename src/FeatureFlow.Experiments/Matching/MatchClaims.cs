using System.Globalization;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Matching;

/// <summary>The hypotheses of SAE Match, held against a run: paired differences over features with bootstrap intervals.</summary>
internal static class MatchClaims
{
    private static readonly Bootstrap Intervals = new();

    public static IEnumerable<PaperClaim> Of(MatchResults found) => [.. Folding(found), .. Errors(found), .. Composition(found)];

    private static string Where(int from, int to) => string.Create(CultureInfo.InvariantCulture, $"{from} → {to}");

    private static IEnumerable<PaperClaim> Folding(MatchResults found)
    {
        foreach (var (unit, figures) in found.Neighbours(found.Plan.Costs[0]))
        {
            var unfolded = found.Maps[unit with { Folded = false }];
            var change = figures.DecoderError!.Value - unfolded.Figures.DecoderError!.Value;
            // an exact number: nothing was sampled
            yield return new PaperClaim("Folding lowers the error", Where(unit.From, unit.To), "folded decoder error, folded − unfolded matching", new Interval(change, change, change, figures.Pairs), Rises: false);
            float[] with = found.Maps[unit].Shares, without = unfolded.Shares;
            if (with.Length > 0)
                yield return new PaperClaim("Folding raises the matching score", Where(unit.From, unit.To), "matching score, folded − unfolded matching", Intervals.Mean(with.Zip(without, (a, b) => a < 0 || b < 0 ? double.NaN : (double)a - b)), Rises: true);
            if (Paired(found, unit.From, unit.To, "folded", "unfolded") is { Count: > 0 } judged)
                yield return new PaperClaim("Folding raises judged similarity", Where(unit.From, unit.To), "judged similarity, folded − unfolded matching", judged, Rises: true);
        }
    }

    private static IEnumerable<PaperClaim> Errors(MatchResults found)
    {
        foreach (var pairs in found.Rated.Where(r => r is { Map: "folded", Similarity: not null, DecoderError: > 0 }).GroupBy(r => (r.From, r.To)).Where(g => found.Plan.Position(g.Key.To) == found.Plan.Position(g.Key.From) + 1))
        {
            double[] same = [.. pairs.Where(p => p.Similarity == 3).Select(p => Math.Log(p.DecoderError!.Value))], different = [.. pairs.Where(p => p.Similarity == 1).Select(p => Math.Log(p.DecoderError!.Value))];
            yield return new PaperClaim("Small errors mean similar features", Where(pairs.Key.From, pairs.Key.To), "log folded decoder error, same − different", Intervals.Difference(same, different), Rises: false);
        }
    }

    private static IEnumerable<PaperClaim> Composition(MatchResults found)
    {
        foreach (var distance in found.SemanticByDistance.Select(s => s.Distance).Where(d => d > 1).Distinct())
        {
            var pairs = found.Rated.Where(r => found.Plan.Position(r.To) - found.Plan.Position(r.From) == distance).Select(r => (r.From, r.To)).Distinct().ToList();
            var differences = pairs.SelectMany(p => Differences(found, p.From, p.To, "composed", "folded"));
            yield return new PaperClaim("Composed maps get worse than exact ones", string.Create(CultureInfo.InvariantCulture, $"{distance} layers apart"), "judged similarity, composed − exact", Intervals.Mean(differences), Rises: false);
        }
    }

    private static Interval Paired(MatchResults found, int from, int to, string first, string second) => Intervals.Mean(Differences(found, from, to, first, second));

    private static IEnumerable<double> Differences(MatchResults found, int from, int to, string first, string second)
    {
        var of = found.Rated.Where(r => r.From == from && r.To == to && r.Similarity is not null).ToLookup(r => r.Map);
        var others = of[second].ToDictionary(r => r.Source, r => r.Similarity!.Value);
        return of[first].Where(r => others.ContainsKey(r.Source)).Select(r => r.Similarity!.Value - others[r.Source]);
    }
}
