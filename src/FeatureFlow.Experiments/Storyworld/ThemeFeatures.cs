using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>How well a feature stands for a theme of Storyworld.</summary>
/// <param name="Feature">The feature.</param>
/// <param name="Precision">Share of its activation that falls on sentences of the theme.</param>
/// <param name="Recall">Share of the theme's sentences in which it is active.</param>
/// <param name="Example">The sentence of the theme in which it is most active.</param>
public sealed record ThemeFeature(FeatureId Feature, double Precision, double Recall, string Example)
{
    /// <summary>Harmonic mean of both.</summary>
    public double Score => Precision + Recall == 0 ? 0 : 2 * Precision * Recall / (Precision + Recall);
}

/// <summary>
/// Finds the features that stand for a theme: fresh stories, whose sentences the judge assigns to themes by their words, are run through the model, and the SAE says what
/// is active in each sentence. No other judge is needed, and none is asked.
/// </summary>
public static class ThemeFeatures
{
    private const ulong Seed = 0x5448454D; // stories that neither the model nor the SAEs have seen
    private const double Clear = 0.6; // share of a sentence's theme words that makes it one of the theme

    /// <summary>The best features of one SAE for a theme, best first.</summary>
    /// <param name="pack">A pack over the Storyworld model.</param>
    /// <param name="model">That model.</param>
    /// <param name="layer">Layer of the SAE.</param>
    /// <param name="site">Its site.</param>
    /// <param name="theme">One of <see cref="StoryTeller.ThemeNames"/>.</param>
    /// <param name="stories">How many stories to look at.</param>
    /// <param name="top">How many features to return.</param>
    /// <param name="cancel">Honoured between passes.</param>
    /// <exception cref="FeatureFlowException">FF5201: no such theme.</exception>
    public static IReadOnlyList<ThemeFeature> Find(OpenedPack pack, LanguageModel model, int layer, Site site, string theme, int stories = 128, int top = 10, CancellationToken cancel = default)
    {
        var number = StoryTeller.ThemeNames.ToList().IndexOf(theme);
        if (number < 0) throw ExperimentErrors.NoTheme(theme, StoryTeller.ThemeNames);
        using var lease = pack.Lease(layer, site);
        var tally = new Tally(lease.Sae.Info.FeatureCount);
        var at = new SiteAddress(layer, site);
        var teller = new StoryTeller(Seed);
        for (var i = 0; i < stories; i++)
        {
            var story = Tokens(model, teller.Text(i), number);
            var capture = new SiteCapture(model.Engine, [at]);
            model.Forward(new TokenBatch([story.Ids]), new ForwardOptions { Hook = capture, LastLayer = layer, Logits = LogitsWanted.None }, cancel).Dispose();
            var h_TD = capture.Captured[at];
            using var z_TF = Tensor.Allocate(DType.F32, story.Ids.Length, lease.Sae.Info.FeatureCount);
            lease.Sae.Encode(pack.Engine.Tensors, h_TD, z_TF, cancel);
            tally.Add(story.Sentences, z_TF.AsSpan<float>());
        }

        return [.. tally.Features(layer, site).OrderByDescending(f => f.Score).ThenBy(f => f.Feature.Index).Take(top)];
    }

    // each sentence with its tokens; words keep their space, so sentences encoded one by one are the story
    private static (int[] Ids, List<(string Text, int First, int Count, bool OfTheme)> Sentences) Tokens(LanguageModel model, string text, int theme)
    {
        int[] begin = model.Tokenizer.Encode("");
        var ids = new List<int>(begin);
        var sentences = new List<(string, int, int, bool)>();
        foreach (var (sentence, _) in StoryJudge.Score(text).Sentences)
        {
            var part = model.Tokenizer.Encode(sentences.Count == 0 ? sentence : " " + sentence, special: false);
            if (ids.Count + part.Length > model.Config.Context) break;
            sentences.Add((sentence, ids.Count, part.Length, StoryJudge.Score(sentence).Themes[theme] >= Clear));
            ids.AddRange(part);
        }

        return ([.. ids], sentences);
    }

    private sealed class Tally(int features)
    {
        private readonly double[] _all = new double[features];
        private readonly double[] _inside = new double[features];
        private readonly int[] _sentences = new int[features];
        private readonly float[] _most = new float[features];
        private readonly string[] _example = new string[features];
        private int _ofTheme;

        public void Add(List<(string Text, int First, int Count, bool OfTheme)> sentences, ReadOnlySpan<float> z_TF)
        {
            var sentence = new float[features];
            foreach (var (text, first, count, ofTheme) in sentences)
            {
                Array.Clear(sentence);
                for (var t = first; t < first + count; t++)
                {
                    var row = z_TF.Slice(t * features, features);
                    for (var f = 0; f < features; f++) sentence[f] += row[f];
                }

                _ofTheme += ofTheme ? 1 : 0;
                for (var f = 0; f < features; f++)
                {
                    if (sentence[f] == 0) continue;
                    _all[f] += sentence[f];
                    if (!ofTheme) continue;
                    _inside[f] += sentence[f];
                    _sentences[f]++;
                    if (sentence[f] > _most[f]) (_most[f], _example[f]) = (sentence[f], text);
                }
            }
        }

        public IEnumerable<ThemeFeature> Features(int layer, Site site)
        {
            for (var f = 0; f < features; f++)
            {
                if (_inside[f] > 0) yield return new ThemeFeature(new FeatureId(layer, site, f), _inside[f] / _all[f], (double)_sentences[f] / _ofTheme, _example[f]);
            }
        }
    }
}
