using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>Mean positive activations on text: what architectures without thresholds fold by (<see cref="FoldRule.MeanActivation"/>).</summary>
public static class MeanActivations
{
    private const int TokensTogether = 2048;

    /// <summary>For every SAE the mean of each feature's activation over the tokens where it is active, [F]; 0 where it never is. BOS is left out.</summary>
    /// <param name="model">The model that the SAEs read.</param>
    /// <param name="documents">Texts.</param>
    /// <param name="saes">Each with its site and layer.</param>
    /// <param name="progress">Told the share of the work done, or null.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF3103: the model lacks the place of an SAE; FF3111: an SAE does not say its place.</exception>
    public static IReadOnlyList<double[]> Measure(LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<Sae> saes, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        var (engine, places) = (model.Engine, saes.Select(s => s.Address()).ToArray());
        var sums = saes.Select(s => new double[s.Info.FeatureCount]).ToArray();
        var counts = saes.Select(s => new double[s.Info.FeatureCount]).ToArray();
        for (var at = 0; at < documents.Count;)
        {
            var together = new List<TokenDocument>();
            for (var tokens = 0; at < documents.Count && (together.Count == 0 || tokens + documents[at].Ids.Length <= TokensTogether); at++)
            {
                tokens += documents[at].Ids.Length;
                if (documents[at].Ids.Length > 0) together.Add(documents[at]);
            }

            if (together.Count == 0) continue;
            var batch = new TokenBatch([.. together.Select(d => d.Ids)]);
            var capture = new SiteCapture(engine, places);
            model.Forward(batch, new ForwardOptions { Hook = capture, Logits = LogitsWanted.None, LastLayer = places.Max(p => p.Layer) }, cancel).Dispose();
            int[] counted = [.. together.SelectMany((d, i) => Enumerable.Range(batch.Rows[i].Token + d.FirstPosition, d.Ids.Length - d.FirstPosition))];
            for (var s = 0; s < saes.Count && counted.Length > 0; s++) Add(engine, saes[s], capture.Captured[places[s]], counted, sums[s], counts[s], cancel);
            progress?.Report((double)at / documents.Count);
        }

        for (var s = 0; s < sums.Length; s++)
        {
            for (var f = 0; f < sums[s].Length; f++) sums[s][f] = counts[s][f] > 0 ? sums[s][f] / counts[s][f] : 0;
        }

        return sums;
    }

    private static void Add(ITensorEngine engine, Sae sae, Tensor x_TD, int[] counted, double[] sum_F, double[] count_F, CancellationToken cancel)
    {
        using var rows_ND = engine.Allocate(DType.F32, counted.Length, x_TD.Shape[1]);
        using var z_NF = engine.Allocate(DType.F32, counted.Length, sae.Info.FeatureCount);
        using var total_F = engine.Allocate(DType.F32, sae.Info.FeatureCount);
        engine.GatherRows(x_TD, counted, rows_ND);
        sae.Encode(engine, rows_ND, z_NF, cancel);
        engine.ColumnSums(z_NF, total_F);
        var total = HostValues.Read(engine, total_F);
        engine.CountNonZeros(z_NF, total_F);
        var active = HostValues.Read(engine, total_F);
        for (var f = 0; f < sum_F.Length; f++)
        {
            sum_F[f] += total[f];
            count_F[f] += active[f];
        }
    }
}
