using System.Collections.Concurrent;
using FeatureFlow.Models.Checkpoints;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Models.Transformers;
using FeatureFlow.Models.Transformers.Architectures;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// A language model of a Hugging Face checkpoint, its weights mapped and used in their stored type, every site readable and writable. Safe for several
/// threads, each with its own cache.
/// </summary>
public sealed partial class LanguageModel : IDisposable
{
    private static readonly IArchitecture[] Architectures = [new Gemma2(), new Llama(), new Gpt2(), new GptNeoX()];

    private static readonly Site[] EverySite = Enum.GetValues<Site>();

    private const long MostKept = 16L << 20; // logits that the next pass finds room in

    private readonly Checkpoint _checkpoint;
    private readonly Transformer _transformer;
    private readonly ConcurrentBag<Workspace> _spaces = [];
    private readonly Lazy<Tokenizer> _tokenizer;

    private LanguageModel(Checkpoint checkpoint, Transformer transformer, ITensorEngine engine)
    {
        _checkpoint = checkpoint;
        _transformer = transformer;
        Engine = engine;
        _tokenizer = new Lazy<Tokenizer>(() => Tokenizer.Load(checkpoint.Folder));
    }

    /// <summary>Families that open.</summary>
    public static IReadOnlyList<string> Families { get; } = [.. Architectures.Select(a => a.Family)];

    /// <summary>Its folder, full path.</summary>
    public string Folder => _checkpoint.Folder;

    /// <summary>Its extents.</summary>
    public ModelConfig Config => _transformer.Config;

    /// <summary>The engine it computes with.</summary>
    public ITensorEngine Engine { get; }

    /// <summary>Its tokenizer, read when first asked for.</summary>
    /// <exception cref="FeatureFlowException">FF21xx: none, or one that is not supported.</exception>
    public Tokenizer Tokenizer => _tokenizer.Value;

