using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Makes maps between the dictionaries of two SAEs of a pack (METHODS 2).</summary>
public static class FeatureMapBuilder
{
    private const int Block = 512;

    /// <summary>The map of one SAE onto another.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="fromLayer">Layer of the source.</param>
    /// <param name="fromSite">Site of the source.</param>
    /// <param name="toLayer">Layer of the target.</param>
    /// <param name="toSite">Site of the target.</param>
    /// <param name="options">Method, cost, fold.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4063: their parameters are of different widths; FF4064: a weight; FF3120: they cannot be folded so.</exception>
    public static FeatureMap Build(OpenedPack pack, int fromLayer, Site fromSite, int toLayer, Site toSite, FeatureMapOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new FeatureMapOptions();
        using var from = pack.Lease(fromLayer, fromSite);
        using var to = pack.Lease(toLayer, toSite);
        var map = Build(pack.Engine.Tensors, from.Sae, to.Sae, options, cancel);
        return map with { Pack = pack.Pack.Source, From = new Place(fromLayer, fromSite).ToString(), To = new Place(toLayer, toSite).ToString() };
    }

    /// <summary>The map of one SAE onto another; both stay the caller's.</summary>
    /// <inheritdoc cref="Build(OpenedPack, int, Site, int, Site, FeatureMapOptions?, CancellationToken)" path="/exception"/>
    public static FeatureMap Build(ITensorEngine engine, Sae from, Sae to, FeatureMapOptions options, CancellationToken cancel = default)
    {
        var foldedFrom = new DictionaryParameters(engine, FoldedSae.Of(engine, from, options.Fold, options.SourceMeans));
        var foldedTo = new DictionaryParameters(engine, FoldedSae.Of(engine, to, options.Fold, options.TargetMeans));
        CheckWidths(foldedFrom, foldedTo);
        var (source, target) = options.Folded
            ? (foldedFrom, foldedTo)
            : (new DictionaryParameters(engine, FoldedSae.Plain(engine, from)), new DictionaryParameters(engine, FoldedSae.Plain(engine, to)));
        var groups = Groups(options);
        int[] sources, targets;
        Assignment? assignment = null;
        if (options.Method == MapMethod.Assignment)
        {
            using Tensor a = source.Points(groups), b = target.Points(groups);
            assignment = AssignmentSolver.Solve(new PointCosts(engine, a, b, string.Join('+', groups)), options.Assignment, cancel);
            sources = [.. Enumerable.Range(0, source.Count).Where(i => assignment.Target[i] >= 0)];
            targets = [.. sources.Select(i => assignment.Target[i])];
        }
        else
        {
            (sources, targets) = Nearest(engine, from, to, options, cancel);
        }

        var (pairs, error) = Pairs(source, target, foldedFrom, foldedTo, groups, sources, targets, cancel);
        var weighted = options is { Method: MapMethod.Cosine, Weighted: true };
        return new FeatureMap
        {
            Method = options.Method,
            Cost = options.Method == MapMethod.Assignment ? options.Cost : null,
            SourceFold = source.Folded.Rule.Name(),
            TargetFold = target.Folded.Rule.Name(),
            SourceUnscaled = foldedFrom.Folded.Unscaled,
            TargetUnscaled = foldedTo.Folded.Unscaled,
            SourceCount = source.Count,
            TargetCount = target.Count,
            Pairs = weighted ? [.. pairs.Select(p => p with { Weight = p.Similarity ?? 0 })] : pairs,
            TotalCost = pairs.Sum(p => p.Cost!.Value),
            Error = error,
            Certificate = assignment?.Certificate,
            Work = assignment?.Work,
        };
    }

    /// <summary>The map by correlation of activations over tokens, BOS left out; features that never fire have no target.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="documents">Texts.</param>
    /// <param name="from">Layer and site of the source.</param>
    /// <param name="to">Layer and site of the target.</param>
    /// <param name="top">Targets of a source.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4005: top; FF4040: SAEs of another model.</exception>
    public static FeatureMap Correlate(OpenedPack pack, LanguageModel model, IEnumerable<TokenDocument> documents, SiteAddress from, SiteAddress to, int top = 1, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        using var pearson = new PearsonMatcher(pack, model, documents, [from, to], top, Stage.Of(progress, "reading texts"), cancel);
        var (sources, targets) = (pack.Info(from.Layer, from.Site).FeatureCount, pack.Info(to.Layer, to.Site).FeatureCount);
        var found = pearson.Match(from, to, [.. Enumerable.Range(0, sources)], cancel);
        return new FeatureMap
        {
            Pack = pack.Pack.Source,
            From = from.ToString(),
            To = to.ToString(),
            Method = MapMethod.Pearson,
            SourceCount = sources,
            TargetCount = targets,
            Pairs = [.. found.SelectMany((candidates, source) => candidates.Where(c => c.Score > 0).Select(c => new FeaturePair(source, c.Index, null, c.Score)))],
        };
    }

