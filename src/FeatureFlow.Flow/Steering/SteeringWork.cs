using FeatureFlow.Models;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.Flow;

/// <summary>What all lanes of a run share: its tasks, the plans' edits, and the prompts that wait.</summary>
internal sealed class SteeringWork : IDisposable
{
    private const int LaneRows = 12;

    private readonly int[] _waiting;

    public SteeringWork(OpenedPack pack, LanguageModel model, IReadOnlyList<SteeringTask> tasks, SteeringOptions options, int lanes, CancellationToken cancel)
    {
        (Pack, Model, Tasks, Options, Lanes) = (pack, model, tasks, options, lanes);
        var numbers = new Dictionary<SteeringPlan, int>(ReferenceEqualityComparer.Instance);
        PlanOf = [.. tasks.Select(t => numbers.TryGetValue(t.Plan, out var n) ? n : numbers[t.Plan] = numbers.Count)];
        Plans = [.. numbers.OrderBy(p => p.Value).Select(p => p.Key)];

        // what is known of a prompt is known for all texts that go on from it under one plan
        var prompts = new Dictionary<(int, TokenKey), int>();
        PromptOf = [.. tasks.Select((t, i) => prompts.TryGetValue((PlanOf[i], new TokenKey(t.Ids)), out var n) ? n : prompts[(PlanOf[i], new TokenKey(t.Ids))] = prompts.Count)];
        _waiting = new int[prompts.Count];
        foreach (var prompt in PromptOf) _waiting[prompt]++;
        Queue = new WaitingPrompts([.. tasks.Select((t, i) => new GenerationPrompt(t.Ids, t.Sample, PlanOf[i]))], lanes);
        Order = [.. WaitingPrompts.Grouped(Queue.Prompts)];
        Edits = new InterventionSet(pack, model, [.. Plans.Select(p => p.Edits)], cancel);
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

    /// <summary>Number of what every task begins with, a prompt under a plan.</summary>
    public int[] PromptOf { get; }

    public WaitingPrompts Queue { get; }

    /// <summary>Tasks in the order in which they are begun, and their results given.</summary>
    public int[] Order { get; }

    public InterventionSet Edits { get; }

    /// <summary>Says that a text is measured.</summary>
    public void Finish(int task) => Interlocked.Decrement(ref _waiting[PromptOf[task]]);

    /// <summary>Whether no text that begins with it is still to be measured.</summary>
    public bool IsOver(int prompt) => Volatile.Read(ref _waiting[prompt]) == 0;

    public void Dispose() => Edits.Dispose();
}