    /// <summary>Opens a folder, or a model of the local Hugging Face cache by its id; reads headers only.</summary>
    /// <exception cref="FeatureFlowException">FF22xx: not a checkpoint, not a supported family, or weights missing or of another shape; FF20xx: unreadable files.</exception>
    public static LanguageModel Open(string folderOrId, ITensorEngine engine)
    {
        var checkpoint = Checkpoint.Open(folderOrId);
        try
        {
            var family = checkpoint.Config.Need(checkpoint.Config.Text("model_type"), "model_type");
            var architecture = Array.Find(Architectures, a => a.Family == family) ?? throw ModelErrors.UnknownArchitecture(checkpoint.Config.Path, family, Families);
            return new LanguageModel(checkpoint, architecture.Build(checkpoint, engine), engine);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>An empty cache for so many rows.</summary>
    public KvCache NewCache(int rows, int capacity = 64) => new(Engine, Config.Layers, Config.KeyValueHeads * Config.HeadWidth, rows, capacity);

    /// <summary>Runs a batch through the layers.</summary>
    /// <exception cref="FeatureFlowException">FF2210: a token that the model does not have; FF2211: too many positions; FF2213, FF2215: a start or an end that does not exist.</exception>
    public ForwardResult Forward(TokenBatch batch, ForwardOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new ForwardOptions();
        var last = options.LastLayer ?? Config.Layers - 1;
        Check(batch, options, last);
        var space = _spaces.TryTake(out var free) ? free : new Workspace(Engine);
        try
        {
            var resid_TD = space.Take("resid", batch.Count, Config.Width);
            Tensor? logits = null, large = null;
            if (options.FirstLayer > 0) Engine.Copy(options.Resid_TD!, resid_TD);
            else Embed(batch, resid_TD);
            RunLayers(batch, options, last, resid_TD, space, cancel);
            if (last == Config.Layers - 1 && options.Logits != LogitsWanted.None)
            {
                var ends_TD = options.Logits == LogitsWanted.All ? resid_TD : Ends(batch, resid_TD, space);
                var rows = ends_TD.Shape[0];
                if ((long)rows * Config.Vocabulary > MostKept) large = Engine.Allocate(DType.F32, rows, Config.Vocabulary);
                logits = large ?? space.Take("logits", rows, Config.Vocabulary);
                try
                {
                    Unembed(ends_TD, logits, space, cancel);
                }
                catch
                {
                    large?.Dispose();
                    throw;
                }
            }

            // the memory goes with the result, and comes back when that is disposed
            return new ForwardResult(resid_TD, logits, () =>
            {
                large?.Dispose();
                _spaces.Add(space);
            });
        }
        catch
        {
            _spaces.Add(space);
            throw;
        }
    }

    /// <summary>
    /// Cross-entropy in nats of every token under the prediction made one position before it, never holding the logits of a whole batch.
    /// </summary>
    /// <returns>[T]: entry t is the loss of token t + 1 of its row; 0 at the last token of a row.</returns>
    public float[] TokenLosses(TokenBatch batch, ISiteHook? hook = null, CancellationToken cancel = default)
    {
        const int together = 256;
        using var pass = Forward(batch, new ForwardOptions { Hook = hook, Logits = LogitsWanted.None }, cancel);
        var next = new int[batch.Count];
        foreach (var row in batch.Rows)
        {
            for (var i = 0; i < row.Count; i++) next[row.Token + i] = i + 1 < row.Count ? batch.Ids[row.Token + i + 1] : -1;
        }

        var space = _spaces.TryTake(out var free) ? free : new Workspace(Engine);
        try
        {
            var losses = new float[batch.Count];
            using var host = Tensor.Allocate(DType.F32, together);
            for (var t = 0; t < batch.Count; t += together)
            {
                var n = Math.Min(together, batch.Count - t);
                var logits_TV = space.Take("logits", n, Config.Vocabulary);
                var loss_T = space.Take("loss", 1, n).Reshape(n);
                Unembed(pass.Resid_TD.Rows(t, n), logits_TV, space, cancel);
                Engine.CrossEntropy(logits_TV, next.AsSpan(t, n), loss_T);
                Engine.Copy(loss_T, host.Rows(0, n));
                host.AsSpan<float>()[..n].CopyTo(losses.AsSpan(t));
            }

            return losses;
        }
        finally
        {
            _spaces.Add(space);
        }
    }

    /// <summary>Logits of residual-stream vectors, as after the last layer: final norm, unembedding, soft cap. Also the logit lens.</summary>
    /// <param name="resid_TD">[T, D].</param>
    /// <param name="logits_TV">[T, V], overwritten.</param>
    /// <param name="normalize">False to leave out the final norm, as for single directions.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public void Unembed(Tensor resid_TD, Tensor logits_TV, bool normalize = true, CancellationToken cancel = default)
    {
        var space = _spaces.TryTake(out var free) ? free : new Workspace(Engine);
        try
        {
            Unembed(resid_TD, logits_TV, space, cancel, normalize);
        }
        finally
        {
            _spaces.Add(space);
        }
    }

    /// <summary>The final norm alone: resid_post of the last layer as the unembedding sees it.</summary>
    /// <param name="resid_TD">[T, D].</param>
    /// <param name="normed_TD">[T, D], overwritten; may be the same.</param>
    public void FinalNorm(Tensor resid_TD, Tensor normed_TD) => _transformer.FinalNorm.Apply(Engine, resid_TD, normed_TD);

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_spaces.TryTake(out var space)) space.Dispose();
        _transformer.Dispose();
        _checkpoint.Dispose();
    }

    private void Embed(TokenBatch batch, Tensor resid_TD)
    {
        Engine.GatherRows(_transformer.Embedding_VD, batch.Ids, resid_TD, _transformer.EmbeddingFactor);
        if (_transformer.Positions_PD is { } positions_PD) Engine.GatherRows(positions_PD, batch.Positions, resid_TD, accumulate: true);
    }

