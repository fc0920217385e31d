using FeatureFlow.Models;

namespace FeatureFlow.Experiments.Texts;

/// <summary>Corpora by name: a path, a pattern, or an entry of a corpora.yaml.</summary>
public static class Corpora
{
    /// <summary>The file that names corpora, looked for in the current folder.</summary>
    public const string FileName = "corpora.yaml";

    internal static YamlRecord Entry { get; } = new(
        "corpus",
        "Texts and how they are read (docs/texts.md).",
        new YamlField("path", YamlType.Text, "File, folder or pattern ('*', '?', '**'), relative to this file.", Required: true),
        new YamlField("field", YamlType.Text, "Fields of JSON and CSV rows: 'text', 'meta.title', 'prompt+canonical_solution' (one after the other), 'question,answer' (on lines of their own).", Default: "the first row decides, by the usual names"),
        new YamlField("separator", YamlType.Text, "What divides the documents of a text file, as in '<|endoftext|>'.", Default: "a file is one document"),
        new YamlField("min_characters", YamlType.Integer(1, int.MaxValue), "Shorter documents are left out.", Default: "1"));

    internal static YamlRecord File { get; } = new(
        "corpora",
        "Corpora by name.",
        new YamlField("version", YamlType.Integer(1, 1), "Version of this form: 1.", Required: true),
        new YamlField("corpora", YamlType.Map("a name", "^\\S.*$", Entry), "Name and corpus.", Required: true));

    /// <summary>
    /// The corpus that a name means: an entry of <paramref name="file"/> (or of corpora.yaml in the current folder, or of the file that
    /// <c>FEATUREFLOW_CORPORA</c> names), else a path or pattern.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF5107: neither; FF5001-FF5004: the file is not of this form.</exception>
    public static TextCorpus Find(string nameOrPath, string? file = null)
    {
        file ??= Environment.GetEnvironmentVariable("FEATUREFLOW_CORPORA") is { Length: > 0 } named ? named : System.IO.File.Exists(FileName) ? FileName : null;
        var known = file is null ? [] : Load(file);
        if (known.FirstOrDefault(c => c.Name == nameOrPath) is { } found) return found;
        if (Path.Exists(nameOrPath) || TextFolder.IsMany(nameOrPath)) return new TextCorpus(Path.GetFileName(Path.TrimEndingDirectorySeparator(nameOrPath)), nameOrPath);
        if (TextCorpus.IsTold(nameOrPath)) return new TextCorpus(nameOrPath, nameOrPath);
        var names = known.Select(c => c.Name).ToList();
        throw ExperimentErrors.NoCorpus(nameOrPath, file, Spelling.Nearest(nameOrPath, names), names);
    }

    /// <summary>Whether a name means texts that FeatureFlow makes itself: <c>storyworld:SEED</c>.</summary>
    public static bool IsMade(string name) => TextCorpus.IsTold(name);

    /// <summary>All corpora of a file, in its order; paths are relative to it.</summary>
    /// <exception cref="FeatureFlowException">FF5001-FF5004: not of this form; FF5101: not there.</exception>
    public static IReadOnlyList<TextCorpus> Load(string file)
    {
        var full = Path.GetFullPath(file);
        if (!System.IO.File.Exists(full)) throw ExperimentErrors.NoTexts(full);
        var values = File.ReadDocument(YamlTree.Read(PackFile.Text(full), full));
        return [.. values.Map("corpora").Select(e => Of(e.Key, (YamlValues)e.Value!, Path.GetDirectoryName(full)!))];
    }

    internal static TextCorpus Of(string name, YamlValues entry, string folder) =>
        new(name, Path.Combine(folder, entry.Required("path")), entry.Text("field"), entry.Text("separator"), (int)(entry.Integer("min_characters") ?? 1));
}