    /// <summary>The folded errors of features paired as they are numbered: what matching is held against.</summary>
    public static MapError Identity(ITensorEngine engine, Sae from, Sae to, FoldRule? fold = null, CancellationToken cancel = default)
    {
        var (a, b) = (new DictionaryParameters(engine, FoldedSae.Of(engine, from, fold)), new DictionaryParameters(engine, FoldedSae.Of(engine, to, fold)));
        CheckWidths(a, b);
        int[] all = [.. Enumerable.Range(0, Math.Min(a.Count, b.Count))];
        return Pairs(a, b, a, b, [], all, all, cancel).Error;
    }

    /// <summary>The map with similarities and folded errors of its pairs: for compositions and maps from files, which have none.</summary>
    /// <param name="pack">The pack whose features it pairs.</param>
    /// <param name="map">Any map that says its places.</param>
    /// <param name="options">How to fold; thresholds where there are some, else decoder norms, unless given. The rest of them is not used.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: no such SAE; FF4063: of different widths; FF4068: the map does not say where it belongs, or has features that the SAEs lack.</exception>
    public static FeatureMap WithErrors(OpenedPack pack, FeatureMap map, FeatureMapOptions? options = null, CancellationToken cancel = default)
    {
        if (map.From is null || map.To is null) throw FlowErrors.Nowhere(map, "it does not say from where to where it leads");
        var (source, target) = (Place.Parse(map.From), Place.Parse(map.To));
        using var from = pack.Lease(source.Layer, source.Site);
        using var to = pack.Lease(target.Layer, target.Site);
        var engine = pack.Engine.Tensors;
        var (a, b) = (new DictionaryParameters(engine, FoldedSae.Of(engine, from.Sae, options?.Fold, options?.SourceMeans)), new DictionaryParameters(engine, FoldedSae.Of(engine, to.Sae, options?.Fold, options?.TargetMeans)));
        CheckWidths(a, b);
        if (map.Pairs.Any(p => p.Source >= a.Count || p.Target >= b.Count)) throw FlowErrors.Nowhere(map, $"it has features that {source} or {target} lacks");
        var (pairs, error) = Pairs(a, b, a, b, [], [.. map.Pairs.Select(p => p.Source)], [.. map.Pairs.Select(p => p.Target)], cancel);
        return map with
        {
            Pack = pack.Pack.Source,
            SourceCount = a.Count,
            TargetCount = b.Count,
            Pairs = [.. map.Pairs.Zip(pairs, (was, now) => was with { Similarity = now.Similarity, DecoderError = now.DecoderError })],
            Error = error,
        };
    }

    private static List<(ParameterGroup Group, double Weight)> Groups(FeatureMapOptions options)
    {
        foreach (var (name, weight) in new[] { ("decoder", options.DecoderWeight), ("encoder", options.EncoderWeight), ("bias", options.BiasWeight) })
        {
            if (!(weight >= 0) || double.IsInfinity(weight)) throw FlowErrors.Weight(name, weight);
        }

        return options.Cost switch
        {
            MatchCost.Decoder => [(ParameterGroup.Decoder, 1)],
            MatchCost.Encoder => [(ParameterGroup.Encoder, 1)],
            _ => [(ParameterGroup.Decoder, options.DecoderWeight), (ParameterGroup.Encoder, options.EncoderWeight), (ParameterGroup.EncoderBias, options.BiasWeight)],
        };
    }

    private static void CheckWidths(DictionaryParameters a, DictionaryParameters b)
    {
        foreach (var group in new[] { ParameterGroup.Decoder, ParameterGroup.Encoder })
        {
            if (a.Width(group) != b.Width(group)) throw FlowErrors.Widths(a.Folded.Sae.Info.Path, group.ToString().ToLowerInvariant(), a.Width(group), b.Width(group));
        }
    }

