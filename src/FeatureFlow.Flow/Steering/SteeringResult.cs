namespace FeatureFlow.Flow;

/// <summary>Which tokens are steered.</summary>
public enum SteeredTokens
{
    /// <summary>Those of the prompt and those that are written.</summary>
    All,

    /// <summary>Those of the prompt.</summary>
    Prompt,

    /// <summary>Those that are written: what is read after the prompt.</summary>
    Continuation,
}

/// <summary>A text to be written: one plan, one prompt, one number that with the seed decides the draws.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Ids">Tokens of the prompt, BOS included where the model wants one.</param>
/// <param name="Prompt">Its text, for the result; empty for a model without tokenizer.</param>
/// <param name="Sample">Number of the sample: equal numbers draw alike under every plan.</param>
public sealed record SteeringTask(SteeringPlan Plan, int[] Ids, string Prompt, int Sample = 0);

/// <summary>A text that was written under a plan, and what the plan did. Means are over the tokens that predict a new one.</summary>
public sealed record SteeringResult
{
    /// <summary>The pack's source path.</summary>
    public required string Pack { get; init; }

    /// <summary>Name of the plan.</summary>
    public required string Plan { get; init; }

    /// <summary>Its method, or null for a plan made by hand.</summary>
    public EditMethod? Method { get; init; }

    /// <summary>Its mode, or null.</summary>
    public SteeringMode? Mode { get; init; }

    /// <summary>Its schedule, or null.</summary>
    public SteeringSchedule? Schedule { get; init; }

    /// <summary>Its layer, null for a plan that does nothing.</summary>
    public int? Layer { get; init; }

    /// <summary>Its coefficient, or null.</summary>
    public double? Coefficient { get; init; }

    /// <summary>The prompt.</summary>
    public required string Prompt { get; init; }

    /// <summary>Number of the sample.</summary>
    public required int Sample { get; init; }

    /// <summary>Seed of the draws.</summary>
    public required ulong Seed { get; init; }

    /// <summary>What was written, the prompt not among it.</summary>
    public required string Text { get; init; }

    /// <summary>Its tokens.</summary>
    public required int[] Ids { get; init; }

    /// <summary>Why it ended: eos, stop, length, context.</summary>
    public required string End { get; init; }

    /// <summary>L2 norms of what was done to the hidden state, summed over sites, mean over all tokens that were read; null when not measured.</summary>
    public double? PerturbationNorm { get; init; }

    /// <summary>Kullback-Leibler divergence of the steered from the unsteered next-token distribution in nats, mean; null when not measured.</summary>
    public double? Kl { get; init; }

    /// <summary>Perplexity of what was written under the unsteered model; null when not measured, or nothing was written.</summary>
    public double? Perplexity { get; init; }

    /// <summary>Activation of the plan's targets while the unsteered model reads the text, mean over tokens and targets; null without targets.</summary>
    public double? TargetBefore { get; init; }

    /// <summary>The same in the steered model.</summary>
    public double? TargetAfter { get; init; }

    /// <summary>Number of the task in the list that was given.</summary>
    public int Task { get; init; }
}