    private void RunLayers(TokenBatch batch, ForwardOptions options, int last, Tensor x_TD, Workspace space, CancellationToken cancel)
    {
        int tokens = batch.Count, width = Config.Width;
        var normed_TD = space.Take("normed", tokens, width);
        var z_TN = space.Take("z", tokens, Config.Heads * Config.HeadWidth);
        var att_TD = space.Take("att", tokens, width);
        var mlp_TD = space.Take("mlp", tokens, width);
        var longest = 0;
        foreach (var row in batch.Rows) longest = Math.Max(longest, row.Position + row.Count);
        options.Cache?.Reserve(longest);

        for (var l = options.FirstLayer; l <= last; l++)
        {
            cancel.ThrowIfCancellationRequested();
            var at = l;
            if (options.Hook is not null && Array.Exists(EverySite, site => Wanted(at, site))) RunLayer(at);
            else Engine.Together(() => RunLayer(at));
        }

        options.Cache?.Advance(batch.Rows);

        // what lies between two sites is one turn; the whole layer where nobody looks
        void RunLayer(int l)
        {
            var layer = _transformer.Layers[l];
            Show(l, Site.ResPre, x_TD);
            Engine.Together(() =>
            {
                layer.AttentionNorm.Apply(Engine, x_TD, normed_TD);
                layer.Attention.Apply(Engine, normed_TD, _transformer.Rotary, batch, options.Cache?.Layer(l) ?? Own(), z_TN, space, cancel);
            });
            Show(l, Site.AttZ, z_TN);
            Engine.Together(() =>
            {
                layer.Attention.Output.Apply(Engine, z_TN, att_TD, cancel);
                layer.AfterAttention?.Apply(Engine, att_TD, att_TD);
            });
            Show(l, Site.Att, att_TD);
            Engine.Together(() =>
            {
                // side by side, the MLP reads the layer's input; one after the other, what attention has made of it
                if (!layer.Parallel) Engine.Add(x_TD, att_TD, x_TD);
                layer.MlpNorm.Apply(Engine, x_TD, normed_TD);
            });
            Show(l, Site.Tc, normed_TD);
            Engine.Together(() =>
            {
                layer.Mlp.Apply(Engine, normed_TD, mlp_TD, space, cancel);
                layer.AfterMlp?.Apply(Engine, mlp_TD, mlp_TD);
            });
            Show(l, Site.Mlp, mlp_TD);
            Engine.Together(() =>
            {
                if (layer.Parallel) Engine.Add(x_TD, att_TD, x_TD);
                Engine.Add(x_TD, mlp_TD, x_TD);
            });
            Show(l, Site.Res, x_TD);
        }

        bool Wanted(int l, Site site) => options.Hook?.Wants(new SiteAddress(l, site)) == true;

        void Show(int l, Site site, Tensor activations)
        {
            if (Wanted(l, site)) options.Hook!.Visit(new SiteAddress(l, site), activations, batch);
        }

        (Tensor, Tensor) Own()
        {
            var wide = Config.KeyValueHeads * Config.HeadWidth;
            var rows = batch.Rows.Length;
            return (space.Take("keys", rows * longest, wide).Reshape(rows, longest, wide), space.Take("values", rows * longest, wide).Reshape(rows, longest, wide));
        }
    }

    private Tensor Ends(TokenBatch batch, Tensor resid_TD, Workspace space)
    {
        var ends = new int[batch.Rows.Length];
        for (var i = 0; i < ends.Length; i++) ends[i] = batch.Rows[i].Token + batch.Rows[i].Count - 1;
        var ends_TD = space.Take("ends", ends.Length, Config.Width);
        Engine.GatherRows(resid_TD, ends, ends_TD);
        return ends_TD;
    }

    private void Unembed(Tensor resid_TD, Tensor logits_TV, Workspace space, CancellationToken cancel, bool normalize = true)
    {
        Engine.Together(() =>
        {
            var normed_TD = resid_TD;
            if (normalize)
            {
                normed_TD = space.Take("final", resid_TD.Shape[0], Config.Width);
                _transformer.FinalNorm.Apply(Engine, resid_TD, normed_TD);
            }

            _transformer.Unembedding.Apply(Engine, normed_TD, logits_TV, cancel);
            if (_transformer.FinalSoftCap > 0) Engine.SoftCap(logits_TV, _transformer.FinalSoftCap, logits_TV);
        });
    }

    private void Check(TokenBatch batch, ForwardOptions options, int last)
    {
        foreach (var layer in new[] { options.FirstLayer, last })
        {
            if ((uint)layer >= (uint)Config.Layers || last < options.FirstLayer) throw ModelErrors.NoSuchLayer(layer, Config.Layers);
        }

        foreach (var id in batch.Ids)
        {
            if ((uint)id >= (uint)Config.Vocabulary) throw ModelErrors.TokenOutside(id, Config.Vocabulary);
        }

        foreach (var row in batch.Rows)
        {
            if (_transformer.Positions_PD is { } table && row.Position + row.Count > table.Shape[0]) throw ModelErrors.TooLong(row.Position + row.Count, table.Shape[0]);
            if (options.Cache is { } cache && (row.Row >= cache.Rows || row.Position != cache.Lengths[row.Row]))
                throw ModelErrors.CacheMismatch($"row {row.Row} goes on at position {row.Position}, and the cache holds {(row.Row < cache.Rows ? cache.Lengths[row.Row] : -1)}");
            if (options.Cache is null && row.Position != 0) throw ModelErrors.CacheMismatch("the batch goes on from earlier tokens, and there is no cache");
        }

        if (options.FirstLayer == 0) return;
        var wanted = $"[{batch.Count},{Config.Width}]";
        if (options.Resid_TD is not { } resid) throw ModelErrors.ResidShape("absent", wanted);
        if (!resid.Shape.SequenceEqual([batch.Count, Config.Width])) throw ModelErrors.ResidShape(resid.ToString(), wanted);
    }
}
