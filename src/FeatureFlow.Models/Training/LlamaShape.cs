namespace FeatureFlow.Models.Training;

/// <summary>The extents of a Llama-shaped model: RMSNorm, rotary positions, as many key heads as query heads, SwiGLU, tied embeddings.</summary>
/// <param name="Layers">Blocks.</param>
/// <param name="Width">D of the residual stream.</param>
/// <param name="Heads">Attention heads; Width / Heads is even.</param>
/// <param name="Inner">Width of the MLP inside.</param>
/// <param name="Vocabulary">V.</param>
/// <param name="Context">T of a training row.</param>
public sealed record LlamaShape(int Layers, int Width, int Heads, int Inner, int Vocabulary, int Context)
{
    /// <summary>Added to the mean square under the root.</summary>
    public float Epsilon { get; init; } = 1e-5f;

    /// <summary>Base of the rotary frequencies.</summary>
    public float RopeTheta { get; init; } = 10000;

    /// <summary>S of one head.</summary>
    public int HeadWidth => Width / Heads;

    /// <summary>Parameters in all.</summary>
    public long ParameterCount => ((long)Vocabulary * Width) + (Layers * ((4L * Width * Width) + (3L * Width * Inner) + (2L * Width))) + Width;

    /// <summary>Multiplications and additions of training on one token: three times those of the forward pass, attention counted half for its mask.</summary>
    public double TrainingFlops => 6.0 * ((ParameterCount - (((2L * Layers) + 1) * Width)) + (Layers * Context * (long)Width));
}
