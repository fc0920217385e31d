using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>Features waiting to be expanded, by place, in the order of the stream.</summary>
internal sealed class Frontier
{
    private readonly SortedDictionary<(int Level, Place Place), SortedSet<FeatureId>> _waiting = [];

    public Frontier(IEnumerable<FeatureId> seeds)
    {
        foreach (var group in seeds.GroupBy(Place.Of)) Add(group.Key, group);
    }

    /// <summary>Adds features of a place; those already waiting are kept once.</summary>
    public void Add(Place place, IEnumerable<FeatureId> features)
    {
        if (!_waiting.TryGetValue(Key(place), out var set)) set = [];
        set.UnionWith(features);
        if (set.Count > 0) _waiting[Key(place)] = set;
    }

    /// <summary>Those waiting at a place.</summary>
    public IReadOnlyCollection<FeatureId> At(Place place) => _waiting.TryGetValue(Key(place), out var set) ? set : [];

    /// <summary>Takes the place nearest to the first layer, or null.</summary>
    public (Place Place, IReadOnlyCollection<FeatureId> Features)? TakeLowest() => Take(_waiting.Keys.FirstOrDefault());

    /// <summary>Takes the place nearest to the last layer, or null.</summary>
    public (Place Place, IReadOnlyCollection<FeatureId> Features)? TakeHighest() => Take(_waiting.Keys.LastOrDefault());

    // a module's output comes just before the residual point that it is added to
    private static (int Level, Place Place) Key(Place place) => ((2 * place.Position) - (place.IsResidual ? 0 : 1), place);

    private (Place Place, IReadOnlyCollection<FeatureId> Features)? Take((int Level, Place Place) key) =>
        _waiting.Remove(key, out var features) ? (key.Place, features) : null;
}
