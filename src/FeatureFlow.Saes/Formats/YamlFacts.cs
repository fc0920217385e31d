namespace FeatureFlow.Saes.Formats;

/// <summary>The <c>key: value</c> lines at the left margin of a YAML file: all that a release's own config.yaml is asked for.</summary>
internal static class YamlFacts
{
    private const int MaxBytes = 1 << 20;

    public static Dictionary<string, string> Read(string path)
    {
        var facts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (new FileInfo(path).Length > MaxBytes) return facts;
        foreach (var line in File.ReadLines(path))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || char.IsWhiteSpace(line[0]) || line[0] is '#' or '-') continue;
            var value = line[(colon + 1)..];
            var comment = value.IndexOf(" #", StringComparison.Ordinal);
            value = (comment < 0 ? value : value[..comment]).Trim().Trim('"', '\'');
            if (value.Length > 0) facts.TryAdd(line[..colon].Trim(), value);
        }

        return facts;
    }
}
