using System.Globalization;
using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Models.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>
/// Makes the Storyworld model and its SAEs from nothing: vocabulary from stories, weights from training on more of them, checkpoint written as a Hugging Face folder, SAEs
/// at every site written as a pack. The same
/// bits again on the same machine; a run that was stopped goes on from its last checkpoint to the same bits.
/// </summary>
public static class StoryworldBuild
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NewLine = "\n", PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private const ulong HeldOut = 0x48454C44; // the seed of held-out stories, beside the plan's
    private const int RowsPerStep = 8;
    private const double ModelShare = 0.5; // of the time that it all takes
    private const string CheckpointName = "checkpoint.safetensors";
    private const string LogName = "training.csv";
    private const string LogHeader = "step,loss,rate,gradient_norm,tokens";

    /// <summary>
    /// Builds into <paramref name="folder"/>: model/ (checkpoint, tokenizer, metrics.json), training/ (log, and the checkpoint to go on from), saes/, pack.yaml and metrics.csv.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF2401: the folder holds the checkpoint of another plan; FF2030: cannot be written.</exception>
    public static StoryworldReport Run(string folder, StoryworldPlan plan, ITensorEngine engine, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        var model = Path.Combine(folder, "model");
        var training = Path.Combine(folder, "training");
        var teller = new StoryTeller(plan.Seed);
        progress?.Report(new FlowProgress("vocabulary", 0));
        var bpe = Vocabulary(teller, plan, cancel);
        bpe.Save(model, plan.Shape.Context);

        // stories of the vocabulary and of training are the same: neither is held out
        var rows = new StoryRows(teller, plan.Seed, bpe);
        using var trainer = new LanguageModelTrainer(Training(plan), rows, engine);
        var checkpoint = Path.Combine(training, CheckpointName);
        var log = new TrainingLog(Path.Combine(training, LogName), trainer.TryResume(checkpoint) ? trainer.Step : 0);
        while (trainer.Step < plan.LastStep)
        {
            if (cancel.IsCancellationRequested)
            {
                trainer.Save(checkpoint);
                log.Flush();
                cancel.ThrowIfCancellationRequested();
            }

            var step = trainer.Advance();
            log.Add(step);
            progress?.Report(new FlowProgress(string.Create(CultureInfo.InvariantCulture, $"step {step.Step} of {plan.Steps}, loss {log.Recent:0.000}"), ModelShare * step.Step / plan.Steps));
            if (trainer.Step % plan.CheckpointEvery != 0 && trainer.Step != plan.LastStep) continue;
            log.Flush();
            trainer.Save(checkpoint);
        }

        trainer.Export(model, TrainedBpe.Bos, TrainedBpe.Eos);
        var report = Measure(trainer, plan, bpe, log.Tokens);
        AtomicFile.WriteText(Path.Combine(model, "metrics.json"), JsonSerializer.Serialize(report, Json) + "\n");
        if (plan.LastStep == plan.Steps) StoryworldSaes.Train(folder, plan, progress is null ? null : new Part(progress, ModelShare), cancel);
        return report;
    }

    private static TrainingPlan Training(StoryworldPlan plan) => new()
    {
        Shape = plan.Shape,
        Rows = RowsPerStep,
        RowsAtOnce = RowsPerStep,
        Steps = plan.Steps,
        Seed = plan.Seed,
        WarmUp = Math.Min(200, plan.Steps / 10),
        CheckpointEvery = plan.CheckpointEvery,
        Unpredicted = TrainedBpe.Bos,
    };

    private static TrainedBpe Vocabulary(StoryTeller teller, StoryworldPlan plan, CancellationToken cancel)
    {
        var trainer = new BpeTrainer();
        for (var i = 0; i < plan.VocabularyStories; i++)
        {
            cancel.ThrowIfCancellationRequested();
            trainer.Add(teller.Text(i));
        }

        return trainer.Train(plan.Shape.Vocabulary);
    }

    private static StoryworldReport Measure(LanguageModelTrainer trainer, StoryworldPlan plan, TrainedBpe bpe, long tokens)
    {
        var rows = new WholeStoryRows(new StoryTeller(plan.Seed ^ HeldOut), bpe);
        var count = plan.HeldOutStories / RowsPerStep * RowsPerStep;
        var (nats, length, stories) = rows.Entropy(0, count, plan.Shape.Context);
        var loss = trainer.Evaluate(rows, 0, count);
        return new StoryworldReport(trainer.Step, tokens, stories, loss, nats / length, loss * length, nats);
    }

    // the rest of the way
    private sealed class Part(IProgress<FlowProgress> whole, double from) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value) => whole.Report(new FlowProgress("SAEs: " + value.Stage, from + ((1 - from) * value.Done)));
    }

    /// <summary>One line for each step; lines after the checkpoint that a run goes on from are forgotten.</summary>
    private sealed class TrainingLog
    {
        private const double Memory = 0.98;

        private readonly string _path;
        private readonly List<string> _lines = [];

        public TrainingLog(string path, long steps)
        {
            _path = path;
            if (steps == 0 || !File.Exists(path)) return;
            foreach (var line in File.ReadLines(path).Skip(1).Take((int)steps)) Take(line);
        }

        public double Recent { get; private set; } = double.NaN;

        public long Tokens { get; private set; }

        public void Add(TrainingStep s) => Take(FormattableString.Invariant($"{s.Step},{(float)s.Loss},{(float)s.Rate},{(float)s.GradientNorm},{s.Tokens}"));

        public void Flush() => AtomicFile.WriteText(_path, string.Join('\n', _lines.Prepend(LogHeader)) + "\n");

        private void Take(string line)
        {
            var cells = line.Split(',');
            var loss = double.Parse(cells[1], CultureInfo.InvariantCulture);
            Recent = double.IsNaN(Recent) ? loss : (Memory * Recent) + ((1 - Memory) * loss);
            Tokens += long.Parse(cells[^1], CultureInfo.InvariantCulture);
            _lines.Add(line);
        }
    }
}
