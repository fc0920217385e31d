using FeatureFlow.Models;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.Flow;

/// <summary>
/// The k best by correlation of activations over tokens (Feature Flow, appendix C.4): exact population moments in float64, BOS left out. Only non-zero
/// activations are kept, and of the products one row of sources at a time. Features that never vary have no correlation and no match.
/// </summary>
public sealed class PearsonMatcher : IFeatureMatcher, IDisposable
{
    /// <summary>Tokens in the paper's comparison (Feature Flow, appendix C.4).</summary>
    public const long PaperTokens = 100_000;

    private readonly Dictionary<Place, Columns> _columns = [];
    private readonly ActivationReader _reader;
    private readonly int _top;

    /// <summary>One pass over texts.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="documents">Texts; 100,000 tokens and more for a steady answer.</param>
    /// <param name="places">Where features will be matched, targets and predecessors.</param>
    /// <param name="top">k.</param>
    /// <param name="progress">Told the share of the work done.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4005: k; FF4040: SAEs of another model.</exception>
    public PearsonMatcher(OpenedPack pack, LanguageModel model, IEnumerable<TokenDocument> documents, IEnumerable<SiteAddress> places, int top = 1, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        if (top is < 1 or > FlowErrors.MaxTop) throw FlowErrors.Top(top);
        _top = top;
        var all = places.Select(p => new Place(p.Layer, p.Site)).Distinct().ToList();
        foreach (var place in all) pack.Check(place, []);
        _reader = new ActivationReader(pack, model, all, cancel);
        try
        {
            _reader.Run(model, [.. documents.Select(d => (d, (IReadOnlyList<int>)[.. Enumerable.Range(d.FirstPosition, Math.Max(0, d.Positions))]))], progress);
            foreach (var place in all) _columns[place] = new Columns(_reader[place]);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Name => "pearson";

    /// <summary>Tokens that were counted.</summary>
    public int Tokens => _columns.Values.First().Rows;

    /// <summary>The places of residual features of some layers and of their predecessors.</summary>
    public static IReadOnlyList<SiteAddress> PlacesOf(OpenedPack pack, IEnumerable<int> layers)
    {
        var neighbours = new Neighbours(pack.Pack, pack.Matches);
        return [.. layers.Distinct().Select(l => new Place(l, Site.Res)).SelectMany(p => neighbours.Before(p).All().Select(l => l.Place).Prepend(p)).Distinct().Select(p => p.Address)];
    }

    /// <summary>Layers whose activations, with those of their predecessors, may be kept at once.</summary>
    public static int LayersTogether(long tokens)
    {
        const long budget = 2L << 30;
        const long placesOfLayer = 4, activeAtToken = 128, bytes = 16;
        return (int)Math.Clamp(budget / (tokens * placesOfLayer * activeAtToken * bytes), 1, 1000);
    }

    /// <summary>At how many tokens a feature is active.</summary>
    public int TimesActive(SiteAddress place, int index) => _columns[new Place(place.Layer, place.Site)].Count(index);

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<Candidate>> Match(SiteAddress target, SiteAddress source, IReadOnlyList<int> features, CancellationToken cancel)
    {
        var (mine, theirs) = (_columns[new Place(target.Layer, target.Site)], _columns[new Place(source.Layer, source.Site)]);
        var activations = _reader[new Place(source.Layer, source.Site)];
        var results = new IReadOnlyList<Candidate>[features.Count];
        Parallel.For(0, features.Count, new ParallelOptions { CancellationToken = cancel }, () => new double[theirs.Features], (i, _, products) =>
        {
            results[i] = Best(mine, features[i], theirs, activations, products);
            return products;
        }, _ => { });
        return results;
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();

    // Σ xy of one target with every source: only tokens where the target is active, and there only active sources, add anything
    private List<Candidate> Best(Columns mine, int feature, Columns theirs, SparseActivations activations, double[] products)
    {
        if (mine.Deviation(feature) == 0) return [];
        Array.Clear(products);
        foreach (var (row, x) in mine.Of(feature))
        {
            var indices = activations.Indices(row);
            var values = activations.Values(row);
            for (var j = 0; j < indices.Length; j++) products[indices[j]] += (double)x * values[j];
        }

        var best = new List<Candidate>(_top + 1);
        for (var j = 0; j < products.Length; j++)
        {
            if (theirs.Deviation(j) == 0) continue;
            var r = ((products[j] / mine.Rows) - (mine.Mean(feature) * theirs.Mean(j))) / (mine.Deviation(feature) * theirs.Deviation(j));
            if (best.Count == _top && r <= best[^1].Score) continue;
            var at = best.Count;
            while (at > 0 && best[at - 1].Score < r) at--;
            best.Insert(at, new Candidate(j, r));
            if (best.Count > _top) best.RemoveAt(_top);
        }

        return best;
    }

    // the same activations by feature, with their moments
    private sealed class Columns
    {
        private readonly int[] _starts;
        private readonly int[] _rows;
        private readonly float[] _values;
        private readonly double[] _means;
        private readonly double[] _deviations;

        public Columns(SparseActivations activations)
        {
            Features = activations.Features;
            Rows = activations.Rows;
            _starts = new int[Features + 1];
            for (var row = 0; row < Rows; row++)
            {
                foreach (var index in activations.Indices(row)) _starts[index + 1]++;
            }

            for (var f = 0; f < Features; f++) _starts[f + 1] += _starts[f];
            (_rows, _values) = (new int[_starts[^1]], new float[_starts[^1]]);
            int[] next = [.. _starts];
            for (var row = 0; row < Rows; row++)
            {
                var indices = activations.Indices(row);
                var values = activations.Values(row);
                for (var i = 0; i < indices.Length; i++) (_rows[next[indices[i]]], _values[next[indices[i]]++]) = (row, values[i]);
            }

            (_means, _deviations) = (new double[Features], new double[Features]);
            for (var f = 0; f < Features; f++)
            {
                double sum = 0, squares = 0;
                foreach (var (_, x) in Of(f)) sum += x;
                var mean = Rows > 0 ? sum / Rows : 0;

                // about the mean, the zeros counted at once: no difference of large numbers
                foreach (var (_, x) in Of(f)) squares += (x - mean) * (x - mean);
                squares += (double)(Rows - Count(f)) * mean * mean;
                (_means[f], _deviations[f]) = (mean, Rows > 0 ? Math.Sqrt(squares / Rows) : 0);
            }
        }

        public int Features { get; }

        public int Rows { get; }

        public int Count(int feature) => _starts[feature + 1] - _starts[feature];

        public double Mean(int feature) => _means[feature];

        public double Deviation(int feature) => _deviations[feature];

        public IEnumerable<(int Row, float Value)> Of(int feature)
        {
            for (var i = _starts[feature]; i < _starts[feature + 1]; i++) yield return (_rows[i], _values[i]);
        }
    }
}
