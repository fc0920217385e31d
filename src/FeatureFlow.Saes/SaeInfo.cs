namespace FeatureFlow.Saes;

/// <summary>How activations are made from pre-activations (METHODS: σ).</summary>
public enum SaeArchitecture
{
    /// <summary>z = ReLU(pre).</summary>
    Relu,

    /// <summary>z = pre where pre > θ.</summary>
    JumpRelu,

    /// <summary>The k largest of a token.</summary>
    TopK,

    /// <summary>The largest of each of k groups of neighbours.</summary>
    GroupMax,

    /// <summary>A gate and a magnitude path.</summary>
    Gated,
}

/// <summary>What is done to the input before encoding, and undone after decoding.</summary>
public enum InputTransform
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>x = h·√d/‖h‖ (SAELens constant_norm_rescale).</summary>
    ConstantNorm,

    /// <summary>x = (h − mean)/(std + 1e-5) (SAELens layer_norm).</summary>
    LayerNorm,
}

/// <summary>What an SAE is, read from its files without touching its weights.</summary>
public sealed record SaeInfo
{
    /// <summary>The file or folder it was read from, full path.</summary>
    public required string Path { get; init; }

    /// <summary>The layout on disk: <c>gemma-scope</c>, <c>gemma-scope-2</c>, <c>saelens</c>, <c>llama-scope</c>, <c>llamascopium</c>, <c>sparsify</c>, <c>circuit-tracer</c>, <c>dictionary-learning</c>.</summary>
    public required string Format { get; init; }

    /// <summary>σ.</summary>
    public required SaeArchitecture Architecture { get; init; }

    /// <summary>Width of the input, d.</summary>
    public required int InputWidth { get; init; }

    /// <summary>Width of the output; differs from the input only for transcoders.</summary>
    public required int OutputWidth { get; init; }

    /// <summary>Number of features, F.</summary>
    public required int FeatureCount { get; init; }

    /// <summary>k of TopK, number of groups of GroupMax; null otherwise.</summary>
    public int? K { get; init; }

    /// <summary>Where it reads, when the files or their path say.</summary>
    public Site? Site { get; init; }

    /// <summary>Layer, when the files or their path say.</summary>
    public int? Layer { get; init; }

    /// <summary>True when it reads one site and writes another.</summary>
    public bool IsTranscoder { get; init; }

    /// <summary>Input normalisation.</summary>
    public InputTransform InputTransform { get; init; }

    /// <summary>Subtract b_dec from the (normalised) input.</summary>
    public bool ApplyBDecToInput { get; init; }

    /// <summary>Mean number of active features that the release declares, when it does.</summary>
    public double? DeclaredL0 { get; init; }

    /// <summary>The model it was trained on, as the files name it.</summary>
    public string? ModelName { get; init; }

    /// <summary>The hook it was trained at, as the files name it.</summary>
    public string? HookName { get; init; }

    /// <summary><c>model/source</c> at Neuronpedia, when the files say.</summary>
    public string? NeuronpediaId { get; init; }

    /// <summary>Stored type of the weights.</summary>
    public required FeatureFlow.Tensors.DType WeightType { get; init; }

    /// <summary>Remarks a reader should see: ignored arrays, conventions chosen, doubtful configuration.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
