using System.Globalization;
using System.Text.Json;
using FeatureFlow.Experiments;
using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>Decoders of two SAEs trained on neighbouring layers of the embedded model: what matching is for. Trained once (minutes), kept in the benchmarks' folder.</summary>
internal static class TrainedPair
{
    /// <summary>W_dec of residual layers 2 and 3, [n, 160] each, rows scaled by their thresholds if folded.</summary>
    public static (Tensor A, Tensor B) Decoders(int n, string folder, bool folded)
    {
        var home = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"featureflow-trained-{n}"));
        if (!File.Exists(Path.Combine(home, "saes", "pack.yaml"))) Train(n, home);
        var pack = PackFile.Load(Path.Combine(home, "saes"));
        return (Decoder(pack, 2, folded), Decoder(pack, 3, folded));
    }

    private static Tensor Decoder(Pack pack, int layer, bool folded)
    {
        var opened = Session.Open(pack.Source);
        var sae = opened.Sae(layer, Site.Res);
        var weights_FD = sae.DecoderWeights_FD;
        var rows = Tensor.Allocate(DType.F32, weights_FD.Shape[0], weights_FD.Shape[1]);
        CpuEngine.Shared.GatherRows(weights_FD, [.. Enumerable.Range(0, rows.Shape[0])], rows);
        if (folded) CpuEngine.Shared.ScaleRows(rows, sae.Threshold_F!, rows);
        return rows;
    }

    private static void Train(int n, string home)
    {
        Directory.CreateDirectory(home);
        var teller = new StoryTeller(7);
        File.WriteAllLines(Path.Combine(home, "stories.jsonl"), Enumerable.Range(0, 8000).Select(i => JsonSerializer.Serialize(new { text = teller.Text(i) })));
        var file = Path.Combine(home, "train.yaml");
        var model = Path.Combine(SteerBenchmark.Root, "examples", "storyworld", "model");
        File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $$"""
            version: 1
            kind: sae-training
            model: {{model}}
            texts: stories.jsonl
            saes: [{site: res, layers: 2-3, features: {{n}}, l0: 20}]
            steps: 300
            batch: 2048
            """));
        ExperimentRunner.Run(ExperimentFile.Load(file), new RunOptions { Output = Path.Combine(home, "saes") });
    }
}
