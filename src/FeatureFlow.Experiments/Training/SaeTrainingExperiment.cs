using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Saes.Training;

namespace FeatureFlow.Experiments.Training;

/// <summary>
/// Trains the SAEs of a plan in one pass over the texts, writes them below the folder of results, and measures them on texts kept out. A run that is killed goes on from
/// its checkpoint, to the same bits.
/// </summary>
internal sealed class SaeTrainingExperiment : IExperiment
{
    private const ulong HeldOutKey = 0x6865; // its own draws

    // of all time spent, measuring takes some; the display needs a guess
    private const double TrainingShare = 0.9;

    private readonly SaeTrainingPlan _plan;
    private readonly string _model;
    private readonly IReadOnlyList<TokenDocument> _train;
    private readonly IReadOnlyList<TokenDocument> _held;
    private readonly int _checkpointEvery;
    private string _folder = "";

    public SaeTrainingExperiment(SaeTrainingPlan plan, string model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<string> notes, int checkpointEvery)
    {
        (_plan, _model, _checkpointEvery) = (plan, model, checkpointEvery);
        bool IsHeld(int i) => new Prng(plan.Options.Seed, HeldOutKey, (ulong)i).NextDouble() < plan.HeldOut;
        _train = [.. documents.Where((_, i) => !IsHeld(i))];
        _held = [.. UpTo(documents.Where((_, i) => IsHeld(i)), plan.MeasureTokens)];
        if (_held.Count == 0) _held = [.. UpTo(_train, plan.MeasureTokens)];
        Notes = plan.HeldOut > 0 ? notes : [.. notes, "held_out is 0: the SAEs are measured on the text they are trained on"];
        Inputs = new Dictionary<string, string> { ["model"] = ModelIdentity.Of(model), ["texts"] = TextHash(documents) };
    }

    public IExperimentPlan Plan => _plan;

    public string? Pack => null;

    public IReadOnlyDictionary<string, string> Inputs { get; }

    public IReadOnlyList<string> Notes { get; }

    public void Begin(string folder, bool force)
    {
        _folder = folder;
        if (!force || !Directory.Exists(folder)) return;
        foreach (var file in Directory.GetFiles(folder, "checkpoint-*.safetensors")) File.Delete(file);
    }

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (units.Count == 0) yield break;
        using var lease = FlowEngine.Shared.Model(_model);
        var recipes = units.Select(u => _plan.Recipes[u]).ToList();
        var checkpoint = Path.Combine(_folder, $"checkpoint-{Hash(string.Join('\n', units.Select(u => _plan.Units[u])))[..12]}.safetensors");
        var options = _plan.Options with { CheckpointPath = checkpoint, CheckpointEvery = _checkpointEvery };
        using var source = new ModelActivationSource(lease.Model, _train, [.. recipes.Select(r => r.Address).Distinct()], options.Seed);
        progress?.Report(new FlowProgress("first activations", 0));
        IReadOnlyList<TrainedSae> trained;
        IReadOnlyList<SaeTrainingFigures> figures;
        using (var trainer = new SaeTrainer(lease.Model.Engine, source, recipes, options, cancel))
        {
            trainer.Run(new Steps(progress), cancel);
            (trained, figures) = (trainer.Results(), trainer.Figures());
        }

        var files = trained.Select((t, i) => Write(t, figures[i].MeanL0, units[i])).ToList();
        var saes = files.Select(f => Sae.Open(Path.Combine(_folder, f[0].EndsWith(".npz", StringComparison.Ordinal) ? f[0] : Path.GetDirectoryName(f[0])!))).ToList();
        var measures = SaeEvaluation.Measure(lease.Model, _held, saes, _plan.Losses, new Measured(progress), cancel);
        foreach (var sae in saes) sae.Dispose();

        // all at once, so that a unit is done when all are: what trains together is taken up together
        var results = measures.Select((m, i) => new SaeTrainingResult(
            recipes[i].Address.Layer, recipes[i].Address.Site.Name(), m.MeanL0, m.ExplainedVariance, m.DeltaLoss, m.DeadShare, m.BaseLoss, m.ExplainedVarianceUncentred,
            m.MeanSquaredError, recipes[i].FeatureCount, SaeTrainingKinds.Name(recipes[i].Kind), figures[i].MeanL0, (long)options.Steps * options.BatchSize, _model, files[i])).ToList();
        for (var i = 0; i < units.Count; i++) yield return (units[i], JsonSerializer.Serialize(results[i]));
        File.Delete(checkpoint);
    }

    // paths relative to the folder; the first is the one that packs name
    private List<string> Write(TrainedSae sae, double l0, int unit)
    {
        var written = new List<string>();
        if (_plan.Formats.Contains("gemma-scope") && sae.Threshold_F is not null)
            written.Add(Relative(sae.WriteGemmaScope(Path.Combine(_folder, "saes"), l0, _plan.Type)));
        if (_plan.Formats.Contains("saelens") || sae.Threshold_F is null)
        {
            var folder = Path.Combine(_folder, "saelens", _plan.Units[unit]);
            sae.WriteSaeLens(folder, new SaeOrigin(Path.GetFileName(Path.TrimEndingDirectorySeparator(_plan.Model)), _plan.Context), _plan.Type);
            written.Add(Relative(Path.Combine(folder, "cfg.json")));
            written.Add(Relative(Path.Combine(folder, "sae_weights.safetensors")));
        }

        return written;
    }

    private string Relative(string path) => Path.GetRelativePath(_folder, path).Replace('\\', '/');

    private static IEnumerable<TokenDocument> UpTo(IEnumerable<TokenDocument> documents, int tokens)
    {
        long sum = 0;
        foreach (var document in documents)
        {
            if (sum >= tokens) yield break;
            sum += document.Positions;
            yield return document;
        }
    }

    private static string TextHash(IReadOnlyList<TokenDocument> documents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var document in documents) hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(document.Ids.AsSpan()));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private sealed class Steps(IProgress<FlowProgress>? to) : IProgress<SaeTrainingProgress>
    {
        private long _last;

        public void Report(SaeTrainingProgress value)
        {
            // counting the dead of wide SAEs at every step would cost more than it tells
            if (to is null || Environment.TickCount64 - _last < 500) return;
            _last = Environment.TickCount64;
            var (l0, error) = (value.Saes.Average(s => s.L0), value.Saes.Average(s => s.UnexplainedVariance));
            to.Report(new FlowProgress(string.Create(CultureInfo.InvariantCulture, $"step {value.Step} of {value.Steps}: L0 {l0:0.0}, unexplained {error:0.000}"), TrainingShare * value.Step / value.Steps));
        }
    }

    private sealed class Measured(IProgress<FlowProgress>? to) : IProgress<double>
    {
        public void Report(double value) => to?.Report(new FlowProgress("measuring", TrainingShare + (1 - TrainingShare) * value));
    }
}
