using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>
/// An opened SAE: its facts, and its weights as views of the files. Nothing is copied: folds that a format asks for (Llama Scope's
/// norms, gated magnitudes) are kept as row and column scales beside the stored matrices. Disposing closes the files.
/// </summary>
public sealed partial class Sae
{
}
