using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// What is done to which features while a model writes (Feature Flow, section 5.3): plain data, every coefficient final. Made by
/// <see cref="SteeringPlanner"/> or written by hand.
/// </summary>
public sealed record SteeringPlan
{
    /// <summary>Its name in results.</summary>
    public required string Name { get; init; }

    /// <summary>The pack that the features are of, or null where that is said elsewhere.</summary>
    public string? Pack { get; init; }

    /// <summary>The edits, by layer, site and index.</summary>
    public required IReadOnlyList<FeatureEdit> Edits { get; init; }

    /// <summary>Features whose activation is watched: what the plan is meant to bring in or to remove.</summary>
    public IReadOnlyList<FeatureId> Targets { get; init; } = [];

    /// <summary>How it was made, or null: by hand.</summary>
    public SteeringRecipe? Recipe { get; init; }

    /// <summary>First layer of the similarity span that it was made from, or null.</summary>
    public int? SpanStart { get; init; }

    /// <summary>Last layer of that span, or null.</summary>
    public int? SpanEnd { get; init; }

    /// <summary>The layer it is named for: the recipe's, else the highest one that is edited.</summary>
    public int? Layer => Recipe?.Layer ?? (Edits.Count > 0 ? Edits.Max(e => e.Feature.Layer) : null);

    /// <summary>The plan that does nothing.</summary>
    public static SteeringPlan Unsteered { get; } = new() { Name = "unsteered", Edits = [] };
}
