using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>What an SAE does on a text it was not trained on (METHODS 9).</summary>
/// <param name="Info">The SAE.</param>
/// <param name="Tokens">Tokens measured; BOS is left out.</param>
/// <param name="MeanL0">Active features of a token.</param>
/// <param name="ExplainedVariance">1 − Var(x̂ − x)/Var(x): variances summed over coordinates, the error centred, so that a constant error is free.</param>
/// <param name="ExplainedVarianceUncentred">1 − Σ|x̂ − x|²/Σ|x − mean x|².</param>
/// <param name="MeanSquaredError">Mean of |x̂ − x|² over tokens.</param>
/// <param name="DeadShare">Features that are active at none of the tokens.</param>
/// <param name="Frequency_F">Share of the tokens at which each feature is active.</param>
/// <param name="DeltaLoss">Rise of the mean next-token cross-entropy when the reconstruction takes the place of the activations, in nats; null when not measured.</param>
/// <param name="BaseLoss">Cross-entropy of the untouched model; null when not measured.</param>
public sealed record SaeMeasures(
    SaeInfo Info,
    long Tokens,
    double MeanL0,
    double ExplainedVariance,
    double ExplainedVarianceUncentred,
    double MeanSquaredError,
    double DeadShare,
    IReadOnlyList<float> Frequency_F,
    double? DeltaLoss = null,
    double? BaseLoss = null)
{
    /// <summary>L0 that the release declares, when it does.</summary>
    public double? DeclaredL0 => Info.DeclaredL0;

    /// <summary>Measured over declared L0: far from 1 means another text, or a threshold read in the wrong frame.</summary>
    public double? L0Ratio => DeclaredL0 is > 0 and { } declared ? MeanL0 / declared : null;
}

/// <summary>Measures SAEs on activations, any number of them in one pass.</summary>
public sealed class SaeEvaluation
{
    private const int TokensTogether = 2048;

    private readonly ITensorEngine _engine;
    private readonly IReadOnlyList<Sae> _saes;
    private readonly Sums[] _sums;

    /// <summary>Begins; the SAEs stay the caller's.</summary>
    public SaeEvaluation(ITensorEngine engine, IReadOnlyList<Sae> saes)
    {
        (_engine, _saes) = (engine, saes);
        _sums = [.. saes.Select(s => new Sums(s.Info))];
    }

    /// <summary>Measures on the first pass over a source, without losses.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="source">The activations.</param>
    /// <param name="saes">Each with a site and layer of the source; no transcoders.</param>
    /// <param name="most">At most so many tokens.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF3103: the source lacks the place of an SAE.</exception>
    public static IReadOnlyList<SaeMeasures> Measure(ITensorEngine engine, IActivationSource source, IReadOnlyList<Sae> saes, long most = long.MaxValue, CancellationToken cancel = default)
    {
        var evaluation = new SaeEvaluation(engine, saes);
        var places = saes.Select(s => source.Place(s.Address())).ToArray();
        var tokens = Math.Min(most, source.RowsPerEpoch);
        for (long start = 0; start < tokens; start += TokensTogether)
        {
            var rows = (int)Math.Min(TokensTogether, tokens - start);
            var x = source.Sites.Select((s, i) => places.Contains(i) ? engine.Allocate(DType.F32, rows, s.Width) : null).ToArray();
            source.Read(0, start, x, cancel);
            for (var i = 0; i < saes.Count; i++) evaluation.Add(i, x[places[i]]!, x[places[i]]!, cancel);
            foreach (var tensor in x) tensor?.Dispose();
        }

        return evaluation.Results();
    }

