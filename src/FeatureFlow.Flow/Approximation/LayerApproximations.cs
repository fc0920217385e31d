using System.Globalization;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// Hidden states approximated from the layer before (METHODS 5; SAE Match, section 5.5, appendices A and B; Feature Flow, appendix F): the four substitutes, MSE quantiles and
/// transition maps, their explained variance and the rise of the loss when they stand in for the state of the next layer.
/// </summary>
public static class LayerApproximations
{
    private const int TokensTogether = 2048;
    private const int MostBlocks = 200; // of documents, for intervals

    /// <summary>Measures all pairs of neighbouring residual layers in one pass over the texts.</summary>
    /// <param name="pack">A pack with residual SAEs at neighbouring layers.</param>
    /// <param name="model">Its model.</param>
    /// <param name="documents">Texts; BOS takes part in every pass, keeps its true state and is left out of every figure.</param>
    /// <param name="options">What is measured.</param>
    /// <param name="progress">Told what is being done.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4066: no such pair of layers; FF4067: an SAE that normalises its input; FF3113: of another model.</exception>
    public static ApproximationResult Measure(
        OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, ApproximationOptions? options = null, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        options ??= new ApproximationOptions();
        var pairs = Pairs(pack, options);
        var leases = pack.Pack.Saes.OrderBy(s => s.Layer).ThenBy(s => Order(s.Site)).Select(s => (Place: new Place(s.Layer, s.Site), Lease: pack.Lease(s.Layer, s.Site))).ToList();
        try
        {
            var saes = leases.Where(l => l.Place.Site is Site.Res or Site.Mlp or Site.Att && model.Config.WidthAt(l.Place.Site) == l.Lease.Sae.Info.InputWidth).ToDictionary(l => l.Place, l => l.Lease.Sae);
            var means = Means(pack, model, documents, pairs, options, progress, cancel);
            var blocks = Math.Clamp(documents.Count, 1, MostBlocks);
            var steps = new List<LayerStep>();
            foreach (var layer in pairs)
            {
                progress?.Report(new FlowProgress(FormattableString.Invariant($"matching layer {layer} with {layer + 1}"), 0.2 * steps.Count / pairs.Count));
                steps.Add(new LayerStep(model.Engine, layer, saes[new Place(layer, Site.Res)], saes[new Place(layer + 1, Site.Res)], options, means, blocks, cancel));
            }

            var statistics = saes.Select(s => new SaeStatistics(s.Key, s.Value)).ToList();
            var losses = new BlockLosses(blocks);
            long tokens = 0;
            var read = 0; // documents, of those that have tokens
            var batches = DocumentBatches.Of(documents, TokensTogether);
            for (var b = 0; b < batches.Count; b++)
            {
                var batch = new TokenBatch([.. batches[b].Select(d => d.Ids)]);
                int[] counted = [.. DocumentBatches.Counted(batch, batches[b], last: true)], predicting = [.. DocumentBatches.Counted(batch, batches[b], last: false)];
                var blockOf = batches[b].SelectMany((d, i) => Enumerable.Repeat((int)((long)(read + i) * blocks / documents.Count), d.Ids.Length)).ToArray();
                read += batches[b].Count;
                int[] rowBlock = [.. counted.Select(t => blockOf[t])];
                var capture = new SiteCapture(model.Engine, saes.Keys.Select(p => new SiteAddress(p.Layer, p.Site)));
                if (options.Losses) losses.Add(model.TokenLosses(batch, capture, cancel), predicting, blockOf, count: true);
                else model.Forward(batch, new ForwardOptions { Hook = capture, Logits = LogitsWanted.None }, cancel).Dispose();
                if (counted.Length == 0) continue;
                tokens += counted.Length;
                var active = new Dictionary<Place, Tensor>();
                foreach (var of in statistics) active[of.Place] = of.Add(model.Engine, Gathered(of.Place), cancel);
                foreach (var step in steps)
                {
                    Place from = new(step.Layer, Site.Res), to = new(step.Layer + 1, Site.Res);
                    step.Add(
                        Gathered(from), Gathered(to), active[from], active[to], rowBlock,
                        options.Losses ? (x_ND, sums) => sums.Add(model.TokenLosses(batch, new Substitution(model.Engine, new SiteAddress(to.Layer, Site.Res), counted, x_ND), cancel), predicting, blockOf) : null, cancel);
                }

                foreach (var z in active.Values) z.Dispose();
                progress?.Report(new FlowProgress("approximating", 0.2 + (0.8 * (b + 1) / batches.Count)));

                Tensor Gathered(Place place)
                {
                    var rows = Tensor.Allocate(DType.F32, counted.Length, model.Config.WidthAt(place.Site));
                    model.Engine.GatherRows(capture.Captured[new SiteAddress(place.Layer, place.Site)], counted, rows);
                    return rows;
                }
            }

            double? untouched = options.Losses && losses.Predictions > 0 ? losses.Mean : null;
            return new ApproximationResult(
                tokens, untouched, [.. statistics.Select(s => s.Result())], [.. steps.SelectMany(s => s.Approximations(untouched is null ? null : losses))], [.. steps.SelectMany(s => s.Transitions())],
                [.. steps.Select(s => s.Map with { Pack = pack.Pack.Source, From = new Place(s.Layer, Site.Res).ToString(), To = new Place(s.Layer + 1, Site.Res).ToString() })]);
        }
        finally
        {
            foreach (var (_, lease) in leases) lease.Dispose();
        }
    }