    private static (int[] Sources, int[] Targets) Nearest(ITensorEngine engine, Sae from, Sae to, FeatureMapOptions options, CancellationToken cancel)
    {
        if (options.Top is < 1 or > FlowErrors.MaxTop) throw FlowErrors.Top(options.Top);
        var k = Math.Min(options.Top, to.Info.FeatureCount);
        var found = engine.TopKInnerProduct(from.DecoderWeights_FD, to.DecoderWeights_FD, k, new TopKOptions { Cosine = true, Progress = Stage.Of(options.Assignment.Progress, "cosines") }, cancel);
        int[] kept = [.. Enumerable.Range(0, found.Indices_QK.Length).Where(e => found.Indices_QK[e] >= 0 && found.Scores_QK[e] > 0)];
        return ([.. kept.Select(e => e / k)], [.. kept.Select(e => found.Indices_QK[e])]);
    }

    private static (FeaturePair[] Pairs, MapError Error) Pairs(
        DictionaryParameters source, DictionaryParameters target, DictionaryParameters foldedSource, DictionaryParameters foldedTarget, List<(ParameterGroup Group, double Weight)> groups, int[] sources, int[] targets, CancellationToken cancel)
    {
        var pairs = new FeaturePair[sources.Length];
        var (sums, norms) = (new double[3], new double[2]);
        var width = Math.Max(source.Width(ParameterGroup.Decoder), source.Width(ParameterGroup.Encoder));
        float[] a = new float[Block * width], b = new float[Block * width];
        for (var start = 0; start < sources.Length; start += Block)
        {
            cancel.ThrowIfCancellationRequested();
            var count = Math.Min(Block, sources.Length - start);
            var (cost, similarity, decoder) = (new double[count], new double[count], new double[count]);
            for (var group = ParameterGroup.Decoder; group <= ParameterGroup.EncoderBias; group++)
            {
                var wide = source.Width(group);
                foldedSource.Read(group, sources.AsSpan(start, count), a, wide);
                foldedTarget.Read(group, targets.AsSpan(start, count), b, wide);
                for (var i = 0; i < count; i++)
                {
                    ReadOnlySpan<float> x = a.AsSpan(i * wide, wide), y = b.AsSpan(i * wide, wide);
                    var error = PointCosts.Distance(x, y);
                    sums[(int)group] += error;
                    if (group != ParameterGroup.Decoder) continue;
                    decoder[i] = error / wide;
                    norms[0] += Norm(x);
                    norms[1] += Norm(y);
                }

                if (source != foldedSource)
                {
                    source.Read(group, sources.AsSpan(start, count), a, wide);
                    target.Read(group, targets.AsSpan(start, count), b, wide);
                }

                for (var i = 0; i < count; i++)
                {
                    ReadOnlySpan<float> x = a.AsSpan(i * wide, wide), y = b.AsSpan(i * wide, wide);
                    if (groups.Find(g => g.Group == group) is { Weight: > 0 } chosen) cost[i] += chosen.Weight * PointCosts.Distance(x, y);
                    if (group == ParameterGroup.Decoder) similarity[i] = Cosine(x, y);
                }
            }

            for (var i = 0; i < count; i++) pairs[start + i] = new FeaturePair(sources[start + i], targets[start + i], groups.Count == 0 ? null : cost[i], similarity[i]) { DecoderError = decoder[i] };
        }

        var elements = Math.Max(1.0, sources.Length);
        return (pairs, new MapError(sums[0] / elements / source.Width(ParameterGroup.Decoder), sums[1] / elements / source.Width(ParameterGroup.Encoder), sums[2] / elements) { SourceNorm = norms[0] / elements, TargetNorm = norms[1] / elements });
    }

    private static double Norm(ReadOnlySpan<float> x)
    {
        double squares = 0;
        foreach (var v in x) squares += (double)v * v;
        return Math.Sqrt(squares);
    }

    private static double Cosine(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        double dot = 0, xx = 0, yy = 0;
        for (var i = 0; i < x.Length; i++)
        {
            dot += (double)x[i] * y[i];
            xx += (double)x[i] * x[i];
            yy += (double)y[i] * y[i];
        }

        return xx > 0 && yy > 0 ? dot / Math.Sqrt(xx * yy) : 0;
    }

    private sealed class Stage(IProgress<FlowProgress> whole, string name) : IProgress<double>
    {
        public static Stage? Of(IProgress<FlowProgress>? whole, string name) => whole is null ? null : new Stage(whole, name);

        public void Report(double value) => whole.Report(new FlowProgress(name, value));
    }
}