    /// <summary>
    /// Measures in the model that the SAEs are of: figures of the activations, and the loss with each SAE on its own in the model's place. BOS keeps its true state; losses are
    /// those of predictions made at counted positions (METHODS 9).
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="documents">Texts that the SAEs were not trained on.</param>
    /// <param name="saes">Transcoders too: they read the MLP's input and are held against its output.</param>
    /// <param name="losses">False to leave the losses out: one pass over the text instead of one more for every SAE.</param>
    /// <param name="progress">Told the share of the work done, or null.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF3103: the model lacks the place of an SAE; FF3111: an SAE does not say its place; FF3113: it is of another width.</exception>
    public static IReadOnlyList<SaeMeasures> Measure(LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<Sae> saes, bool losses = true, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        var (engine, evaluation) = (model.Engine, new SaeEvaluation(model.Engine, saes));
        var places = saes.Select(s => SaePlace.Of(s, model)).ToArray();
        double baseLoss = 0;
        var spliced = new double[saes.Count];
        long predictions = 0;
        var batches = DocumentBatches.Of(documents, TokensTogether);
        for (var b = 0; b < batches.Count; b++)
        {
            var batch = new TokenBatch([.. batches[b].Select(d => d.Ids)]);
            int[] counted = [.. DocumentBatches.Counted(batch, batches[b], last: true)], predicting = [.. DocumentBatches.Counted(batch, batches[b], last: false)];
            var capture = new SiteCapture(engine, places.SelectMany(p => new[] { p.Reads, p.Writes }));
            if (losses) baseLoss += Sum(model.TokenLosses(batch, capture, cancel), predicting);
            else model.Forward(batch, new ForwardOptions { Hook = capture, Logits = LogitsWanted.None, LastLayer = places.Max(p => p.Writes.Layer) }, cancel).Dispose();
            predictions += predicting.Length;
            for (var i = 0; i < saes.Count && counted.Length > 0; i++)
            {
                using Tensor reads = Gathered(capture.Captured[places[i].Reads]), writes = Gathered(capture.Captured[places[i].Writes]);
                evaluation.Add(i, reads, writes, cancel);
                if (losses) spliced[i] += Sum(model.TokenLosses(batch, new Splice(engine, saes[i], places[i], counted, cancel), cancel), predicting);
                progress?.Report((b + (i + 1.0) / saes.Count) / batches.Count);
            }

            Tensor Gathered(Tensor x_TD)
            {
                var rows = Tensor.Allocate(DType.F32, counted.Length, x_TD.Shape[1]);
                engine.GatherRows(x_TD, counted, rows);
                return rows;
            }
        }

        var results = evaluation.Results();
        return losses && predictions > 0 ? [.. results.Select((r, i) => r with { BaseLoss = baseLoss / predictions, DeltaLoss = (spliced[i] - baseLoss) / predictions })] : results;

        static double Sum(float[] values, int[] places)
        {
            double sum = 0;
            foreach (var place in places) sum += values[place];
            return sum;
        }
    }

    /// <summary>Some more tokens of one SAE: what it reads, and what its output is held against (the same but for transcoders).</summary>
    public void Add(int index, Tensor input_ND, Tensor target_ND, CancellationToken cancel = default)
    {
        var (sae, rows) = (_saes[index], input_ND.Shape[0]);
        using var z_NF = _engine.Allocate(DType.F32, rows, sae.Info.FeatureCount);
        using var recon_ND = _engine.Allocate(DType.F32, rows, sae.Info.OutputWidth);
        using var active_F = _engine.Allocate(DType.F32, sae.Info.FeatureCount);
        sae.Encode(_engine, input_ND, z_NF, cancel);
        sae.Decode(_engine, z_NF, input_ND, recon_ND, cancel);
        _engine.CountNonZeros(z_NF, active_F);
        using Tensor target = Host(target_ND), recon = Host(recon_ND);
        _sums[index].Add(target.AsSpan<float>(), recon.AsSpan<float>(), HostValues.Read(_engine, active_F), rows);
    }

    /// <summary>The figures so far.</summary>
    public IReadOnlyList<SaeMeasures> Results() => [.. _sums.Select(s => s.Result())];

    private Tensor Host(Tensor tensor)
    {
        var host = Tensor.Allocate(DType.F32, tensor.Shape);
        _engine.Copy(tensor, host);
        return host;
    }

