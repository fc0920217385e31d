using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers;

/// <summary>One layer: what is done around its two blocks.</summary>
/// <param name="AttentionNorm">Before attention.</param>
/// <param name="Attention">Attention.</param>
/// <param name="AfterAttention">After its output projection, before it is added (Gemma 2), or null.</param>
/// <param name="MlpNorm">Before the MLP.</param>
/// <param name="Mlp">MLP.</param>
/// <param name="AfterMlp">After the MLP, before it is added (Gemma 2), or null.</param>
/// <param name="Parallel">True where the MLP reads what attention reads (NeoX), not what attention has changed.</param>
internal sealed record Layer(Norm AttentionNorm, AttentionBlock Attention, Norm? AfterAttention, Norm MlpNorm, MlpBlock Mlp, Norm? AfterMlp, bool Parallel = false);

/// <summary>A decoder-only transformer, put together by an architecture from the weights of a checkpoint.</summary>
internal sealed record Transformer : IDisposable
{
    public required ModelConfig Config { get; init; }

    /// <summary>Embedding [V,D].</summary>
    public required Tensor Embedding_VD { get; init; }

    /// <summary>Multiplies the embedding (Gemma: √D).</summary>
    public float EmbeddingFactor { get; init; } = 1;

    /// <summary>Learned positions [P,D] added to it (GPT-2), or null.</summary>
    public Tensor? Positions_PD { get; init; }

    /// <summary>Rotary positions, or null.</summary>
    public RotaryTable? Rotary { get; init; }

    public required IReadOnlyList<Layer> Layers { get; init; }

    public required Norm FinalNorm { get; init; }

    /// <summary>To logits; often the embedding transposed.</summary>
    public required Linear Unembedding { get; init; }

    /// <summary>cap·tanh(logit/cap) (Gemma 2), 0 for none.</summary>
    public float FinalSoftCap { get; init; }

    public void Dispose() => Rotary?.Dispose();
}

/// <summary>One file of Architectures: reads the configuration and names the weights of one family.</summary>
internal interface IArchitecture
{
    /// <summary>model_type of config.json.</summary>
    string Family { get; }

    Transformer Build(Checkpoints.Checkpoint checkpoint, ITensorEngine engine);
}
