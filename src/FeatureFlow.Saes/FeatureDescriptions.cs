namespace FeatureFlow.Saes;

/// <summary>What somebody, or some model, says a feature means. A feature may have several.</summary>
/// <param name="Text">The description.</param>
/// <param name="Model">Who wrote it (<c>explanationModelName</c>), if known.</param>
/// <param name="Method">How (<c>typeName</c>), if known.</param>
public sealed record FeatureDescription(string Text, string? Model = null, string? Method = null);

/// <summary>The descriptions of a pack, by feature; the first of a feature is the one shown.</summary>
public sealed class FeatureDescriptions
{
    private readonly Dictionary<FeatureId, List<FeatureDescription>> _all = [];

    /// <summary>No descriptions.</summary>
    public static FeatureDescriptions None { get; } = new();

    /// <summary>Number of features that have one.</summary>
    public int Count => _all.Count;

    /// <summary>Adds one, after those already there; the same text twice is kept once.</summary>
    public void Add(FeatureId feature, FeatureDescription description)
    {
        if (!_all.TryGetValue(feature, out var list)) _all[feature] = list = [];
        if (!list.Exists(d => d.Text == description.Text)) list.Add(description);
    }

    /// <summary>All of a feature.</summary>
    public IReadOnlyList<FeatureDescription> Of(FeatureId feature) => _all.TryGetValue(feature, out var list) ? list : [];

    /// <summary>The one shown, or null.</summary>
    public string? Text(FeatureId feature) => _all.TryGetValue(feature, out var list) ? list[0].Text : null;
}
