using FeatureFlow.Models;

namespace FeatureFlow.Flow;

/// <summary>Assigns every active residual feature at sampled tokens to its activation group (Feature Flow, sections 4.2 and A.1).</summary>
public static class GroupMeasurement
{
    /// <summary>Texts of a corpus in the paper's protocol.</summary>
    public const int PaperTexts = 250;

    /// <summary>Tokens of a text in the paper's protocol.</summary>
    public const int PaperTokens = 5;

    /// <summary>One pass over the texts; activations of the SAEs are kept at the sampled tokens only.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="texts">What is looked at.</param>
    /// <param name="layers">Layers, or null for all that have a residual SAE.</param>
    /// <param name="matcher">Names the predecessors: the first candidate of each site counts; cosine top-1 unless given.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: a layer has no residual SAE; FF4040: the SAEs are of another model; FF30xx: damaged files.</exception>
    public static GroupReport Measure(
        OpenedPack pack, LanguageModel model, IReadOnlyList<SampledText> texts, IReadOnlyList<int>? layers = null, IFeatureMatcher? matcher = null,
        IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        matcher ??= new CosineMatcher(pack);
        foreach (var layer in layers ?? []) pack.Check(new Place(layer, Site.Res), []);
        Place[] targets = [.. pack.Pack.Saes.Where(s => s.Site == Site.Res && layers?.Contains(s.Layer) != false).Select(s => new Place(s.Layer, s.Site)).Order()];
        if (targets.Length == 0) throw FlowErrors.NoSite(pack.Pack, Site.Res);
        var neighbours = new Neighbours(pack.Pack, pack.Matches);
        var lanes = targets.ToDictionary(t => t, neighbours.Before);
        using var reader = new ActivationReader(pack, model, targets.Concat(lanes.Values.SelectMany(l => l.All()).Select(l => l.Place)), cancel);
        reader.Run(model, [.. texts.Select(t => (t.Document, t.Positions))], progress is null ? null : new Share(progress, "reading texts", 0, 0.8));

        var occurrences = new List<FeatureOccurrence>();
        var scores = new Dictionary<int, double[][]>();
        for (var i = 0; i < targets.Length; i++)
        {
            progress?.Report(new FlowProgress($"layer {targets[i].Layer}", 0.8 + (0.2 * i / targets.Length)));
            Layer(pack, targets[i], lanes[targets[i]], matcher, reader, texts, occurrences, scores, cancel);
        }

        progress?.Report(new FlowProgress("done", 1));
        return new GroupReport(matcher.Name, texts, [.. targets.Select(t => t.Layer)], occurrences, scores, neighbours.Notes());
    }

    private static void Layer(
        OpenedPack pack, Place target, Lanes lanes, IFeatureMatcher matcher, ActivationReader reader, IReadOnlyList<SampledText> texts,
        List<FeatureOccurrence> occurrences, Dictionary<int, double[][]> scores, CancellationToken cancel)
    {
        var active = reader[target];
        var features = pack.Matches.Info(target).FeatureCount;
        var seen = new SortedSet<int>();
        for (var row = 0; row < active.Rows; row++)
        {
            foreach (var index in active.Indices(row)) seen.Add(index);
        }

        // of every feature that occurs, its best match at each site
        var best = new int[3][];
        scores[target.Layer] = [.. Enumerable.Range(0, 3).Select(_ => Filled(features, double.NaN))];
        int[] asked = [.. seen];
        var sources = new SparseActivations?[3];
        foreach (var (kind, place) in lanes.All())
        {
            best[(int)kind] = Filled(features, -1);
            sources[(int)kind] = reader[place];
            var found = asked.Length == 0 ? [] : matcher.Match(target.Address, place.Address, asked, cancel);
            for (var i = 0; i < found.Count; i++)
            {
                if (found[i].Count == 0) continue;
                best[(int)kind][asked[i]] = found[i][0].Index;
                scores[target.Layer][(int)kind][asked[i]] = found[i][0].Score;
            }
        }

        var at = 0;
        for (var text = 0; text < texts.Count; text++)
        {
            foreach (var position in texts[text].Positions)
            {
                cancel.ThrowIfCancellationRequested();
                var indices = active.Indices(at);
                var values = active.Values(at);
                for (var i = 0; i < indices.Length; i++)
                {
                    var group = PredecessorSites.None;
                    for (var kind = 0; kind < 3; kind++)
                    {
                        if (sources[kind] is { } source && best[kind][indices[i]] is >= 0 and var predecessor && source.At(at, predecessor) > 0) group |= ActivationGroups.Sites[kind];
                    }

                    occurrences.Add(new FeatureOccurrence(text, position, target.Layer, indices[i], values[i], group));
                }

                at++;
            }
        }
    }

    private static T[] Filled<T>(int count, T value)
    {
        var array = new T[count];
        Array.Fill(array, value);
        return array;
    }

    private sealed class Share(IProgress<FlowProgress> to, string stage, double from, double width) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress(stage, from + (width * value)));
    }
}
