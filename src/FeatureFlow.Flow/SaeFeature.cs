using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>One feature as users hold it: flat, and without a handle to anything that must be disposed.</summary>
public sealed record SaeFeature
{
    /// <summary>The pack's source path; what <c>-Pack</c> and <c>--pack</c> take.</summary>
    public required string Pack { get; init; }

    /// <summary>Layer, from 0.</summary>
    public required int Layer { get; init; }

    /// <summary>Site name: res, mlp, att, ...</summary>
    public required string Site { get; init; }

    /// <summary>Index in the SAE, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>θ, null for architectures without one.</summary>
    public double? Threshold { get; init; }

    /// <summary>L2 norm of the decoder row as the format defines it.</summary>
    public double Norm { get; init; }

    /// <summary>Encoder bias.</summary>
    public double Bias { get; init; }

    /// <summary>The description shown, or null.</summary>
    public string? Description { get; init; }

    /// <summary>Every description.</summary>
    public IReadOnlyList<FeatureDescription> Descriptions { get; init; } = [];

    /// <summary>The feature's page at Neuronpedia, or null.</summary>
    public string? NeuronpediaUrl { get; init; }

    /// <summary><c>layer/site/index</c>.</summary>
    public string Feature => Id.ToString();

    internal FeatureId Id => new(Layer, Sites.Parse(Site), Index);

    /// <inheritdoc/>
    public override string ToString() => Feature;
}