    private static List<int> Pairs(OpenedPack pack, ApproximationOptions options)
    {
        var have = pack.Pack.Saes.Where(s => s.Site == Site.Res).Select(s => s.Layer).ToHashSet();
        var all = have.Where(l => have.Contains(l + 1)).Order().ToList();
        var wanted = options.Layers ?? all;
        foreach (var layer in wanted)
        {
            if (!all.Contains(layer)) throw FlowErrors.NoPair(pack.Pack, FormattableString.Invariant($"layers {layer} and {layer + 1}"));
        }

        return wanted.Count > 0 ? [.. wanted.Distinct().Order()] : throw FlowErrors.NoPair(pack.Pack, "two neighbouring layers");
    }

    private static int Order(Site site) => site switch { Site.Res => 0, Site.Mlp => 1, Site.Att => 2, _ => 3 };

    // mean positive activations, where they are what is folded by
    private static FeatureActivity? Means(OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, List<int> pairs, ApproximationOptions options, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (options.Fold != FoldRule.MeanActivation) return null;
        progress?.Report(new FlowProgress("reading texts", 0));
        return new FeatureActivity(pack, model, documents, pairs.SelectMany(l => new[] { l, l + 1 }).Distinct().Select(l => new SiteAddress(l, Site.Res)), null, cancel);
    }

    // puts given states where the model has its own
    private sealed class Substitution(ITensorEngine engine, SiteAddress place, int[] counted, Tensor states_ND) : ISiteHook
    {
        public bool Wants(SiteAddress at) => at == place;

        public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch) => engine.ScatterRows(states_ND, counted, x_TD);
    }
}

/// <summary>Sums of token losses by block of documents.</summary>
internal sealed class BlockLosses(int blocks)
{
    private readonly double[] _sums = new double[blocks];
    private readonly long[] _counts = new long[blocks];

    /// <summary>Predictions counted.</summary>
    public long Predictions => _counts.Sum();

    /// <summary>Mean loss; of a substitute by the counts of the untouched run.</summary>
    public double Mean => _sums.Sum() / Predictions;

    public void Add(float[] losses, int[] places, int[] blockOf, bool count = false)
    {
        foreach (var place in places)
        {
            _sums[blockOf[place]] += losses[place];
            if (count) _counts[blockOf[place]]++;
        }
    }

