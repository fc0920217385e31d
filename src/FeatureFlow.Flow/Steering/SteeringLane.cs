using FeatureFlow.Models;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.Flow;

/// <summary>Writes and measures texts of a <see cref="SteeringWork"/>, as many side by side as its rows, until none is waiting. For one thread.</summary>
internal sealed class SteeringLane : IDisposable
{
    private const int TokensMeasuredTogether = 2048;

    private readonly SteeringWork _work;
    private readonly InterventionHook _hook;
    private readonly SteeredTrace? _trace;
    private readonly SteeringMeasures? _measures;

    public SteeringLane(SteeringWork work)
    {
        _work = work;
        _hook = work.Edits.Hook([.. work.Tasks.Select((t, i) => new RowEdits(work.PlanOf[i], work.Options.Where(t.Ids.Length)))]);
        _trace = work.Options.Measure ? new SteeredTrace(work, _hook) : null;
        _measures = _trace is null ? null : new SteeringMeasures(work, _trace);
    }

    /// <summary>The texts, each as soon as it is finished and measured.</summary>
    public IEnumerable<SteeringResult> Run(CancellationToken cancel)
    {
        var tasks = _work.Tasks;
        var generation = _work.Options.Generation with { RowsTogether = _work.RowsTogether, Hook = (ISiteHook?)_trace ?? _hook, OnLogits = _trace is null ? null : _trace.Keep };
        var decode = tasks.Any(t => t.Prompt.Length > 0) || File.Exists(Path.Combine(_work.Model.Folder, "tokenizer.json"));
        var waiting = new List<GeneratedText>();
        foreach (var text in new Generator(_work.Model, decode).Run(_work.Queue, generation, cancel: cancel))
        {
            waiting.Add(text);
            if (waiting.Count < generation.RowsTogether && waiting.Sum(w => tasks[w.Prompt].Ids.Length + w.Ids.Length) < TokensMeasuredTogether) continue;
            foreach (var result in Finished()) yield return result;
        }

        foreach (var result in Finished()) yield return result;

        IEnumerable<SteeringResult> Finished()
        {
            if (waiting.Count == 0) yield break;
            var measured = _measures?.Of([.. waiting.Select(w => (w.Prompt, w.Ids))], cancel);
            for (var i = 0; i < waiting.Count; i++) yield return Result(waiting[i], measured?[i]);
            waiting.Clear();
        }
    }

    public void Dispose()
    {
        _measures?.Dispose();
        _trace?.Dispose();
        _hook.Dispose();
    }

    private SteeringResult Result(GeneratedText text, TextMeasures? measured)
    {
        var task = _work.Tasks[text.Prompt];
        var recipe = task.Plan.Recipe;
        return new SteeringResult
        {
            Pack = _work.Pack.Pack.Source,
            Plan = task.Plan.Name,
            Method = recipe?.Method,
            Mode = recipe?.Mode,
            Schedule = recipe?.Schedule,
            Layer = task.Plan.Layer,
            Coefficient = recipe?.Coefficient,
            Prompt = task.Prompt,
            Sample = text.Sample,
            Seed = _work.Options.Generation.Seed,
            Text = text.Text,
            Ids = text.Ids,
            End = text.End.ToString().ToLowerInvariant(),
            PerturbationNorm = measured?.Norm,
            Kl = measured?.Kl,
            Perplexity = measured?.Perplexity,
            TargetBefore = measured?.Before,
            TargetAfter = measured?.After,
            Task = text.Prompt,
        };
    }
}
