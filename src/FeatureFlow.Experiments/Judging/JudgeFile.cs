namespace FeatureFlow.Experiments.Judging;

/// <summary>Which judge, as YAML: a file of its own, or the section <c>judge</c> of an experiment (docs/judges.md).</summary>
public static class JudgeFile
{
    internal static readonly (string Name, JudgeKind Kind)[] Kinds = [("auto", JudgeKind.Auto), ("openai", JudgeKind.OpenAi), ("storyworld", JudgeKind.Storyworld), ("lexicon", JudgeKind.Lexicon)];

    internal static YamlRecord Record { get; } = new(
        "judge",
        "Who judges texts, and how it is asked. It holds no key, only where one is found.",
        new YamlField("kind", YamlType.Choice([.. Kinds.Select(k => k.Name)]), "openai: a language model behind an OpenAI-compatible address; storyworld: the grammar of the stories; lexicon: words of the subjects and the perplexity of a model.", Default: "auto: an endpoint if one is named, else storyworld if all subjects are its themes, else the lexicon"),
        new YamlField("url", YamlType.Text, "Address of the endpoint up to and with its version, as in http://localhost:11434/v1.", Default: "FEATUREFLOW_JUDGE_URL, OPENAI_BASE_URL, else OpenAI's own"),
        new YamlField("model", YamlType.Text, "Model asked there.", Default: "FEATUREFLOW_JUDGE_MODEL; gpt-4o-mini at OpenAI"),
        new YamlField("key_env", YamlType.Pattern("the name of an environment variable", "^[A-Za-z_][A-Za-z0-9_]*$"), "Environment variable that holds the key.", Default: "FEATUREFLOW_JUDGE_KEY; at OpenAI also OPENAI_API_KEY"),
        new YamlField("key_file", YamlType.Text, "File that holds the key and nothing else, relative to this file.", Default: "none"),
        new YamlField("concurrency", YamlType.Integer(1, 256), "Questions under way at a time.", Default: "8"),
        new YamlField("timeout", YamlType.Number(0.1, 3600), "Longest wait for one answer, in seconds.", Default: "120"),
        new YamlField("attempts", YamlType.Integer(1, 100), "How often one question is sent before the judge counts as out of reach.", Default: "8"),
        new YamlField("repairs", YamlType.Integer(0, 10), "How often a judge is told what was wrong with its answer, and asked again.", Default: "2"),
        new YamlField("words", YamlType.Map("a subject", "^\\S.*$", YamlType.List(YamlType.Text)), "Lexicon: words of each subject; 'sail*' stands for every word that begins so, 'black hole' for those words one after the other.", Default: "Storyworld's own words for its themes"),
        new YamlField("full_share", YamlType.Number(0.0001, 1), "Lexicon: share of words at which a text counts as wholly about a subject.", Default: "0.1"),
        new YamlField("coherence_model", YamlType.Text, "Lexicon: checkpoint folder, relative to this file, or hub id of the unsteered model whose perplexity tells coherence.", Default: "coherence is left out"));

    /// <summary>Reads a file.</summary>
    /// <exception cref="FeatureFlowException">FF5001 ... FF5006: not of this form.</exception>
    public static JudgeSettings Load(string path)
    {
        var full = Path.GetFullPath(path);
        return Of(Record.ReadDocument(YamlTree.Read(PackFile.Text(full), full)), Path.GetDirectoryName(full)!);
    }

    /// <summary>The settings of a record; paths are relative to <paramref name="folder"/>.</summary>
    internal static JudgeSettings Of(YamlValues values, string folder)
    {
        var plain = new JudgeSettings();
        return new JudgeSettings
        {
            Kind = values.Text("kind") is { } kind ? Kinds.First(k => k.Name == kind).Kind : JudgeKind.Auto,
            Url = values.Text("url"),
            Model = values.Text("model"),
            KeyEnv = values.Text("key_env"),
            KeyFile = values.Text("key_file") is { } file ? Path.Combine(folder, file) : null,
            Concurrency = (int)(values.Integer("concurrency") ?? plain.Concurrency),
            Timeout = values.Number("timeout") is { } seconds ? TimeSpan.FromSeconds(seconds) : plain.Timeout,
            Attempts = (int)(values.Integer("attempts") ?? plain.Attempts),
            Repairs = (int)(values.Integer("repairs") ?? plain.Repairs),
            Words = values.Map("words").ToDictionary(w => w.Key, w => (IReadOnlyList<string>)[.. ((List<object?>)w.Value!).Cast<string>()]),
            FullShare = values.Number("full_share") ?? plain.FullShare,
            CoherenceModel = values.Text("coherence_model") is { } model ? Folder(folder, model) : null,
        };
    }

    private static string Folder(string folder, string model) => Directory.Exists(Path.Combine(folder, model)) ? Path.Combine(folder, model) : model;
}
