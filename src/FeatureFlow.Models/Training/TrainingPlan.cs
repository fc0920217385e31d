using System.Text.Json;

namespace FeatureFlow.Models.Training;

/// <summary>Where training rows come from. Row <c>index</c> is always the same ids, so that training can be taken up anywhere.</summary>
public interface ITrainingRows
{
    /// <summary>Says what the rows are (seed, tokenizer, version): part of what a checkpoint belongs to.</summary>
    string Identity { get; }

    /// <summary>Fills [T+1] ids: those that are read, and each one's successor to be predicted. From several threads at once.</summary>
    void Fill(long index, Span<int> ids);
}

/// <summary>How a model is trained: AdamW, linear warm-up, then a half cosine down to a share of the peak.</summary>
public sealed record TrainingPlan
{
    /// <summary>The model.</summary>
    public required LlamaShape Shape { get; init; }

    /// <summary>Rows of one step.</summary>
    public int Rows { get; init; } = 16;

    /// <summary>Rows that are computed at once; divides <see cref="Rows"/>.</summary>
    public int RowsAtOnce { get; init; } = 8;

    /// <summary>Steps in all.</summary>
    public required int Steps { get; init; }

    /// <summary>Largest learning rate.</summary>
    public double PeakRate { get; init; } = 3e-3;

    /// <summary>Steps that the rate rises.</summary>
    public int WarmUp { get; init; } = 200;

    /// <summary>The share of the peak at the end.</summary>
    public double LastShare { get; init; } = 0.02;

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.98;

    /// <summary>Decoupled weight decay of matrices.</summary>
    public double Decay { get; init; } = 0.05;

    /// <summary>Largest norm of a gradient; longer ones are shortened.</summary>
    public double Clip { get; init; } = 1;

    /// <summary>An id that is never predicted (what begins a text), or −1.</summary>
    public int Unpredicted { get; init; } = -1;

    /// <summary>Seed of the first weights.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Steps between checkpoints.</summary>
    public int CheckpointEvery { get; init; } = 100;

    /// <summary>The learning rate of a step, counted from 1.</summary>
    public double Rate(long step)
    {
        if (step <= WarmUp) return PeakRate * step / WarmUp;
        var done = Math.Min(1, (step - WarmUp) / (double)Math.Max(1, Steps - WarmUp));
        return PeakRate * (LastShare + ((1 - LastShare) * 0.5 * (1 + Math.Cos(Math.PI * done))));
    }

    /// <summary>What a checkpoint belongs to: everything that its bits depend on.</summary>
    internal string Identity(string rows) => JsonSerializer.Serialize(this with { CheckpointEvery = 0 }) + rows;
}

/// <summary>One step as it was taken.</summary>
/// <param name="Step">From 1.</param>
/// <param name="Loss">Mean cross-entropy in nats per predicted token, before the step.</param>
/// <param name="Rate">Learning rate.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="Tokens">Tokens predicted in the step.</param>
public readonly record struct TrainingStep(long Step, double Loss, double Rate, double GradientNorm, int Tokens);
