using FeatureFlow.Models;

namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Coherence as the unsteered model sees it: a text is fluent when it surprises the model no more than the model's own texts would, and counts for less the
/// more it repeats itself, which no model is surprised by.
/// </summary>
/// <remarks>
/// fluency = min(1, e^−(loss − entropy − <see cref="Tolerance"/>)): the perplexity that the model expects along this text over the one that it has, so that neither the
/// vocabulary nor the difficulty of the subject moves the scale. Variety = share of distinct among all three-word runs; below ½ it lowers the score in proportion.
/// </remarks>
/// <param name="model">The model, unsteered; it stays the caller's.</param>
public sealed class ModelCoherence(LanguageModel model) : ICoherenceMeter
{
    private const int Run = 3;
    private const double FullVariety = 0.5;

    /// <summary>Nats of surprise a token beyond the expected that still count as fluent: short texts scatter that much.</summary>
    public double Tolerance { get; init; } = 0.5;

    /// <inheritdoc/>
    public string Name => "perplexity";

    /// <inheritdoc/>
    public IReadOnlyList<double?> Measure(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress, CancellationToken cancel)
    {
        var surprise = TextSurprise.Measure(model, [.. texts.Select(Tokens)], progress, cancel);
        return [.. surprise.Select((s, i) => s.Tokens == 0 ? (double?)null : Fluency(s) * Variety(texts[i].Text))];
    }

    /// <summary>0 to 1.</summary>
    internal double Fluency(TextSurprise surprise) => Math.Min(1, Math.Exp(Tolerance - (surprise.Loss - surprise.Entropy)));

    /// <summary>0 to 1: 1 for texts whose three-word runs are mostly distinct.</summary>
    internal static double Variety(string text)
    {
        var words = SubjectLexicon.Words(text);
        if (words.Length < 2 * Run) return 1;
        var runs = Enumerable.Range(0, words.Length - Run + 1).Select(i => string.Join(' ', words.AsSpan(i, Run).ToArray())).ToList();
        return Math.Min(1, runs.Distinct().Count() / (FullVariety * runs.Count));
    }

    // the border of prompt and text may fall inside a token of the whole: what both have in common is the prompt
    private (int[] Ids, int Prompt) Tokens(TextQuestion text)
    {
        var tokenizer = model.Tokenizer;
        int[] whole = tokenizer.Encode(text.Prompt + text.Text), prompt = tokenizer.Encode(text.Prompt);
        if (tokenizer.BosId is { } bos && !(whole is [var first, ..] && first == bos)) (whole, prompt) = ([bos, .. whole], [bos, .. prompt]);
        if (whole.Length > model.Config.Context) whole = whole[..model.Config.Context];
        if (whole.Length == 0) return ([0], 1);
        return (whole, whole.AsSpan().CommonPrefixLength(prompt));
    }
}
