using System.Globalization;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>Paths of features through maps (SAE Match, appendix D) as CSV: one row per feature of the first dictionary, one column per place, empty where a path has ended.</summary>
public static class FeaturePaths
{
    /// <summary>Writes the paths of all features, or of those named.</summary>
    public static void Write(string path, IReadOnlyList<FeatureMap> maps, IEnumerable<int>? features = null)
    {
        var columns = Enumerable.Range(0, maps.Count + 1).Select(i => (Name(maps, i), (Func<IReadOnlyList<int>, object?>)(p => i < p.Count ? p[i] : null))).ToArray();
        new TableColumns<IReadOnlyList<int>>(columns).Write(path, (features ?? Enumerable.Range(0, maps[0].SourceCount)).Select(f => FeatureMapAlgebra.Path(maps, f)));
    }

    private static string Name(IReadOnlyList<FeatureMap> maps, int place)
    {
        var at = place < maps.Count ? maps[place].From : maps[^1].To;
        return at is null ? string.Create(CultureInfo.InvariantCulture, $"place_{place}") : "layer_" + at.Split('/')[0];
    }
}
