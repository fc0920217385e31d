using System.Globalization;

namespace FeatureFlow.Experiments;

/// <summary><c>--set a.b=c</c>: puts a value into the tree before it is checked, so an override obeys the same rules as the file.</summary>
internal static class YamlOverrides
{
    /// <summary>The tree with one override; list items are named by number, missing mappings are made.</summary>
    public static YamlNode Apply(YamlNode root, string setting)
    {
        var equals = setting.IndexOf('=', StringComparison.Ordinal);
        if (equals < 1) throw ExperimentErrors.BadOverride(setting, "write key=value, as in thresholds.res=0.5.");
        var source = $"--set {setting}";
        var value = YamlTree.Read(setting[(equals + 1)..] is { Length: > 0 } text ? text : "''", source);
        return Put(root, setting[..equals].Split('.'), 0, value, setting, source);
    }

    private static YamlNode Put(YamlNode? node, string[] path, int at, YamlNode value, string setting, string source)
    {
        if (at == path.Length) return value;
        var part = path[at];
        switch (node)
        {
            case YamlList list:
                if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var i) || i >= list.Items.Count)
                    throw ExperimentErrors.BadOverride(setting, $"'{part}' is not an item of the list, which has {list.Items.Count}, counted from 0.");
                return list with { Items = [.. list.Items[..i], Put(list.Items[i], path, at + 1, value, setting, source), .. list.Items[(i + 1)..]] };
            case YamlMap map:
                var known = map.Entries.FindIndex(e => e.Key.Text == part);
                var key = known >= 0 ? map.Entries[known].Key : new YamlScalar(part, false, source, 1, 1);
                var entry = new KeyValuePair<YamlScalar, YamlNode>(key, Put(map[part], path, at + 1, value, setting, source));
                return map with { Entries = known >= 0 ? [.. map.Entries[..known], entry, .. map.Entries[(known + 1)..]] : [.. map.Entries, entry] };
            case null or YamlScalar { IsNull: true }:
                return Put(new YamlMap([], source, 1, 1), path, at, value, setting, source);
            default:
                throw ExperimentErrors.BadOverride(setting, $"'{string.Join('.', path[..at])}' is a single value and has no '{part}'.");
        }
    }
}
