using FeatureFlow.Models;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.Flow;

/// <summary>How texts are written under plans.</summary>
public sealed record SteeringOptions
{
    /// <summary>Feature Flow's draws: temperature 1.27, top-p 0.7; 36 tokens.</summary>
    public static GenerationOptions PaperGeneration { get; } = new() { Temperature = 1.27f, TopP = 0.7f, MaxTokens = 36 };

    /// <summary>How tokens are drawn; its hook and who is told its logits must be null.</summary>
    public GenerationOptions Generation { get; init; } = PaperGeneration;

    /// <summary>Which tokens are steered.</summary>
    public SteeredTokens Tokens { get; init; } = SteeredTokens.All;

    /// <summary>Of those, these positions alone (BOS is 0); null for all.</summary>
    public IReadOnlySet<int>? Positions { get; init; }

    /// <summary>Measure what steering did: about two forward passes over every finished text.</summary>
    public bool Measure { get; init; } = true;

    internal EditPositions Where(int promptLength) => Tokens switch
    {
        SteeredTokens.Prompt => new EditPositions(0, promptLength - 1, Positions),
        SteeredTokens.Continuation => new EditPositions(promptLength, int.MaxValue, Positions),
        _ => new EditPositions(Only: Positions),
    };
}

/// <summary>
/// Writes texts under steering plans, many plans and samples side by side in every forward pass: equal prompts under one plan are computed once, those that no plan touches once for all plans, and a
/// text is the same alone and among others. Of a small model, whose operations are too short to be shared out, every core writes its own texts.
/// </summary>
public static class Steerer
{
    private const long SmallWeights = 16L << 20;
    private const int FewestTexts = 8; // of a lane
    private const int ResultsAhead = 256; // of whoever takes them

    /// <summary>
    /// The texts, each as soon as it and those before it are finished and measured: in the order of the tasks, but those that go on from one computed prompt with the first of them.
    /// </summary>
    /// <param name="pack">The pack that the plans' features are of.</param>
    /// <param name="model">The model.</param>
    /// <param name="tasks">What to write.</param>
    /// <param name="options">How.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001, FF4002, FF4040: features that the pack or the model does not have; FF23xx: options; FF2210: tokens that do not exist.</exception>
    public static IEnumerable<SteeringResult> Run(OpenedPack pack, LanguageModel model, IReadOnlyList<SteeringTask> tasks, SteeringOptions options, CancellationToken cancel = default)
    {
        options.Generation.Validate();
        if (options.Generation.Hook is not null || options.Generation.OnLogits is not null) throw new ArgumentException("The hook is the plans'.", nameof(options));
        return tasks.Count == 0 ? [] : Results(pack, model, tasks, options, cancel);
    }

    private static IEnumerable<SteeringResult> Results(OpenedPack pack, LanguageModel model, IReadOnlyList<SteeringTask> tasks, SteeringOptions options, CancellationToken cancel)
    {
        using var work = new SteeringWork(pack, model, tasks, options, Lanes(model, tasks, options), cancel);
        var (waiting, next) = (new Dictionary<int, SteeringResult>(), 0);
        foreach (var result in AsTheyCome())
        {
            waiting.Add(result.Task, result);
            while (next < tasks.Count && waiting.Remove(work.Order[next], out var ready))
            {
                next++;
                yield return ready;
            }
        }

        IEnumerable<SteeringResult> AsTheyCome() => work.Lanes == 1 ? OneLane() : SideBySide.Run(work.Lanes, Lane, ResultsAhead, cancel);

        IEnumerable<SteeringResult> OneLane()
        {
            using var lane = new SteeringLane(work);
            foreach (var result in lane.Run(cancel)) yield return result;
        }

        IEnumerable<SteeringResult> Lane(int number, CancellationToken stop)
        {
            using var alone = model.Engine.Alone();
            using var lane = new SteeringLane(work);
            foreach (var result in lane.Run(stop)) yield return result;
        }
    }

    private static int Lanes(LanguageModel model, IReadOnlyList<SteeringTask> tasks, SteeringOptions options) =>
        model.Config.ProductWeights > SmallWeights ? 1 : Math.Max(1, Math.Min(model.Engine.Lanes, Math.Min(tasks.Count, options.Generation.RowsTogether) / FewestTexts));
}
