namespace FeatureFlow.Experiments;

/// <summary>
/// An experiment as one YAML file says it (docs/yaml.md): <c>version</c>, <c>kind</c>, and what that kind needs. Checked whole when loaded: a
/// wrong key or value is an error at its line and column, found before anything is computed.
/// </summary>
public sealed class ExperimentFile
{
    private ExperimentFile(string path, ExperimentKind kind, YamlValues values)
    {
        Path = path;
        Kind = kind;
        Values = values;
    }

    /// <summary>The file, full path.</summary>
    public string Path { get; }

    /// <summary>Its <c>kind</c>.</summary>
    public string KindName => Kind.Name;

    /// <summary>Its <c>name</c>, or the file's.</summary>
    public string Name => Values.Text("name") ?? System.IO.Path.GetFileName(Path).Split('.')[0];

    /// <summary>Where its results go unless told otherwise: <c>output</c>, beside the file; else <c>&lt;name&gt;.out</c>.</summary>
    public string DefaultOutput => System.IO.Path.Combine(Folder, Values.Text("output") ?? Name + ".out");

    internal ExperimentKind Kind { get; }

    internal YamlValues Values { get; }

    internal string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>Loads and checks an experiment.</summary>
    /// <param name="path">The file.</param>
    /// <param name="overrides"><c>a.b=c</c> each, put into the file's tree before it is checked.</param>
    /// <exception cref="FeatureFlowException">FF5001-FF5005: not an experiment; FF5006: unreadable.</exception>
    public static ExperimentFile Load(string path, IEnumerable<string>? overrides = null)
    {
        var full = System.IO.Path.GetFullPath(path);
        return Parse(PackFile.Text(full), full, overrides);
    }

    /// <summary>Checks an experiment that is in no file.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="path">Where such a file would be: what the text names is relative to it, and errors name it.</param>
    /// <param name="overrides">As for <see cref="Load"/>.</param>
    /// <exception cref="FeatureFlowException">FF5001-FF5005: not an experiment.</exception>
    public static ExperimentFile Parse(string yaml, string path, IEnumerable<string>? overrides = null)
    {
        var full = System.IO.Path.GetFullPath(path);
        var root = YamlTree.Read(yaml, full);
        foreach (var setting in overrides ?? []) root = YamlOverrides.Apply(root, setting);
        var kind = ExperimentKinds.Of(root, full);
        return new ExperimentFile(full, kind, kind.Schema.ReadDocument(root));
    }
}
