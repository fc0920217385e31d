using FeatureFlow.Models;
using FeatureFlow.Models.Generation;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Engines.Tests;

/// <summary>What passes between host and device: counted, so that nothing does in secret.</summary>
[Collection("alone")]
public sealed class TransferTests
{
    [TorchFact]
    public void OfATokenTheIdsAloneComeBack()
    {
        foreach (var name in new[] { "gemma2-window", "gpt2", "llama31-bf16-sharded", "neox-sequential" })
        {
            using var engine = Engines.Open(new EngineOptions());
            using var model = LanguageModel.Open(Repository.Fixture("models", name), engine);
            Run(2); // weights are there
            var (few, many) = (Run(4), Run(14));
            Assert.Equal(10 * 3 * sizeof(long), many.Down - few.Down);

            // ids, positions, places in the cache, and numbers to draw by; a mask where rows are of different lengths is made there
            Assert.InRange(many.Up - few.Up, 10 * 3 * 2 * sizeof(long), 10 * 3 * 8 * sizeof(long));

            (long Up, long Down) Run(int tokens)
            {
                var before = engine.Memory!;
                GenerationPrompt[] prompts = [new([5, 6, 7, 8, 9], 0), new([100, 101], 1), new([3, 4], 2)];
                var texts = new Generator(model, decode: false).Run(prompts, new GenerationOptions { Seed = 1, MaxTokens = tokens, StopAtEos = false }).ToList();
                Assert.All(texts, t => Assert.Equal(tokens, t.Ids.Length));
                return (engine.Memory!.UploadedBytes - before.UploadedBytes, engine.Memory.DownloadedBytes - before.DownloadedBytes);
            }
        }
    }

    [TorchFact]
    public void TrainingStaysOnTheDevice()
    {
        const int Batch = 128, D = 24, F = 64, Steps = 10;
        foreach (var kind in Enum.GetValues<SaeTrainingKind>())
        {
            using var engine = Engines.Open(new EngineOptions());
            var at = new SiteAddress(0, Site.Res);
            using var x = Compare.Matrix(3, 4000, D);
            var recipe = new SaeRecipe { Address = at, FeatureCount = F, Kind = kind, TargetL0 = 6 };
            using var trainer = new SaeTrainer(engine, new ArrayActivationSource(engine, [(at, x)], seed: 3, "made up"), [recipe], new SaeTrainingOptions { Steps = 40, BatchSize = Batch, BufferTokens = 3000, Seed = 11 });
            trainer.Run(5);
            var before = engine.Memory!;
            trainer.Run(Steps);
            var (up, down) = ((engine.Memory!.UploadedBytes - before.UploadedBytes) / Steps, (engine.Memory.DownloadedBytes - before.DownloadedBytes) / Steps);

            // up: which rows of the buffer, a scale, θ; down: error by token, activity and θ by feature, for BatchTopK three numbers about the threshold. No activations, no weights
            Assert.InRange(up, 1, (Batch * sizeof(long)) + ((2 * D) + F) * sizeof(float));
            Assert.InRange(down, 1, ((Batch + (2 * F)) * sizeof(float)) + (kind == SaeTrainingKind.BatchTopK ? 3 * sizeof(double) : 0));
        }
    }
}
