using System.Reflection;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>A text file of ours inside the assembly: lines of <c>key: entries</c>, or plain lines; # begins a remark.</summary>
internal sealed class DataFile
{
    private const string Root = "FeatureFlow.Experiments.Storyworld.";

    private readonly string _name;

    private DataFile(string name, string text)
    {
        _name = name;
        Lines = [.. text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#')];
    }

    public IReadOnlyList<string> Lines { get; }

    public static DataFile Open(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Root + name) ?? throw new InvalidOperationException($"no data file '{name}'");
        using var reader = new StreamReader(stream);
        return new DataFile(name, reader.ReadToEnd());
    }

    public static IEnumerable<string> Names(string prefix) => Assembly.GetExecutingAssembly().GetManifestResourceNames()
        .Where(n => n.StartsWith(Root + prefix, StringComparison.Ordinal))
        .Select(n => n[Root.Length..])
        .Order(StringComparer.Ordinal);

    public IEnumerable<string> Words(string key) => Entries(key, ',');

    public IEnumerable<string> Phrases(string key) => Entries(key, ';');

    private string[] Entries(string key, char separator)
    {
        var line = Lines.FirstOrDefault(l => l.StartsWith(key + ":", StringComparison.Ordinal)) ?? throw new InvalidOperationException($"{_name} has no '{key}'");
        return line[(key.Length + 1)..].Split(separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
    }
}
