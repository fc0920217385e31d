using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// Which features are active where on texts, for several SAEs in one pass; BOS is left out. From it come the matching score of any map (SAE Match, section 4), the means that SAEs
/// without thresholds fold by, and what the SAEs do on the texts. Only non-zero activations are kept.
/// </summary>
public sealed class FeatureActivity
{
    private readonly Dictionary<Place, SparseActivations> _active = [];
    private readonly Dictionary<Place, LayerStatistics> _statistics = [];

    /// <summary>One pass over texts.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="documents">Texts.</param>
    /// <param name="places">SAEs that are read.</param>
    /// <param name="progress">Told the share of the work done.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4040: SAEs of another model.</exception>
    public FeatureActivity(OpenedPack pack, LanguageModel model, IEnumerable<TokenDocument> documents, IEnumerable<SiteAddress> places, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(pack);
        ArgumentNullException.ThrowIfNull(model);
        var all = places.Select(p => new Place(p.Layer, p.Site)).Distinct().Order().ToList();
        foreach (var place in all) pack.Check(place, []);
        using var reader = new ActivationReader(pack, model, all, cancel);
        reader.Run(model, [.. documents.Select(d => (d, (IReadOnlyList<int>)[.. Enumerable.Range(d.FirstPosition, Math.Max(0, d.Positions))]))], progress);
        foreach (var place in all)
        {
            var active = _active[place] = reader[place];
            var (counts, firing) = (new int[active.Features], 0L);
            for (var row = 0; row < active.Rows; row++)
            {
                foreach (var i in active.Indices(row)) counts[i]++;
                firing += active.Indices(row).Length;
            }

            using var lease = pack.Lease(place.Layer, place.Site);
            var tokens = Math.Max(1.0, active.Rows);
            double? theta = lease.Sae.Threshold_F is { } t ? t.AsSpan<float>().ToArray().Average(v => (double)v) : null;
            _statistics[place] = new LayerStatistics(place.Layer, place.Site.Name(), reader.Norms(place) / tokens, theta, firing / tokens, counts.Count(c => c == 0));
        }
    }

    /// <summary>Tokens that were read.</summary>
    public int Tokens => _active.Values.Select(a => a.Rows).FirstOrDefault();

    /// <summary>What each SAE does on the texts, by layer and site (SAE Match, figures 1 and 15).</summary>
    public IReadOnlyList<LayerStatistics> Statistics => [.. _statistics.Values];

    /// <summary>Mean activation of each feature where it is active, [F]; 0 where it never is: for <see cref="FoldRule.MeanActivation"/>.</summary>
    public double[] Means(SiteAddress place)
    {
        var active = _active[new Place(place.Layer, place.Site)];
        var (sums, counts) = (new double[active.Features], new int[active.Features]);
        for (var row = 0; row < active.Rows; row++)
        {
            ReadOnlySpan<int> indices = active.Indices(row);
            var values = active.Values(row);
            for (var e = 0; e < indices.Length; e++)
            {
                sums[indices[e]] += values[e];
                counts[indices[e]]++;
            }
        }

        for (var i = 0; i < sums.Length; i++) sums[i] = counts[i] > 0 ? sums[i] / counts[i] : 0;
        return sums;
    }

    /// <summary>Where a map begins and ends.</summary>
    /// <exception cref="FeatureFlowException">FF4068: it does not say.</exception>
    public static (SiteAddress From, SiteAddress To) PlacesOf(FeatureMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return map.From is null || map.To is null ? throw FlowErrors.Nowhere(map, "it does not say from where to where it leads") : (Place.Parse(map.From).Address, Place.Parse(map.To).Address);
    }

    /// <summary>P(matched feature active | feature active) of every source, [F]; NaN where it has no target or never fired. Of several targets the best is meant.</summary>
    /// <param name="map">The map; it says its places.</param>
    /// <exception cref="FeatureFlowException">FF4068: the map does not say where it belongs, or belongs where nothing was read.</exception>
    public IReadOnlyList<double> MatchShares(FeatureMap map)
    {
        if (map.From is null || map.To is null || !_active.TryGetValue(Place.Parse(map.From), out var from) || !_active.TryGetValue(Place.Parse(map.To), out var to)) throw FlowErrors.Nowhere(map, "nothing was read where it belongs");
        var target = map.Targets();
        var (active, both) = (new int[from.Features], new int[from.Features]);
        for (var row = 0; row < from.Rows; row++)
        {
            var next = to.Indices(row);
            foreach (var i in from.Indices(row))
            {
                if (i >= target.Length || target[i] < 0) continue;
                active[i]++;
                if (next.BinarySearch(target[i]) >= 0) both[i]++;
            }
        }

        return [.. active.Zip(both, (a, b) => a > 0 ? (double)b / a : double.NaN)];
    }

    /// <summary>The mean of <see cref="MatchShares"/> over the features that fired, unweighted, with an interval over features.</summary>
    public Interval MatchingScore(FeatureMap map, Bootstrap? bootstrap = null) => (bootstrap ?? new Bootstrap()).Mean(MatchShares(map));
}
