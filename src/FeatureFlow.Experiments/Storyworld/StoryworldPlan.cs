using FeatureFlow.Models.Training;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>How the Storyworld model is made. The defaults are the model that ships.</summary>
public sealed record StoryworldPlan
{
    /// <summary>A toy of the same making, done in seconds: to try the machinery.</summary>
    public static StoryworldPlan Quick { get; } = new()
    {
        VocabularyStories = 300,
        HeldOutStories = 16,
        Shape = new LlamaShape(Layers: 2, Width: 64, Heads: 2, Inner: 96, Vocabulary: 512, Context: 256),
        Steps = 8,
        CheckpointEvery = 3,
        SaeFeatures = 96,
        SaeSteps = 8,
    };

    /// <summary>Of stories and of first weights.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Stories that the vocabulary is learned from.</summary>
    public int VocabularyStories { get; init; } = 20_000;

    /// <summary>Stories kept apart, told by another seed, for the comparison with the entropy.</summary>
    public int HeldOutStories { get; init; } = 512;

    /// <summary>The model.</summary>
    public LlamaShape Shape { get; init; } = new(Layers: 6, Width: 160, Heads: 5, Inner: 448, Vocabulary: 2304, Context: 256);

    /// <summary>Steps of 8 rows, 2,048 tokens.</summary>
    public int Steps { get; init; } = 4000;

    /// <summary>Where to stop on the way, or null: the model is written as it is there, and the folder can go on later.</summary>
    public int? Until { get; init; }

    /// <summary>Steps between checkpoints.</summary>
    public int CheckpointEvery { get; init; } = 100;

    /// <summary>Features of each SAE.</summary>
    public int SaeFeatures { get; init; } = 1024;

    /// <summary>Active features of a token that the penalty is steered towards.</summary>
    public double SaeL0 { get; init; } = 16;

    /// <summary>Updates of 2,048 tokens of the SAEs.</summary>
    public int SaeSteps { get; init; } = 1500;

    internal int LastStep => Math.Min(Steps, Until ?? Steps);
}

/// <summary>How good the model is, measured on held-out stories against the teller's own probabilities of them.</summary>
/// <param name="Steps">Steps trained.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Stories">Held-out stories.</param>
/// <param name="Loss">Nats per token, the end of the story counted as one, its beginning not.</param>
/// <param name="Entropy">The teller's −log P per token of the same stories: no model can be better on average.</param>
/// <param name="LossPerStory">Nats per story.</param>
/// <param name="EntropyPerStory">Nats per story.</param>
public sealed record StoryworldReport(long Steps, long Tokens, int Stories, double Loss, double Entropy, double LossPerStory, double EntropyPerStory);
