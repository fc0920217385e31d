using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>How a text surprises a model that did not write it.</summary>
/// <param name="Loss">Mean cross-entropy of the text's tokens in nats; its exponential is the perplexity.</param>
/// <param name="Entropy">Mean entropy of the predictions that it was held against, in nats: the loss that the model expects of text of its own.</param>
/// <param name="Tokens">Tokens measured.</param>
public readonly record struct TextSurprise(double Loss, double Entropy, int Tokens)
{
    private const int TokensTogether = 2048;
    private const int LogitsTogether = 256;

    /// <summary>e^Loss.</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Measures continuations of prompts, many in a pass, in their order.</summary>
    /// <param name="model">The model, untouched.</param>
    /// <param name="texts">Whole texts as token ids, and how many of their first tokens belong to the prompt, which is read and not measured. At least the first token counts as prompt.</param>
    /// <param name="progress">Told the share of the work done, or null.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <returns>One for each text; 0 tokens and NaN where nothing follows the prompt.</returns>
    /// <exception cref="FeatureFlowException">FF2210, FF2211, FF2212: tokens that do not exist, too many, or none.</exception>
    public static IReadOnlyList<TextSurprise> Measure(LanguageModel model, IReadOnlyList<(int[] Ids, int Prompt)> texts, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        var results = new TextSurprise[texts.Count];
        for (var first = 0; first < texts.Count;)
        {
            var next = first + 1;
            for (var tokens = texts[first].Ids.Length; next < texts.Count && (tokens += texts[next].Ids.Length) <= TokensTogether;) next++;
            Pass(model, texts, first, next, results, cancel);
            first = next;
            progress?.Report((double)first / texts.Count);
        }

        return results;
    }

    private static void Pass(LanguageModel model, IReadOnlyList<(int[] Ids, int Prompt)> texts, int first, int end, TextSurprise[] results, CancellationToken cancel)
    {
        var batch = new TokenBatch([.. Enumerable.Range(first, end - first).Select(i => texts[i].Ids)]);
        using var pass = model.Forward(batch, new ForwardOptions { Logits = LogitsWanted.None }, cancel);

        // only the places that predict a token of a continuation are unembedded
        var places = new List<(int Text, int Place)>();
        for (var i = first; i < end; i++)
        {
            var row = batch.Rows[i - first];
            for (var t = Math.Max(1, texts[i].Prompt); t < row.Count; t++) places.Add((i, row.Token + t - 1));
        }

        var engine = model.Engine;
        var sums = new (double Loss, double Entropy, int Tokens)[end - first];
        foreach (var chunk in places.Chunk(LogitsTogether))
        {
            using var resid_ND = engine.Allocate(DType.F32, chunk.Length, model.Config.Width);
            using var logits_NV = engine.Allocate(DType.F32, chunk.Length, model.Config.Vocabulary);
            engine.GatherRows(pass.Resid_TD, [.. chunk.Select(p => p.Place)], resid_ND);
            model.Unembed(resid_ND, logits_NV, cancel: cancel);
            using var host_NV = Tensor.Allocate(DType.F32, chunk.Length, model.Config.Vocabulary);
            engine.Copy(logits_NV, host_NV);
            for (var n = 0; n < chunk.Length; n++)
            {
                var (loss, entropy) = Of(host_NV.Rows(n, 1).AsSpan<float>(), batch.Ids[chunk[n].Place + 1]);
                ref var sum = ref sums[chunk[n].Text - first];
                sum = (sum.Loss + loss, sum.Entropy + entropy, sum.Tokens + 1);
            }
        }

        for (var i = first; i < end; i++)
        {
            var (loss, entropy, tokens) = sums[i - first];
            results[i] = new TextSurprise(loss / tokens, entropy / tokens, tokens);
        }
    }

    // −log p(token) and −Σ p log p of one row of logits
    private static (double Loss, double Entropy) Of(ReadOnlySpan<float> logits, int token)
    {
        var most = float.NegativeInfinity;
        foreach (var x in logits) most = Math.Max(most, x);
        double total = 0, weighted = 0;
        foreach (var x in logits)
        {
            double shifted = x - most, e = Math.Exp(shifted);
            total += e;
            weighted += e * shifted;
        }

        var log = Math.Log(total);
        return (log - (logits[token] - most), log - (weighted / total));
    }
}
