using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>A residual feature with its three scores and class.</summary>
public sealed record ClassifiedFeature
{
    /// <summary>The pack's source path.</summary>
    public required string Pack { get; init; }

    /// <summary>Layer.</summary>
    public required int Layer { get; init; }

    /// <summary>Site: res, or res_pre.</summary>
    public required string Site { get; init; }

    /// <summary>Index.</summary>
    public required int Index { get; init; }

    /// <summary>s(R): best cosine one layer below; null at the first layer.</summary>
    public double? ScoreRes { get; init; }

    /// <summary>s(M): best cosine among the MLP features of the layer.</summary>
    public double? ScoreMlp { get; init; }

    /// <summary>s(A): best cosine among the attention features of the layer.</summary>
    public double? ScoreAtt { get; init; }

    /// <summary>Class by the thresholds asked for.</summary>
    public required FeatureClass Class { get; init; }

    /// <summary>Description, or null.</summary>
    public string? Description { get; init; }

    /// <summary><c>layer/site/index</c>.</summary>
    public string Feature => $"{Layer}/{Site}/{Index}";
}

/// <summary>Number of features of a class in a layer: a row of <c>classes.csv</c>.</summary>
public sealed record ClassCount(int Layer, FeatureClass Class, int Count);

/// <summary>Static classes of residual features by their three scores (Feature Flow, section 3.2).</summary>
public static class StaticClasses
{
    private const int Block = 4096;

    /// <summary>The class of three scores; a score that is missing (no such site, first layer) is low.</summary>
    public static FeatureClass Of(double? res, double? mlp, double? att, Thresholds thresholds)
    {
        var module = mlp >= thresholds.Mlp || att >= thresholds.Att;
        return (res >= thresholds.Res, module) switch
        {
            (true, false) => FeatureClass.A,
            (true, true) => FeatureClass.B,
            (false, true) => FeatureClass.C,
            _ => FeatureClass.D,
        };
    }

    /// <summary>Every residual feature of the pack, or of some layers, by layer and index; computed as it is read.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="thresholds">Thresholds of layers that <paramref name="layerThresholds"/> does not name.</param>
    /// <param name="layerThresholds">Thresholds by layer.</param>
    /// <param name="layers">Layers, or null for all that have a residual SAE.</param>
    /// <param name="progress">Told what is being read.</param>
    /// <param name="notes">Receives what was left out and why, as it turns up.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: a named layer has no residual SAE; FF4008: a threshold is no cosine.</exception>
    public static IEnumerable<ClassifiedFeature> Classify(
        OpenedPack pack,
        Thresholds thresholds,
        IReadOnlyDictionary<int, Thresholds>? layerThresholds = null,
        IReadOnlyList<int>? layers = null,
        IProgress<FlowProgress>? progress = null,
        ICollection<string>? notes = null,
        CancellationToken cancel = default)
    {
        var options = new FlowGraphOptions { Thresholds = thresholds, LayerThresholds = layerThresholds ?? new Dictionary<int, Thresholds>() };
        options.Check();
        var places = Residual(pack, layers);
        return Stream(pack, places, options, progress, notes, cancel);
    }

    /// <summary>How many features of every layer are in each class; four rows a layer, zeros included.</summary>
    /// <inheritdoc cref="Classify" path="/param|/exception"/>
    public static IReadOnlyList<ClassCount> Count(
        OpenedPack pack,
        Thresholds thresholds,
        IReadOnlyDictionary<int, Thresholds>? layerThresholds = null,
        IReadOnlyList<int>? layers = null,
        IProgress<FlowProgress>? progress = null,
        ICollection<string>? notes = null,
        CancellationToken cancel = default)
    {
        var counts = Classify(pack, thresholds, layerThresholds, layers, progress, notes, cancel).CountBy(f => (f.Layer, f.Class)).ToDictionary();
        return
        [
            .. from layer in counts.Keys.Select(k => k.Layer).Distinct().Order()
               from c in Enum.GetValues<FeatureClass>()
               select new ClassCount(layer, c, counts.GetValueOrDefault((layer, c))),
        ];
    }

    private static Place[] Residual(OpenedPack pack, IReadOnlyList<int>? layers)
    {
        var all = pack.Pack.Saes.Select(s => new Place(s.Layer, s.Site)).Where(p => p.IsResidual).ToArray();
        if (layers is null) return all;
        foreach (var layer in layers)
        {
            if (!all.Any(p => p.Layer == layer)) throw FlowErrors.NoSae(pack.Pack, new Place(layer, Site.Res));
        }

        return [.. all.Where(p => layers.Contains(p.Layer))];
    }

    private static IEnumerable<ClassifiedFeature> Stream(
        OpenedPack pack, Place[] places, FlowGraphOptions options, IProgress<FlowProgress>? progress, ICollection<string>? notes, CancellationToken cancel)
    {
        var neighbours = new Neighbours(pack.Pack, pack.Matches);
        var steps = new GatherProgress(progress, 3 * places.Sum(p => Blocks(pack, p)));
        foreach (var place in places)
        {
            var lanes = neighbours.Before(place);
            var count = pack.Matches.Info(place).FeatureCount;
            var thresholds = options.At(place.Layer);
            for (var start = 0; start < count; start += Block)
            {
                var indices = Enumerable.Range(start, Math.Min(Block, count - start)).ToArray();
                var scores = new double?[3][];
                foreach (var (kind, keys) in lanes.All())
                {
                    var best = pack.Matches.Match(keys, [new MatchQuery(place, indices)], 1, steps.Step(keys), cancel)[0];
                    scores[(int)kind] = [.. best.Indices_QK.Zip(best.Scores_QK, (i, s) => i >= 0 ? s : (double?)null)];
                }

                for (var i = 0; i < indices.Length; i++)
                {
                    var (res, mlp, att) = (scores[0]?[i], scores[1]?[i], scores[2]?[i]);
                    yield return new ClassifiedFeature
                    {
                        Pack = pack.Pack.Source,
                        Layer = place.Layer,
                        Site = place.Site.Name(),
                        Index = indices[i],
                        ScoreRes = res,
                        ScoreMlp = mlp,
                        ScoreAtt = att,
                        Class = Of(res, mlp, att, thresholds),
                        Description = pack.Descriptions.Text(place.Feature(indices[i])),
                    };
                }
            }
        }

        foreach (var note in neighbours.Notes()) notes?.Add(note);
        progress?.Report(new FlowProgress("done", 1));
    }

    private static int Blocks(OpenedPack pack, Place place) => (pack.Matches.Info(place).FeatureCount + Block - 1) / Block;
}
