using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Generation;

/// <summary>How text is drawn from a model.</summary>
public sealed record GenerationOptions
{
    /// <summary>New tokens at most.</summary>
    public int MaxTokens { get; init; } = 128;

    /// <summary>0 takes the likeliest token; 1 draws from the model's own distribution.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Draws from the likeliest tokens that together have this probability; 1 for all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Draws from so many of the likeliest tokens; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>With the number of the sample, decides every draw, whatever else is in the batch.</summary>
    public ulong Seed { get; init; }

    /// <summary>Texts that end a sample; they are not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether the model's end-of-text tokens end a sample.</summary>
    public bool StopAtEos { get; init; } = true;

    /// <summary>Samples computed side by side.</summary>
    public int RowsTogether { get; init; } = 32;

    /// <summary>Looks at and changes activations, in the prompt too; <see cref="TokenBatch.Owners"/> says which prompt a row is of.</summary>
    public ISiteHook? Hook { get; init; }

    /// <summary>Told the logits [R,V] of every pass, a row for each text that goes on, and which prompt each is of; valid during the call only. A prompt that several texts share is told once.</summary>
    public Action<Tensor, IReadOnlyList<int>>? OnLogits { get; init; }

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="FeatureFlowException">FF2301: one out of range, and which.</exception>
    public void Validate()
    {
        if (MaxTokens < 1) throw ModelErrors.BadSampling($"At least 1 token must be asked for, not {MaxTokens}.");
        if (!(Temperature >= 0 && float.IsFinite(Temperature))) throw ModelErrors.BadSampling(FormattableString.Invariant($"The temperature must be 0 or more, not {Temperature}."));
        if (!(TopP is > 0 and <= 1)) throw ModelErrors.BadSampling(FormattableString.Invariant($"top-p must be above 0 and at most 1, not {TopP}."));
        if (TopK < 0) throw ModelErrors.BadSampling($"top-k must be 0 (all) or more, not {TopK}.");
        if (RowsTogether < 1) throw ModelErrors.BadSampling($"At least 1 row must be computed at a time, not {RowsTogether}.");
        if (Stop.Any(s => s.Length == 0)) throw ModelErrors.BadSampling("A stop text is empty.");
    }

    internal SamplingRow Row(Prng random) => new(random.NextDouble(), Temperature, TopK, TopP);
}

/// <summary>What a sample begins with.</summary>
/// <param name="Ids">Its tokens, BOS included where the model wants one.</param>
/// <param name="Sample">Its number, which with the seed decides its draws.</param>
/// <param name="Variant">Prompts of equal tokens share one computation of them only if their variants are equal too (a hook may treat them differently).</param>
public sealed record GenerationPrompt(int[] Ids, int Sample = 0, object? Variant = null);

/// <summary>Why a sample ended.</summary>
public enum GenerationEnd
{
    /// <summary>An end-of-text token.</summary>
    Eos,

    /// <summary>A stop text.</summary>
    Stop,

    /// <summary>As many tokens as were asked for.</summary>
    Length,

    /// <summary>The model's context is full.</summary>
    Context,
}

/// <summary>A finished sample.</summary>
/// <param name="Prompt">Number of its prompt in the list.</param>
/// <param name="Sample">Its sample number.</param>
/// <param name="Ids">New tokens, the end-of-text token not among them.</param>
/// <param name="Text">Their text, cut before a stop text; empty for a model without tokenizer.</param>
/// <param name="End">Why it ended.</param>
public sealed record GeneratedText(int Prompt, int Sample, int[] Ids, string Text, GenerationEnd End);
