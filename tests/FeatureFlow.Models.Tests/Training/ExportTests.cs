using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Models.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Training;

/// <summary>What the trainers write is what the readers read.</summary>
public sealed class ExportTests
{
    [Fact]
    public void The_reader_of_tokenizers_gives_the_same_ids()
    {
        using var folder = new TempFolder();
        var trainer = new BpeTrainer();
        trainer.Add("The ship sailed. \"Land ahead!\" said Tom. The ship's bell rang, and rang.");
        var bpe = trainer.Train(300);
        bpe.Save(folder.Path, 64);
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal((TrainedBpe.Bos, TrainedBpe.Eos), (tokenizer.BosId, tokenizer.EosId));
        Assert.Equal(bpe.VocabularySize, tokenizer.VocabularySize);
        foreach (var text in (string[])["The ship sailed.", "I think ", " the  bell\n\nrang ", "Zürich — 東京 🙂", "'s 're ABC123 <s> x"])
        {
            var ids = tokenizer.Encode(text, special: false);
            if (!text.Contains("<s>", StringComparison.Ordinal)) Assert.Equal(bpe.Encode(text), ids);
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.Equal([TrainedBpe.Bos, .. ids], tokenizer.Encode(text));
        }
    }

    [Fact]
    public void The_reader_of_models_computes_the_same_loss()
    {
        using var folder = new TempFolder();
        var shape = new LlamaShape(Layers: 2, Width: 48, Heads: 3, Inner: 80, Vocabulary: 37, Context: 24);
        var rows = new Mixed();
        using var trainer = new LanguageModelTrainer(new TrainingPlan { Shape = shape, Rows = 2, RowsAtOnce = 2, Steps = 30, PeakRate = 0.01, WarmUp = 3 }, rows, CpuEngine.Shared);
        while (trainer.Step < 30) trainer.Advance();
        trainer.Export(folder.Path, 0, 1);
        using var model = LanguageModel.Open(folder.Path, CpuEngine.Shared);
        var ids = new int[shape.Context + 1];
        double sum = 0;
        for (var row = 100; row < 102; row++)
        {
            rows.Fill(row, ids);
            using var result = model.Forward(new TokenBatch([ids[..shape.Context]]));
            var logits = result.Logits!.AsSpan<float>();
            for (var t = 0; t < shape.Context; t++)
            {
                var own = logits.Slice(t * shape.Vocabulary, shape.Vocabulary).ToArray().Select(x => (double)x).ToArray();
                sum += Math.Log(own.Sum(Math.Exp)) - own[ids[t + 1]];
            }
        }

        var loss = trainer.Evaluate(rows, 100, 2);
        Assert.InRange(loss, 0.5, 3.3);
        Assert.Equal(loss, sum / (2 * shape.Context), 2e-3); // float16 weights
    }

    private sealed class Mixed : ITrainingRows
    {
        public string Identity => "mixed";

        public void Fill(long index, Span<int> ids)
        {
            var random = new Prng(5, (ulong)index);
            var at = random.Next(37);
            for (var i = 0; i < ids.Length; i++) ids[i] = at = (at + 1 + random.Next(3)) % 37;
        }
    }
}