    // where an SAE reads and what it stands for: a transcoder reads one site and writes another
    private readonly record struct SaePlace(SiteAddress Reads, SiteAddress Writes)
    {
        public static SaePlace Of(Sae sae, LanguageModel model)
        {
            var reads = sae.Address();
            if ((uint)reads.Layer >= (uint)model.Config.Layers) throw SaeErrors.NoSuchSite(reads, [string.Create(System.Globalization.CultureInfo.InvariantCulture, $"layers 0 to {model.Config.Layers - 1}")]);
            var writes = sae.Info.IsTranscoder ? reads with { Site = Site.Mlp } : reads;
            foreach (var (site, width) in new[] { (reads, sae.Info.InputWidth), (writes, sae.Info.OutputWidth) })
            {
                if (model.Config.WidthAt(site.Site) != width) throw SaeErrors.OtherModel(sae.Info.Path, site, width, model.Config.WidthAt(site.Site));
            }

            return new SaePlace(reads, writes);
        }
    }

    // puts the reconstruction where the activations are
    private sealed class Splice(ITensorEngine engine, Sae sae, SaePlace place, int[] counted, CancellationToken cancel) : ISiteHook
    {
        private Tensor? _recon_ND;

        public bool Wants(SiteAddress at) => at == place.Reads || at == place.Writes;

        public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
        {
            if (at == place.Reads)
            {
                using var rows_ND = engine.Allocate(DType.F32, counted.Length, x_TD.Shape[1]);
                using var z_NF = engine.Allocate(DType.F32, counted.Length, sae.Info.FeatureCount);
                _recon_ND = engine.Allocate(DType.F32, counted.Length, sae.Info.OutputWidth);
                engine.GatherRows(x_TD, counted, rows_ND);
                sae.Encode(engine, rows_ND, z_NF, cancel);
                sae.Decode(engine, z_NF, rows_ND, _recon_ND, cancel);
            }

            if (at != place.Writes) return;
            for (int i = 0, n; i < counted.Length; i += n)
            {
                // counted tokens come in runs
                for (n = 1; i + n < counted.Length && counted[i + n] == counted[i] + n; n++)
                {
                }

                engine.Copy(_recon_ND!.Rows(i, n), x_TD.Rows(counted[i], n));
            }

            _recon_ND!.Dispose();
        }
    }

    // moments about the first token's values, in float64: variances of coordinates with a large mean keep their digits
    private sealed class Sums(SaeInfo info)
    {
        private readonly double[] _sum = new double[info.OutputWidth], _squares = new double[info.OutputWidth], _error = new double[info.OutputWidth], _errorSquares = new double[info.OutputWidth];
        private readonly double[] _active = new double[info.FeatureCount];
        private float[]? _origin;
        private long _tokens;

        public void Add(ReadOnlySpan<float> x, ReadOnlySpan<float> recon, double[] active, int rows)
        {
            if (rows == 0) return;
            var d = _sum.Length;
            _origin ??= x[..d].ToArray();
            for (var t = 0; t < rows; t++)
            {
                var (a, b) = (t * d, 0);
                for (; b < d; a++, b++)
                {
                    var v = (double)x[a] - _origin[b];
                    var e = (double)recon[a] - x[a];
                    _sum[b] += v;
                    _squares[b] += v * v;
                    _error[b] += e;
                    _errorSquares[b] += e * e;
                }
            }

            for (var f = 0; f < active.Length; f++) _active[f] += active[f];
            _tokens += rows;
        }

        public SaeMeasures Result()
        {
            double n = Math.Max(1, _tokens), variance = 0, errorVariance = 0, error = 0;
            for (var i = 0; i < _sum.Length; i++)
            {
                variance += _squares[i] - _sum[i] * _sum[i] / n;
                errorVariance += _errorSquares[i] - _error[i] * _error[i] / n;
                error += _errorSquares[i];
            }

            return new SaeMeasures(
                info,
                _tokens,
                _active.Sum() / n,
                1 - errorVariance / variance,
                1 - error / variance,
                error / n,
                _active.Count(a => a == 0) / (double)_active.Length,
                [.. _active.Select(a => (float)(a / n))]);
        }
    }
}
