using FeatureFlow.Models;

namespace FeatureFlow.Saes.Training;

/// <summary>What is trained at one site.</summary>
public enum SaeTrainingKind
{
    /// <summary>A threshold for every feature, learned through straight-through estimators (Gemma Scope).</summary>
    JumpRelu,

    /// <summary>The k largest of every token.</summary>
    TopK,

    /// <summary>The k·T largest of a batch of T tokens; a threshold is fitted for inference, so that it is used, and written, as JumpReLU.</summary>
    BatchTopK,
}

/// <summary>
/// How one SAE is trained (METHODS 7). Lengths are those of inputs scaled to a mean norm of √d, so that numbers mean the same at every site and width; losses are per
/// coordinate: |x − x̂|²/d + penalty·L0.
/// </summary>
public sealed record SaeRecipe
{
    /// <summary>Where.</summary>
    public required SiteAddress Address { get; init; }

    /// <summary>F.</summary>
    public required int FeatureCount { get; init; }

    /// <summary>σ.</summary>
    public SaeTrainingKind Kind { get; init; }

    /// <summary>k of TopK and BatchTopK; for JumpReLU the mean L0 that the penalty is steered towards, or null for a constant penalty.</summary>
    public double? TargetL0 { get; init; }

    /// <summary>Loss per active feature, JumpReLU alone: the constant, or where steering starts.</summary>
    public double Penalty { get; init; } = 3e-3;

    /// <summary>Width ε of the rectangle around the threshold.</summary>
    public double Bandwidth { get; init; } = 0.4;

    /// <summary>Mean L0 that the first thresholds are set for, in multiples of the target (of 64 when there is none).</summary>
    public double InitialL0Factor { get; init; } = 2;

    /// <summary>Peak learning rate.</summary>
    public double Rate { get; init; } = 3e-3;

    /// <summary>Factor of the rate for the logarithms of thresholds.</summary>
    public double ThresholdRateFactor { get; init; } = 3;

    /// <summary>Decay of Adam's second moment; the first has none (β₁ = 0).</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Adam's ε.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Steps over which the rate rises from 0.</summary>
    public int WarmUpSteps { get; init; } = 200;

    /// <summary>Steps over which the penalty rises from 0.</summary>
    public int PenaltyWarmUpSteps { get; init; } = 500;

    /// <summary>Share of all steps, at the end, over which the rate falls to 0.</summary>
    public double DecayShare { get; init; } = 0.25;

    /// <summary>Noise of the first decoder rows, in multiples of the activations they start from.</summary>
    public double InitialNoise { get; init; } = 0.3;

    /// <summary>Every so many steps, until the rate decays, dead features start anew from badly reconstructed tokens; 0 for never.</summary>
    public int ReviveEvery { get; init; } = 20;

    internal void Check()
    {
        if (FeatureCount < 1) throw SaeErrors.Recipe(Address, "features", FeatureCount, "must be at least 1");
        if (Kind != SaeTrainingKind.JumpRelu && TargetL0 is not { } ) throw SaeErrors.Recipe(Address, "k", "nothing", "is needed: the number of active features of a token");
        if (TargetL0 is { } l0 && (l0 <= 0 || l0 > FeatureCount)) throw SaeErrors.Recipe(Address, "l0", l0, $"must lie between 0 and the {FeatureCount} features");
        if (Kind == SaeTrainingKind.TopK && TargetL0 is { } k && k != Math.Floor(k)) throw SaeErrors.Recipe(Address, "k", k, "must be a whole number");
        if (!(Bandwidth > 0)) throw SaeErrors.Recipe(Address, "bandwidth", Bandwidth, "must be positive");
        if (!(Rate > 0) || !double.IsFinite(Rate)) throw SaeErrors.Recipe(Address, "rate", Rate, "must be positive");
        if (!(Penalty >= 0)) throw SaeErrors.Recipe(Address, "penalty", Penalty, "must not be negative");
        if (DecayShare is not (>= 0 and <= 1)) throw SaeErrors.Recipe(Address, "decay", DecayShare, "must lie between 0 and 1");
        if (Beta2 is not (>= 0 and < 1)) throw SaeErrors.Recipe(Address, "beta2", Beta2, "must lie between 0 and 1");
        if (WarmUpSteps < 0 || PenaltyWarmUpSteps < 0 || ReviveEvery < 0) throw SaeErrors.Recipe(Address, "steps", Math.Min(WarmUpSteps, Math.Min(PenaltyWarmUpSteps, ReviveEvery)), "must not be negative");
    }
}

/// <summary>What all SAEs of a run share.</summary>
public sealed record SaeTrainingOptions
{
    /// <summary>Updates.</summary>
    public required int Steps { get; init; }

    /// <summary>Tokens of an update.</summary>
    public int BatchSize { get; init; } = 2048;

    /// <summary>Tokens that are read and shuffled together; a multiple of the batch is used.</summary>
    public int BufferTokens { get; init; } = 1 << 16;

    /// <summary>Of everything drawn by chance.</summary>
    public ulong Seed { get; init; }

    /// <summary>A feature that has not been active for so many tokens counts as dead.</summary>
    public long DeadAfterTokens { get; init; } = 1_000_000;

    /// <summary>Where the state is kept, or null for nowhere. A run that finds it goes on from there, to the same bits.</summary>
    public string? CheckpointPath { get; init; }

    /// <summary>Steps between two states kept.</summary>
    public int CheckpointEvery { get; init; } = 500;

    internal void Check()
    {
        if (Steps < 1) throw SaeErrors.Option("steps", Steps);
        if (BatchSize < 1) throw SaeErrors.Option("batch", BatchSize);
        if (BufferTokens < BatchSize) throw SaeErrors.Option("buffer", BufferTokens);
        if (CheckpointEvery < 1) throw SaeErrors.Option("checkpoint every", CheckpointEvery);
        if (DeadAfterTokens < 1) throw SaeErrors.Option("dead after", DeadAfterTokens);
    }
}
