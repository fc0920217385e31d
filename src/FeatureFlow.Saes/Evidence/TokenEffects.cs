using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>
/// The logit lens on decoder rows: a row alone takes the place of the residual stream after the last layer, goes through the final norm and the unembedding, less what a
/// vector of zeros gives (the biases, where a model has them).
/// </summary>
internal static class TokenEffects
{
    private const int RowsTogether = 32;

    /// <summary>The most promoted and the most suppressed tokens of some rows, or nothing where rows are not of the residual stream.</summary>
    public static IReadOnlyList<(IReadOnlyList<TokenEffect> Promoted, IReadOnlyList<TokenEffect> Suppressed)> Of(LanguageModel model, Sae sae, IReadOnlyList<int> rows, int count, Func<int, string> text, CancellationToken cancel)
    {
        var (engine, width, vocabulary) = (model.Engine, model.Config.Width, model.Config.Vocabulary);
        var results = new List<(IReadOnlyList<TokenEffect>, IReadOnlyList<TokenEffect>)>();
        if (sae.Info.Site == Site.AttZ || sae.Info.OutputWidth != width) return [.. rows.Select(_ => ((IReadOnlyList<TokenEffect>)[], (IReadOnlyList<TokenEffect>)[]))];
        var zero = Unembedded(engine.Allocate(DType.F32, 1, width));
        for (var start = 0; start < rows.Count; start += RowsTogether)
        {
            int[] some = [.. rows.Skip(start).Take(RowsTogether)];
            var rows_RD = engine.Allocate(DType.F32, some.Length, width);
            engine.GatherRows(sae.DecoderWeights_FD, some, rows_RD);
            var logits = Unembedded(rows_RD);
            for (var r = 0; r < some.Length; r++)
            {
                var effects = new float[vocabulary];
                for (var v = 0; v < vocabulary; v++) effects[v] = logits[(long)r * vocabulary + v] - zero[v];
                results.Add((Most(effects, count, 1, text), Most(effects, count, -1, text)));
            }
        }

        return results;

        float[] Unembedded(Tensor x_RD)
        {
            using var owned = x_RD;
            using var logits_RV = engine.Allocate(DType.F32, x_RD.Shape[0], vocabulary);
            using var host = Tensor.Allocate(DType.F32, x_RD.Shape[0], vocabulary);
            model.Unembed(x_RD, logits_RV, cancel: cancel);
            engine.Copy(logits_RV, host);
            return host.AsSpan<float>().ToArray();
        }
    }

    // the largest of sign·effect, equal ones by lower id; what does not even have the sign is left out
    private static TokenEffect[] Most(float[] effects, int count, int sign, Func<int, string> text)
    {
        var best = new List<int>(count + 1);
        for (var v = 0; v < effects.Length; v++)
        {
            if (!(sign * effects[v] > 0) || best.Count == count && sign * effects[v] <= sign * effects[best[^1]]) continue;
            var at = best.Count;
            while (at > 0 && sign * effects[best[at - 1]] < sign * effects[v]) at--;
            best.Insert(at, v);
            if (best.Count > count) best.RemoveAt(count);
        }

        return [.. best.Select(v => new TokenEffect(v, text(v), effects[v]))];
    }
}