    /// <summary>The mean of a substitute's losses.</summary>
    public double MeanOf(BlockLosses substitute) => substitute._sums.Sum() / Predictions;

    /// <summary>Its rise above these, with an interval over blocks; null where there are too few.</summary>
    public Interval? Rise(BlockLosses substitute, Bootstrap bootstrap)
    {
        int[] used = [.. Enumerable.Range(0, blocks).Where(b => _counts[b] > 0)];
        return used.Length < 2 ? null : bootstrap.Ratio([.. used.Select(b => substitute._sums[b] - _sums[b])], [.. used.Select(b => (double)_counts[b])]) is { Known: true } found ? found : null;
    }
}

/// <summary>One pair of layers: its substitutes and what they came to so far.</summary>
internal sealed class LayerStep
{
    private readonly ITensorEngine _engine;
    private readonly List<Substitute> _substitutes = [];
    private readonly List<(string Map, string Inference, Substitute Substitute)> _transitions = [];
    private readonly Dictionary<string, MatchCount> _matching = [];
    private readonly Bootstrap _bootstrap;
    private readonly string _fold;

    public LayerStep(ITensorEngine engine, int layer, Sae from, Sae to, ApproximationOptions options, FeatureActivity? means, int blocks, CancellationToken cancel)
    {
        (_engine, Layer, _bootstrap) = (engine, layer, options.Bootstrap);
        foreach (var sae in new[] { from, to })
        {
            if (sae.Info.InputTransform != InputTransform.None || sae.Info.IsTranscoder) throw FlowErrors.NotAnApproximation(sae.Info.Path);
        }

        var how = new FeatureMapOptions { Cost = options.Cost, Fold = options.Fold, SourceMeans = means?.Means(new SiteAddress(layer, Site.Res)), TargetMeans = means?.Means(new SiteAddress(layer + 1, Site.Res)) };
        var (source, target) = (new DictionaryParameters(engine, FoldedSae.Of(engine, from, how.Fold, how.SourceMeans)), new DictionaryParameters(engine, FoldedSae.Of(engine, to, how.Fold, how.TargetMeans)));
        _fold = source.Folded.Rule.Name();
        Map = FeatureMapBuilder.Build(engine, from, to, how, cancel);
        var unfolded = FeatureMapBuilder.Build(engine, from, to, how with { Folded = false }, cancel);
        var width = to.Info.OutputWidth;
        Add("layer-drop", (x, _, _, into) => engine.Copy(x, into));
        Add("encode-decode-current", (_, _, next, into) => Reconstruct(to, next, into, cancel));
        Add("encode-decode-previous", (x, z, _, into) => from.Decode(engine, z, x, into, cancel));
        Translate("encode-permute-decode", Translation.Of(Map, source, target, folded: true), Map);
        Translate("encode-permute-decode-unfolded", Translation.Of(unfolded, source, target, folded: false), unfolded);
        int[] ranked = Ranked(source, target);
        foreach (var q in options.Quantiles)
        {
            var share = (int)Math.Floor((q * source.Count) + 0.5);
            var through = ranked.Take(share).ToHashSet();
            Translate(string.Create(CultureInfo.InvariantCulture, $"quantile-{q:0.0##}"), Translation.Of(Map, source, target, folded: true, p => through.Contains(p.Source)), null);
        }

        foreach (var (weighted, top) in options.TransitionTops.Select(k => (false, k)).Concat(options.TransitionTops.Select(k => (true, k))))
        {
            var map = FeatureMapBuilder.Build(engine, from, to, new FeatureMapOptions { Method = MapMethod.Cosine, Top = top, Weighted = weighted }, cancel);
            AddTransition(FormattableString.Invariant($"{(weighted ? "weighted" : "indicator")}-top{top}"), map);
        }

        AddTransition("permutation", Map);
        foreach (var kind in options.Permutations.Distinct())
        {
            var by = kind switch
            {
                PermutationKind.Decoder => how with { Cost = MatchCost.Decoder },
                PermutationKind.Encoder => how with { Cost = MatchCost.Encoder },
                PermutationKind.Both => how with { Cost = MatchCost.Both },
                _ => how with { Cost = MatchCost.Both, BiasWeight = 0 },
            };
            var name = kind == PermutationKind.DecoderEncoder ? "decoder-encoder" : kind.ToString().ToLowerInvariant();
            foreach (var folded in new[] { true, false })
                AddTransition($"permutation-{name}-{(folded ? "folded" : "unfolded")}", FeatureMapBuilder.Build(engine, from, to, by with { Folded = folded }, cancel));
        }

        void AddTransition(string name, FeatureMap map)
        {
            foreach (var folded in new[] { true, false })
            {
                var translation = Translation.Of(map, source, target, folded);
                _transitions.Add((name, folded ? "folded" : "plain", new Substitute(name, width, blocks, (_, z, _, into) => translation.Apply(engine, z, into, cancel))));
            }
        }

        void Translate(string name, Translation translation, FeatureMap? matched)
        {
            Add(name, (_, z, _, into) => translation.Apply(engine, z, into, cancel));
            if (matched is not null) _matching[name] = new MatchCount(matched);
        }

        void Add(string name, Make make) => _substitutes.Add(new Substitute(name, width, blocks, make));
    }

