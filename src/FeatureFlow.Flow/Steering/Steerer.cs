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
/// Writes texts under steering plans, many plans and samples side by side in every forward pass: equal prompts under one plan are computed once, and a
/// text is the same alone and among others.
/// </summary>
public static class Steerer
{
    private const int TokensMeasuredTogether = 2048;

    /// <summary>The texts, each as soon as it is finished and measured.</summary>
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
        var plans = tasks.Select(t => t.Plan).Distinct(ReferenceEqualityComparer.Instance).Cast<SteeringPlan>().ToList();
        var numbers = plans.Select((p, i) => (p, i)).ToDictionary(p => (object)p.p, p => p.i, ReferenceEqualityComparer.Instance);
        int[] planOf = [.. tasks.Select(t => numbers[t.Plan])];

        using var set = new InterventionSet(pack, model, [.. plans.Select(p => p.Edits)], cancel);
        using var hook = set.Hook([.. tasks.Select((t, i) => new RowEdits(planOf[i], options.Where(t.Ids.Length)))]);
        using var trace = options.Measure ? new SteeredTrace(pack, set, hook, plans, tasks, planOf, options.Generation) : null;
        using var measures = trace is null ? null : new SteeringMeasures(pack, set, trace, plans, tasks, planOf);
        var prompts = tasks.Select((t, i) => new GenerationPrompt(t.Ids, t.Sample, planOf[i])).ToList();
        var decode = tasks.Any(t => t.Prompt.Length > 0) || File.Exists(Path.Combine(model.Folder, "tokenizer.json"));
        var waiting = new List<GeneratedText>();
        foreach (var text in new Generator(model, decode).Run(prompts, options.Generation with { Hook = (ISiteHook?)trace ?? hook, OnLogits = trace is null ? null : trace.Keep }, cancel: cancel))
        {
            waiting.Add(text);
            if (waiting.Count < options.Generation.RowsTogether && waiting.Sum(w => tasks[w.Prompt].Ids.Length + w.Ids.Length) < TokensMeasuredTogether) continue;
            foreach (var result in Finished()) yield return result;
        }

        foreach (var result in Finished()) yield return result;

        IEnumerable<SteeringResult> Finished()
        {
            if (waiting.Count == 0) yield break;
            var measured = measures?.Of([.. waiting.Select(w => (w.Prompt, w.Ids))], cancel);
            for (var i = 0; i < waiting.Count; i++) yield return Result(pack, tasks, waiting[i], options.Generation.Seed, measured?[i]);
            waiting.Clear();
        }
    }

    private static SteeringResult Result(OpenedPack pack, IReadOnlyList<SteeringTask> tasks, GeneratedText text, ulong seed, TextMeasures? measured)
    {
        var task = tasks[text.Prompt];
        var recipe = task.Plan.Recipe;
        return new SteeringResult
        {
            Pack = pack.Pack.Source,
            Plan = task.Plan.Name,
            Method = recipe?.Method,
            Mode = recipe?.Mode,
            Schedule = recipe?.Schedule,
            Layer = task.Plan.Layer,
            Coefficient = recipe?.Coefficient,
            Prompt = task.Prompt,
            Sample = text.Sample,
            Seed = seed,
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
