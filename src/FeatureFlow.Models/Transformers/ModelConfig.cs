namespace FeatureFlow.Models;

/// <summary>The extents of a model, in the field's terms.</summary>
/// <param name="Family">model_type of config.json: gemma2, llama, gpt2, gpt_neox.</param>
/// <param name="Layers">Number of layers.</param>
/// <param name="Width">D, of the residual stream.</param>
/// <param name="Vocabulary">V, rows of the embedding; may exceed the tokenizer's.</param>
/// <param name="Context">Positions it was made for.</param>
/// <param name="Heads">H, query heads.</param>
/// <param name="KeyValueHeads">G.</param>
/// <param name="HeadWidth">S.</param>
/// <param name="MlpWidth">Width inside the MLP.</param>
/// <param name="Bos">Beginning-of-text token, if config.json names one.</param>
/// <param name="Eos">Tokens that end a text; may be none.</param>
public sealed record ModelConfig(
    string Family, int Layers, int Width, int Vocabulary, int Context, int Heads, int KeyValueHeads, int HeadWidth, int MlpWidth, int? Bos, IReadOnlyList<int> Eos)
{
    /// <summary>Numbers in the weights that every token is multiplied with: all but embeddings, norms and biases.</summary>
    public long ProductWeights
    {
        get
        {
            var gates = Family is "gpt2" or "gpt_neox" ? 2L : 3;
            var attention = (2L * Heads) + (2L * KeyValueHeads);
            return (Layers * Width * ((attention * HeadWidth) + (gates * MlpWidth))) + ((long)Vocabulary * Width);
        }
    }

    /// <summary>Width of the activations at a site: H·S at att_z, D elsewhere.</summary>
    public int WidthAt(Site site) => site == Site.AttZ ? Heads * HeadWidth : Width;
}
