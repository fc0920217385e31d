using FeatureFlow.Models;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.Flow;

/// <summary>
/// The k best by correlation of activations over tokens (Feature Flow, appendix C.4): exact population moments in float64, BOS left out. Only non-zero activations are
/// kept, in memory up to a budget and in a temporary file beyond; sums of products are made for a block of features at a time, in one stream over the tokens, from the
/// activations that are not zero. Features that never vary have no correlation and no match.
/// </summary>
public sealed class PearsonMatcher : IFeatureMatcher, IDisposable
{
    /// <summary>Tokens in the paper's comparison (Feature Flow, appendix C.4).</summary>
    public const long PaperTokens = 100_000;

    /// <summary>Bytes of activations that stay in memory unless the caller says.</summary>
    public const long DefaultMemory = 1L << 30;

    private const long BlockBytes = 16 << 20;

    private readonly Dictionary<Place, Moments> _moments = [];
    private readonly Dictionary<Place, SparseActivations> _activations = [];
    private readonly ActivationReader? _reader;
    private readonly ActivationSpill? _spill;
    private readonly int _top;

    /// <summary>One pass over texts.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="documents">Texts; 100,000 tokens and more for a steady answer.</param>
    /// <param name="places">Where features will be matched, targets and predecessors.</param>
    /// <param name="top">k.</param>
    /// <param name="progress">Told the share of the work done.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <param name="memory">Bytes of activations that stay in memory; the rest goes to a temporary file.</param>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4005: k; FF4040: SAEs of another model.</exception>
    public PearsonMatcher(
        OpenedPack pack, LanguageModel model, IEnumerable<TokenDocument> documents, IEnumerable<SiteAddress> places, int top = 1, IProgress<double>? progress = null, CancellationToken cancel = default,
        long memory = DefaultMemory)
    {
        if (top is < 1 or > FlowErrors.MaxTop) throw FlowErrors.Top(top);
        _top = top;
        var all = places.Select(p => new Place(p.Layer, p.Site)).Distinct().ToList();
        foreach (var place in all) pack.Check(place, []);
        _spill = new ActivationSpill(memory);
        _reader = new ActivationReader(pack, model, all, cancel, _spill);
        try
        {
            _reader.Run(model, [.. documents.Select(d => (d, (IReadOnlyList<int>)[.. Enumerable.Range(d.FirstPosition, Math.Max(0, d.Positions))]))], progress);
            foreach (var place in all) Add(place, _reader[place]);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Of activations that are known already; the caller keeps what they are stored in.</summary>
    internal PearsonMatcher(IEnumerable<(Place Place, SparseActivations Activations)> known, int top)
    {
        _top = top;
        foreach (var (place, activations) in known) Add(place, activations);
    }

    /// <inheritdoc/>
    public string Name => "pearson";

    /// <summary>Tokens that were counted.</summary>
    public int Tokens => _moments.Values.First().Rows;

    /// <summary>The places of residual features of some layers and of their predecessors.</summary>
    public static IReadOnlyList<SiteAddress> PlacesOf(OpenedPack pack, IEnumerable<int> layers)
    {
        var neighbours = new Neighbours(pack.Pack, pack.Matches);
        return [.. layers.Distinct().Select(l => new Place(l, Site.Res)).SelectMany(p => neighbours.Before(p).All().Select(l => l.Place).Prepend(p)).Distinct().Select(p => p.Address)];
    }

    /// <summary>At how many tokens a feature is active.</summary>
    public int TimesActive(SiteAddress place, int index) => _moments[new Place(place.Layer, place.Site)].Counts[index];

    /// <inheritdoc/>
    public IReadOnlyList<IReadOnlyList<Candidate>> Match(SiteAddress target, SiteAddress source, IReadOnlyList<int> features, CancellationToken cancel)
    {
        var (mine, theirs) = (new Place(target.Layer, target.Site), new Place(source.Layer, source.Site));
        var found = new Dictionary<int, IReadOnlyList<Candidate>>();
        int[] asked = [.. features.Distinct().Order()];
        var block = (int)Math.Max(1, BlockBytes / (sizeof(double) * (long)_moments[theirs].Means.Length));
        block = Math.Min(block, Math.Max(1, (asked.Length + Environment.ProcessorCount - 1) / Environment.ProcessorCount));
        Parallel.ForEach(asked.Chunk(block), new ParallelOptions { CancellationToken = cancel }, some =>
        {
            var best = Best(mine, some, theirs, cancel);
            lock (found)
            {
                for (var i = 0; i < some.Length; i++) found[some[i]] = best[i];
            }
        });
        return [.. features.Select(f => found[f])];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _reader?.Dispose();
        _spill?.Dispose();
    }

    private void Add(Place place, SparseActivations activations) => (_activations[place], _moments[place]) = (activations, new Moments(activations));

    // Σ xy of some features, ascending, with every source: only tokens where one of them is active, and there only active sources, add anything
    private List<Candidate>[] Best(Place target, int[] features, Place source, CancellationToken cancel)
    {
        var (mine, theirs, mySums, theirSums) = (_activations[target], _activations[source], _moments[target], _moments[source]);
        var width = theirs.Features;
        var products_NF = new double[features.Length * width];
        for (var row = 0; row < mine.Rows; row++)
        {
            if (row % 4096 == 0) cancel.ThrowIfCancellationRequested();
            var active = mine.Indices(row);
            var at = active.BinarySearch(features[0]);
            for (var i = at < 0 ? ~at : at; i < active.Length && active[i] <= features[^1]; i++)
            {
                var slot = Array.BinarySearch(features, active[i]);
                if (slot < 0) continue;
                double x = mine.Values(row)[i];
                var indices = theirs.Indices(row);
                var values = theirs.Values(row);
                var products = products_NF.AsSpan(slot * width, width);
                for (var j = 0; j < indices.Length; j++) products[indices[j]] += x * values[j];
            }
        }

        return [.. features.Select((f, n) => Best(f, mySums, theirSums, products_NF.AsSpan(n * width, width)))];
    }

    private List<Candidate> Best(int feature, Moments mine, Moments theirs, ReadOnlySpan<double> products)
    {
        if (mine.Deviations[feature] == 0) return [];
        var best = new List<Candidate>(_top + 1);
        for (var j = 0; j < products.Length; j++)
        {
            if (theirs.Deviations[j] == 0) continue;
            var r = ((products[j] / mine.Rows) - (mine.Means[feature] * theirs.Means[j])) / (mine.Deviations[feature] * theirs.Deviations[j]);
            if (best.Count == _top && r <= best[^1].Score) continue;
            var at = best.Count;
            while (at > 0 && best[at - 1].Score < r) at--;
            best.Insert(at, new Candidate(j, r));
            if (best.Count > _top) best.RemoveAt(_top);
        }

        return best;
    }

    // means and deviations of every feature of a place
    private sealed class Moments
    {
        public Moments(SparseActivations activations)
        {
            Rows = activations.Rows;
            (Counts, Means, Deviations) = (new int[activations.Features], new double[activations.Features], new double[activations.Features]);
            for (var row = 0; row < Rows; row++)
            {
                var indices = activations.Indices(row);
                var values = activations.Values(row);
                for (var i = 0; i < indices.Length; i++)
                {
                    Counts[indices[i]]++;
                    Means[indices[i]] += values[i];
                }
            }

            if (Rows == 0) return;
            for (var f = 0; f < Means.Length; f++) Means[f] /= Rows;

            // about the mean, the zeros counted at once: no difference of large numbers
            for (var row = 0; row < Rows; row++)
            {
                var indices = activations.Indices(row);
                var values = activations.Values(row);
                for (var i = 0; i < indices.Length; i++) Deviations[indices[i]] += (values[i] - Means[indices[i]]) * (values[i] - Means[indices[i]]);
            }

            for (var f = 0; f < Means.Length; f++) Deviations[f] = Math.Sqrt((Deviations[f] + ((double)(Rows - Counts[f]) * Means[f] * Means[f])) / Rows);
        }

        public int Rows { get; }

        public int[] Counts { get; }

        public double[] Means { get; }

        public double[] Deviations { get; }
    }
}