    /// <summary>x̂ [N,d] from x of layer t, its activations, and x of layer t+1.</summary>
    internal delegate void Make(Tensor x_ND, Tensor z_NF, Tensor next_ND, Tensor into_ND);

    public int Layer { get; }

    /// <summary>The folded permutation.</summary>
    public FeatureMap Map { get; }

    public void Add(Tensor x_ND, Tensor next_ND, Tensor z_NF, Tensor zNext_NF, int[] block_N, Action<Tensor, BlockLosses>? loss, CancellationToken cancel)
    {
        using var approximation = _engine.Allocate(DType.F32, next_ND.Shape);
        var truth = next_ND.AsSpan<float>();
        foreach (var substitute in _substitutes.Concat(_transitions.Select(t => t.Substitute)))
        {
            cancel.ThrowIfCancellationRequested();
            substitute.How(x_ND, z_NF, next_ND, approximation);
            using var host = Host(approximation);
            substitute.Moments.Add(truth, host.AsSpan<float>(), block_N);
            if (loss is not null && _substitutes.Contains(substitute)) loss(approximation, substitute.Losses);
        }

        foreach (var count in _matching.Values) count.Add(z_NF.AsSpan<float>(), zNext_NF.AsSpan<float>(), x_ND.Shape[0]);
    }

    public IEnumerable<LayerApproximation> Approximations(BlockLosses? untouched) => _substitutes.Select(s =>
    {
        var (centred, uncentred) = s.Moments.Explained();
        double? its = untouched?.MeanOf(s.Losses);
        var shares = _matching.GetValueOrDefault(s.Name)?.Shares();
        return new LayerApproximation(Layer, s.Name, centred, uncentred, its, its - untouched?.Mean, shares is { Count: > 0 } ? shares.Average() : null)
        {
            ExplainedVarianceInterval = s.Moments.Interval(_bootstrap),
            DeltaInterval = untouched?.Rise(s.Losses, _bootstrap),
            MatchingInterval = shares is { Count: > 1 } ? _bootstrap.Mean(shares) : null,
            Fold = _fold,
        };
    });

    public IEnumerable<TransitionApproximation> Transitions() =>
        _transitions.Select(t => new TransitionApproximation(Layer, t.Map, t.Inference, t.Substitute.Moments.Explained().Centred) { ExplainedVarianceInterval = t.Substitute.Moments.Interval(_bootstrap) });

