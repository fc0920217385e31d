using FeatureFlow.Models;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.Flow;

/// <summary>What all lanes of a run share: its tasks, the plans' edits, and the prompts that wait.</summary>
internal sealed class SteeringWork : IDisposable
{
    private const int LaneRows = 12;

    private const int Unsteered = -1;

    private readonly int[] _waiting;
    private readonly int[] _variantOf;

    public SteeringWork(OpenedPack pack, LanguageModel model, IReadOnlyList<SteeringTask> tasks, SteeringOptions options, int lanes, CancellationToken cancel)
    {
        (Pack, Model, Tasks, Options, Lanes) = (pack, model, tasks, options, lanes);
        var numbers = new Dictionary<SteeringPlan, int>(ReferenceEqualityComparer.Instance);
        PlanOf = [.. tasks.Select(t => numbers.TryGetValue(t.Plan, out var n) ? n : numbers[t.Plan] = numbers.Count)];
        Plans = [.. numbers.OrderBy(p => p.Value).Select(p => p.Key)];

        Edits = new InterventionSet(pack, model, [.. Plans.Select(p => p.Edits)], cancel);

        // what is known of a prompt is known for all texts that go on from it under one plan, and of one that no plan touches under all
        _variantOf = [.. tasks.Select((t, i) => Touches(i) ? PlanOf[i] : Unsteered)];
        var prompts = new Dictionary<(int, TokenKey), int>();
        PromptOf = [.. tasks.Select((t, i) => prompts.TryGetValue((_variantOf[i], new TokenKey(t.Ids)), out var n) ? n : prompts[(_variantOf[i], new TokenKey(t.Ids))] = prompts.Count)];
        _waiting = new int[prompts.Count];
        foreach (var prompt in PromptOf) _waiting[prompt]++;
        Queue = new WaitingPrompts([.. tasks.Select((t, i) => new GenerationPrompt(t.Ids, t.Sample, _variantOf[i]))], lanes);
        Order = [.. WaitingPrompts.Grouped(Queue.Prompts)];
    }

    public OpenedPack Pack { get; }

    public LanguageModel Model { get; }

    public IReadOnlyList<SteeringTask> Tasks { get; }

    public SteeringOptions Options { get; }

    /// <summary>How many take from the queue side by side.</summary>
    public int Lanes { get; }

    /// <summary>Rows of one of them: in a lane of several no more than fill the processor's registers, for all that a small model touches stays in the caches then.</summary>
    public int RowsTogether => Lanes == 1 ? Options.Generation.RowsTogether : Math.Clamp(Options.Generation.RowsTogether / Lanes, 1, LaneRows);

    public IReadOnlyList<SteeringPlan> Plans { get; }

    /// <summary>Number of every task's plan.</summary>
    public int[] PlanOf { get; }

    /// <summary>Number of what every task begins with: a prompt under a plan, or one that is as the unsteered model reads it, whatever the plan.</summary>
    public int[] PromptOf { get; }

    /// <summary>Whether a task's plan leaves its prompt alone, which is computed once for all such plans.</summary>
    public bool SharesPrompt(int task) => _variantOf[task] == Unsteered;

    public WaitingPrompts Queue { get; }

    /// <summary>Tasks in the order in which they are begun, and their results given.</summary>
    public int[] Order { get; }

    public InterventionSet Edits { get; }

    /// <summary>Says that a text is measured.</summary>
    public void Finish(int task) => Interlocked.Decrement(ref _waiting[PromptOf[task]]);

    /// <summary>Whether no text that begins with it is still to be measured.</summary>
    public bool IsOver(int prompt) => Volatile.Read(ref _waiting[prompt]) == 0;

    public void Dispose() => Edits.Dispose();

    // whether the plan of a task does anything to its prompt
    private bool Touches(int task)
    {
        var ids = Tasks[task].Ids;
        var where = Options.Where(ids.Length);
        return Edits.FirstLayer(PlanOf[task]) < Model.Config.Layers && Enumerable.Range(0, ids.Length).Any(where.Contains);
    }
}
