using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>
/// A feature as <c>-Feature</c> takes it: <c>24/res/14548</c>, a feature, or a graph, which stands for its seed. A type of its own, that
/// PowerShell cannot make of any object that happens to have a layer: such objects bind by their properties.
/// </summary>
public sealed record FeatureName
{
    /// <summary>By its id.</summary>
    public FeatureName(FeatureId id) => Id = id;

    /// <summary>The feature itself.</summary>
    public FeatureName(SaeFeature feature)
        : this(new FeatureId(feature.Layer, Sites.Parse(feature.Site), feature.Index))
    {
    }

    /// <summary>The feature that a graph grew from.</summary>
    public FeatureName(FlowGraph graph)
        : this(FeatureId.Parse(graph.Seed))
    {
    }

    /// <summary>The id.</summary>
    public FeatureId Id { get; }

    /// <summary>Reads <c>24/res/14548</c>; PowerShell finds it by its name.</summary>
    /// <exception cref="FeatureFlowException">FF3002: not of that form. FF2070: no such site.</exception>
    public static FeatureName Parse(string text) => new(FeatureId.Parse(text));

    /// <inheritdoc/>
    public override string ToString() => Id.ToString();
}
