using System.Text.Json;
using FeatureFlow.Experiments.Judging;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Steering;

/// <summary>Computes the units of a <see cref="SteeringSweepPlan"/>: many plans side by side in every forward pass, each unit stored as soon as its last text is judged.</summary>
internal sealed class SteeringSweep : IExperiment
{
    private const int PlansTogether = 48; // bounds what is held of plans: a matrix row a plan and site

    private readonly OpenedPack _pack;
    private readonly string _model;
    private readonly SteeringSweepPlan _plan;
    private readonly JudgeSettings _judge;
    private string? _answers;

    public SteeringSweep(OpenedPack pack, string model, SteeringSweepPlan plan, JudgeSettings judge, CancellationToken cancel)
    {
        (_pack, _model, _plan, _judge) = (pack, model, plan, judge);
        Inputs = new Dictionary<string, string> { ["saes"] = pack.ContentHash(cancel), ["model"] = ModelIdentity.Of(model) };
        Notes = pack.Warnings;
    }

    IExperimentPlan IExperiment.Plan => _plan;

    public string Pack => _pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs { get; }

    public IReadOnlyList<string> Notes { get; }

    public void Begin(string folder, bool force) => _answers = Path.Combine(folder, Judges.AnswersName);

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (units.Count == 0) yield break;
        using var lease = FlowEngine.Shared.Model(_model);
        using var judge = _plan.Subjects.Count > 0 ? Judges.Open(_judge, _plan.Subjects, _answers) : null;
        var ids = _plan.Prompts.Select(p => lease.Model.Tokenizer.Encode(p)).ToList();
        var (done, all) = (0, units.Count);
        foreach (var some in units.Chunk(PlansTogether))
        {
            var plans = some.Select(PlanOf).ToList();
            var perUnit = _plan.Prompts.Count * _plan.Samples;
            var tasks = (from plan in plans
                         from prompt in Enumerable.Range(0, ids.Count)
                         from sample in Enumerable.Range(0, _plan.Samples)
                         select new SteeringTask(plan, ids[prompt], _plan.Prompts[prompt], sample)).ToList();
            var finished = plans.Select(_ => new List<SteeringResult>()).ToList();
            foreach (var result in Steerer.Run(_pack, lease.Model, tasks, _plan.Options, cancel))
            {
                var unit = result.Task / perUnit;
                finished[unit].Add(result);
                if (finished[unit].Count < perUnit) continue;
                var texts = Judged(judge?.Judge, [.. finished[unit].OrderBy(r => r.Task)], unit * perUnit, cancel);
                yield return (some[unit], JsonSerializer.Serialize(new SteeringUnit(plans[unit].Edits, texts)));
                finished[unit].Clear();
                done++;
                progress?.Report(new FlowProgress($"plan {done} of {all}", (double)done / all));
            }
        }
    }

    private SteeringPlan PlanOf(int unit) =>
        unit == 0
            ? new SteeringPlan { Name = SteeringSweepPlan.UnsteeredUnit, Edits = [], Targets = _plan.Lineage.Targets }
            : SteeringPlanner.Make(_pack, _plan.Lineage, _plan.Recipes[unit - 1]);

    private List<SteeringText> Judged(IJudge? judge, List<SteeringResult> results, int firstTask, CancellationToken cancel)
    {
        var subjects = _plan.Subjects.Select(s => s.IndexOf(':', StringComparison.Ordinal) is var colon and > 0 ? new Subject(s[..colon].Trim(), s[(colon + 1)..].Trim()) : new Subject(s.Trim())).ToList();
        var answers = judge?.ScoreAsync([.. results.Select(r => new TextQuestion(r.Text, subjects, r.Prompt))], null, cancel).GetAwaiter().GetResult();
        var texts = new List<SteeringText>();
        for (var i = 0; i < results.Count; i++)
        {
            for (var s = 0; s < Math.Max(1, subjects.Count); s++)
            {
                var r = results[i];
                var answer = answers?[i];
                texts.Add(new SteeringText(
                    (r.Task - firstTask) / _plan.Samples, r.Sample, r.Text, r.Ids.Length, r.End, r.PerturbationNorm, r.Kl, r.Perplexity, r.TargetBefore, r.TargetAfter,
                    subjects.Count > 0 ? subjects[s].Name : null, answer?.Coherence, answer?.Behavioral[s], answer is null ? null : judge!.Name, answer?.Problem));
            }
        }

        return texts;
    }
}