    // sources by the folded decoder error of their pair, equal ones by index
    private int[] Ranked(DictionaryParameters source, DictionaryParameters target)
    {
        var d = source.Width(ParameterGroup.Decoder);
        var (a, b) = (new float[d], new float[d]);
        return [.. Map.Pairs.Select(p =>
        {
            source.Read(ParameterGroup.Decoder, [p.Source], a, d);
            target.Read(ParameterGroup.Decoder, [p.Target], b, d);
            return (p.Source, Error: PointCosts.Distance(a, b));
        }).OrderBy(p => p.Error).ThenBy(p => p.Source).Select(p => p.Source)];
    }

    private void Reconstruct(Sae sae, Tensor x_ND, Tensor into_ND, CancellationToken cancel)
    {
        using var z_NF = _engine.Allocate(DType.F32, x_ND.Shape[0], sae.Info.FeatureCount);
        sae.Encode(_engine, x_ND, z_NF, cancel);
        sae.Decode(_engine, z_NF, x_ND, into_ND, cancel);
    }

    private Tensor Host(Tensor tensor)
    {
        var host = Tensor.Allocate(DType.F32, tensor.Shape);
        _engine.Copy(tensor, host);
        return host;
    }

    private sealed class Substitute(string name, int width, int blocks, Make make)
    {
        public string Name => name;

        public Make How => make;

        public ErrorMoments Moments { get; } = new(width, blocks);

        public BlockLosses Losses { get; } = new(blocks);
    }

    // how often the matched feature is active with the feature
    private sealed class MatchCount(FeatureMap map)
    {
        private readonly int[] _target = map.Targets();
        private readonly long[] _active = new long[map.SourceCount];
        private readonly long[] _both = new long[map.SourceCount];

        public void Add(ReadOnlySpan<float> z, ReadOnlySpan<float> next, int rows)
        {
            for (var r = 0; r < rows; r++)
            {
                ReadOnlySpan<float> a = z.Slice(r * map.SourceCount, map.SourceCount), b = next.Slice(r * map.TargetCount, map.TargetCount);
                for (var i = 0; i < a.Length; i++)
                {
                    if (a[i] == 0 || _target[i] < 0) continue;
                    _active[i]++;
                    if (b[_target[i]] != 0) _both[i]++;
                }
            }
        }

        /// <summary>P(match active | feature active) of the features that fired.</summary>
        public List<double> Shares() => [.. Enumerable.Range(0, _active.Length).Where(i => _active[i] > 0).Select(i => (double)_both[i] / _active[i])];
    }
}

/// <summary>Norms, thresholds and L0 of one SAE over the texts (SAE Match, figures 1 and 15).</summary>
internal sealed class SaeStatistics(Place place, Sae sae)
{
    private readonly double[] _active = new double[sae.Info.FeatureCount];
    private double _norms;
    private long _tokens;

    public Place Place => place;

    /// <summary>Adds tokens; gives their activations back.</summary>
    public Tensor Add(ITensorEngine engine, Tensor x_ND, CancellationToken cancel)
    {
        var rows = x_ND.Shape[0];
        var z_NF = Tensor.Allocate(DType.F32, rows, sae.Info.FeatureCount);
        sae.Encode(engine, x_ND, z_NF, cancel);
        using var count_F = Tensor.Allocate(DType.F32, sae.Info.FeatureCount);
        using var norm_N = Tensor.Allocate(DType.F32, rows);
        engine.CountNonZeros(z_NF, count_F);
        engine.RowNorms(x_ND, norm_N, cancel);
        var counts = count_F.AsSpan<float>();
        for (var f = 0; f < _active.Length; f++) _active[f] += counts[f];
        foreach (var norm in norm_N.AsSpan<float>()) _norms += norm;
        _tokens += rows;
        return z_NF;
    }

    public LayerStatistics Result()
    {
        var n = Math.Max(1.0, _tokens);
        double? theta = sae.Threshold_F is { } t ? t.AsSpan<float>().ToArray().Average(v => (double)v) : null;
        return new LayerStatistics(place.Layer, place.Site.Name(), _norms / n, theta, _active.Sum() / n, _active.Count(a => a == 0));
    }
}
