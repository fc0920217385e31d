using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>
/// The activations of a model on token documents, made as they are read. Every pass takes the documents in an order of its own, drawn from the seed; BOS takes part in
/// the forward pass and is left out of the rows (METHODS 9).
/// </summary>
public sealed class ModelActivationSource : IActivationSource
{
    private const int TokensTogether = 4096;

    private readonly LanguageModel _model;
    private readonly IReadOnlyList<TokenDocument> _documents;
    private readonly ulong _seed;
    private (int Epoch, int[] Order, long[] Starts)? _pass;

    /// <summary>Over documents that fit the model's context; the model stays the caller's.</summary>
    /// <exception cref="FeatureFlowException">FF3103: a site that the model does not have; FF3112: a transcoder's site.</exception>
    public ModelActivationSource(LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<SiteAddress> sites, ulong seed)
    {
        foreach (var site in sites)
        {
            if (site.Site == Site.Tc) throw SaeErrors.Transcoder(site);
            if ((uint)site.Layer >= (uint)model.Config.Layers) throw SaeErrors.NoSuchSite(site, [string.Create(CultureInfo.InvariantCulture, $"layers 0 to {model.Config.Layers - 1}")]);
        }

        (_model, _documents, _seed) = (model, documents, seed);
        Sites = [.. sites.Select(s => new ActivationSite(s, model.Config.WidthAt(s.Site)))];
        RowsPerEpoch = documents.Sum(d => (long)d.Positions);
        Identity = string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(model.Folder)} {documents.Count} documents {RowsPerEpoch} tokens {Fingerprint(documents)} seed {seed}");
    }

    /// <inheritdoc/>
    public IReadOnlyList<ActivationSite> Sites { get; }

    /// <inheritdoc/>
    public long RowsPerEpoch { get; }

    /// <inheritdoc/>
    public string Identity { get; }

    /// <inheritdoc/>
    public void Read(int epoch, long start, IReadOnlyList<Tensor?> x_ND, CancellationToken cancel = default)
    {
        var rows = x_ND.OfType<Tensor>().First().Shape[0];
        var (order, starts) = Pass(epoch);
        var wanted = new Dictionary<SiteAddress, Tensor>();
        for (var i = 0; i < x_ND.Count; i++)
        {
            if (x_ND[i] is { } x) wanted[Sites[i].Address] = x;
        }

        var last = wanted.Keys.Max(s => s.Layer);
        var at = Array.BinarySearch(starts, start);
        if (at < 0) at = ~at - 1;
        while (at < order.Length && starts[at] < start + rows)
        {
            var (batch, from) = (new List<TokenDocument>(), starts[at]);
            for (var tokens = 0; at < order.Length && starts[at] < start + rows && (batch.Count == 0 || tokens + _documents[order[at]].Ids.Length <= TokensTogether); at++)
            {
                batch.Add(_documents[order[at]]);
                tokens += batch[^1].Ids.Length;
            }

            var hook = new Rows(_model.Engine, wanted, batch, from - start);
            _model.Forward(new TokenBatch([.. batch.Select(d => d.Ids)]), new ForwardOptions { Hook = hook, LastLayer = last, Logits = LogitsWanted.None }, cancel).Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    // documents in the order of a pass, and the row at which each begins
    private (int[] Order, long[] Starts) Pass(int epoch)
    {
        if (_pass is { } held && held.Epoch == epoch) return (held.Order, held.Starts);
        int[] order = [.. Enumerable.Range(0, _documents.Count).Where(i => _documents[i].Positions > 0)];
        new Prng(_seed, (ulong)epoch).Shuffle(order.AsSpan());
        var starts = new long[order.Length];
        for (var i = 1; i < order.Length; i++) starts[i] = starts[i - 1] + _documents[order[i - 1]].Positions;
        _pass = (epoch, order, starts);
        return (order, starts);
    }

    private static string Fingerprint(IReadOnlyList<TokenDocument> documents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var document in documents)
        {
            hash.AppendData(MemoryMarshal.AsBytes<int>([document.Ids.Length, document.FirstPosition]));
            hash.AppendData(MemoryMarshal.AsBytes(document.Ids.AsSpan()));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    // copies what counts of every document to its rows; documents may begin before the first row, or end after the last
    private sealed class Rows(ITensorEngine engine, Dictionary<SiteAddress, Tensor> wanted, List<TokenDocument> documents, long firstRow) : ISiteHook
    {
        public bool Wants(SiteAddress at) => wanted.ContainsKey(at);

        public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
        {
            var target = wanted[at];
            var row = firstRow;
            for (var i = 0; i < documents.Count; i++)
            {
                var (first, count) = (documents[i].FirstPosition, documents[i].Positions);
                var skip = (int)Math.Clamp(-row, 0, count);
                var take = (int)Math.Min(count - skip, target.Shape[0] - (row + skip));
                if (take > 0) engine.Copy(x_TD.Rows(batch.Rows[i].Token + first + skip, take), target.Rows((int)(row + skip), take));
                row += count;
            }
        }
    }
}
