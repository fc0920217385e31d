using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>Finds the evidence of features: one pass over texts for all of them.</summary>
public static class EvidenceSearch
{
    private const int TokensTogether = 2048;

    /// <summary>The evidence of features of some SAEs of a model, SAE by SAE in the order given.</summary>
    /// <param name="model">The model.</param>
    /// <param name="documents">Texts; BOS takes part and never counts.</param>
    /// <param name="saes">Each with the features asked for.</param>
    /// <param name="text">A token as shown to people: <c>Tokenizer.Piece</c>.</param>
    /// <param name="options">How much.</param>
    /// <param name="progress">Told the share of the work done, or null.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF3111, FF3113: an SAE of no known place, or of another model.</exception>
    public static IReadOnlyList<FeatureEvidence> Find(
        LanguageModel model,
        IReadOnlyList<TokenDocument> documents,
        IReadOnlyList<(Sae Sae, IReadOnlyList<int> Features)> saes,
        Func<int, string> text,
        EvidenceOptions? options = null,
        IProgress<double>? progress = null,
        CancellationToken cancel = default)
    {
        options ??= new EvidenceOptions();
        var seekers = saes.Select(s => new Seeker(model, s.Sae, s.Features, options)).ToList();
        long tokens = 0, all = Math.Max(1, documents.Sum(d => (long)d.Positions));
        for (var at = 0; at < documents.Count;)
        {
            var together = new List<TokenDocument>();
            for (var count = 0; at < documents.Count && (together.Count == 0 || count + documents[at].Ids.Length <= TokensTogether); at++)
            {
                count += documents[at].Ids.Length;
                if (documents[at].Ids.Length > 0) together.Add(documents[at]);
            }

            if (together.Count == 0) continue;
            var batch = new TokenBatch([.. together.Select(d => d.Ids)]);
            var capture = new SiteCapture(model.Engine, seekers.Select(s => s.Address));
            model.Forward(batch, new ForwardOptions { Hook = capture, Logits = LogitsWanted.None, LastLayer = seekers.Max(s => s.Address.Layer) }, cancel).Dispose();
            foreach (var seeker in seekers) seeker.See(capture.Captured[seeker.Address], batch, together, text, cancel);
            tokens += together.Sum(d => (long)d.Positions);
            progress?.Report((double)tokens / all);
        }

        return [.. seekers.SelectMany(s => s.Results(model, text, tokens, cancel))];
    }

    /// <summary>What is found for one SAE.</summary>
    private sealed class Seeker
    {
        private readonly Sae _sae;
        private readonly IReadOnlyList<int> _features;
        private readonly EvidenceOptions _options;
        private readonly ITensorEngine _engine;
        private readonly List<FeatureContext>[] _contexts;
        private readonly long[] _active;

        public Seeker(LanguageModel model, Sae sae, IReadOnlyList<int> features, EvidenceOptions options)
        {
            (_sae, _features, _options, _engine) = (sae, features, options, model.Engine);
            Address = Training.ActivationSources.Address(sae);
            if ((uint)Address.Layer >= (uint)model.Config.Layers || model.Config.WidthAt(Address.Site) != sae.Info.InputWidth)
                throw SaeErrors.OtherModel(sae.Info.Path, Address, sae.Info.InputWidth, (uint)Address.Layer < (uint)model.Config.Layers ? model.Config.WidthAt(Address.Site) : 0);
            foreach (var f in features)
            {
                if ((uint)f >= (uint)sae.Info.FeatureCount) throw SaeErrors.NoFeature(sae.Info.Path, f, sae.Info.FeatureCount);
            }

            _contexts = [.. features.Select(_ => new List<FeatureContext>())];
            _active = new long[features.Count];
        }

        public SiteAddress Address { get; }

        public void See(Tensor x_TD, TokenBatch batch, List<TokenDocument> documents, Func<int, string> text, CancellationToken cancel)
        {
            var features = _sae.Info.FeatureCount;
            using var z_TF = _engine.Allocate(DType.F32, batch.Count, features);
            using var host = Tensor.Allocate(DType.F32, batch.Count, features);
            _sae.Encode(_engine, x_TD, z_TF, cancel);
            _engine.Copy(z_TF, host);
            var z = host.AsSpan<float>();
            for (var d = 0; d < documents.Count; d++)
            {
                var (start, document) = (batch.Rows[d].Token, documents[d]);
                for (var i = 0; i < _features.Count; i++)
                {
                    var (best, place) = (0f, -1);
                    for (var t = document.FirstPosition; t < document.Ids.Length; t++)
                    {
                        var value = z[(int)((long)(start + t) * features + _features[i])];
                        if (value <= 0) continue;
                        _active[i]++;
                        if (value > best) (best, place) = (value, t);
                    }

                    var kept = _contexts[i];
                    if (place < 0 || kept.Count == _options.Contexts && best <= kept[^1].Activation) continue;
                    var at = kept.Count;
                    while (at > 0 && kept[at - 1].Activation < best) at--;
                    kept.Insert(at, Context(z, start, document, _features[i], place, best, text));
                    if (kept.Count > _options.Contexts) kept.RemoveAt(_options.Contexts);
                }
            }
        }

        public IEnumerable<FeatureEvidence> Results(LanguageModel model, Func<int, string> text, long tokens, CancellationToken cancel)
        {
            var effects = TokenEffects.Of(model, _sae, _features, _options.Tokens, text, cancel);
            for (var i = 0; i < _features.Count; i++)
            {
                yield return new FeatureEvidence(
                    Address.Layer, Address.Site.Name(), _features[i], tokens > 0 ? (double)_active[i] / tokens : 0, _contexts[i].Count > 0 ? _contexts[i][0].Activation : 0,
                    effects[i].Promoted, effects[i].Suppressed, _contexts[i]);
            }
        }

        private FeatureContext Context(ReadOnlySpan<float> z, int start, TokenDocument document, int feature, int place, float activation, Func<int, string> text)
        {
            var first = Math.Max(document.FirstPosition, place - _options.Window);
            var last = Math.Min(document.Ids.Length - 1, place + _options.Window);
            var tokens = new List<ContextToken>();
            for (var t = first; t <= last; t++) tokens.Add(new ContextToken(text(document.Ids[t]), z[(int)((long)(start + t) * _sae.Info.FeatureCount + feature)]));
            return new FeatureContext(document.Source, place, activation, place - first, tokens);
        }
    }
}
