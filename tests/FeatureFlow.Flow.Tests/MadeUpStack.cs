using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow.Tests;

/// <summary>A pack without files: seeded random decoders, matched by the plainest code there is.</summary>
internal sealed class MadeUpStack : IMatchSource
{
    private readonly Dictionary<Place, float[][]> _decoders = [];

    public MadeUpStack(int seed, IEnumerable<(Place Place, int Features, int Width)> saes)
    {
        var random = new Random(seed);
        foreach (var (place, features, width) in saes)
        {
            _decoders[place] = [.. Enumerable.Range(0, features).Select(_ => Enumerable.Range(0, width).Select(_ => (float)random.NextDouble() - 0.4f).ToArray())];
        }

        Pack = new Pack("made-up", "/made-up", null, _decoders.Keys.Select(p => new PackSae(p.Layer, p.Site, $"/made-up/{p}")), []);
    }

    public Pack Pack { get; }

    /// <summary>Keys places in the order they were read.</summary>
    public List<Place> Reads { get; } = [];

    /// <summary>Layers with res, mlp and att, <paramref name="features"/> each.</summary>
    public static MadeUpStack Regular(int seed, int layers, int features, int width) => new(
        seed,
        from layer in Enumerable.Range(0, layers)
        from site in new[] { Site.Res, Site.Mlp, Site.Att }
        select (new Place(layer, site), features, width));

    public PlaceInfo Info(Place place) => new(_decoders[place].Length, _decoders[place][0].Length, null);

    public IReadOnlyList<TopKResult> Match(Place keys, IReadOnlyList<MatchQuery> queries, int top, IProgress<double>? progress, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        Reads.Add(keys);
        return [.. queries.Select(q => One(keys, q, top))];
    }

    public FeatureFacts Facts(Place place, int[] indices, CancellationToken cancel) =>
        new([.. indices.Select(i => Norm(_decoders[place][i]))], [.. indices.Select(i => (double?)i)]);

    public void Prefetch(Place keys, IReadOnlyList<Place> queries, int top)
    {
    }

    public double Cosine(FeatureId a, FeatureId b) => Cosine(_decoders[Place.Of(a)][a.Index], _decoders[Place.Of(b)][b.Index]);

    /// <summary>Makes a decoder row zero.</summary>
    public void Kill(FeatureId feature) => Array.Clear(_decoders[Place.Of(feature)][feature.Index]);

    public FlowGraph Graph(FeatureId seed, FlowGraphOptions options) => Graphs([seed], options)[0];

    public IReadOnlyList<FlowGraph> Graphs(IReadOnlyList<FeatureId> seeds, FlowGraphOptions options) =>
        FlowGraphBuilder.Build(Pack, this, seeds, options, _ => null, _ => null, null, CancellationToken.None);

    private static double Norm(float[] row) => Math.Sqrt(row.Sum(v => (double)v * v));

    private static double Cosine(float[] a, float[] b)
    {
        var (dot, norms) = (a.Zip(b, (x, y) => (double)x * y).Sum(), Norm(a) * Norm(b));
        return norms == 0 ? 0 : dot / norms;
    }

    private TopKResult One(Place keys, MatchQuery query, int top)
    {
        var rows = query.Indices.Select(i => _decoders[keys]
            .Select((row, j) => (Index: j, Score: Cosine(_decoders[query.From][i], row)))
            .OrderByDescending(m => m.Score).ThenBy(m => m.Index)
            .Concat(Enumerable.Repeat((Index: -1, Score: double.NegativeInfinity), top))
            .Take(top)).SelectMany(r => r).ToArray();
        return new TopKResult(top, [.. rows.Select(r => r.Index)], [.. rows.Select(r => r.Score)]);
    }
}
