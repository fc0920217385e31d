namespace FeatureFlow.Experiments.Judging;

/// <summary>Which judge.</summary>
public enum JudgeKind
{
    /// <summary>An endpoint if the environment names one, else Storyworld's grammar if all subjects are its themes, else the lexicon.</summary>
    Auto,

    /// <summary>A language model behind an OpenAI-compatible address.</summary>
    OpenAi,

    /// <summary>Storyworld's grammar.</summary>
    Storyworld,

    /// <summary>Words of the subjects, and the perplexity of the unsteered model where one is named.</summary>
    Lexicon,
}

/// <summary>Which judge, and how it is asked. Holds no key: only where one is found.</summary>
public sealed record JudgeSettings
{
    /// <summary>Which judge.</summary>
    public JudgeKind Kind { get; init; }

    /// <summary>Address of the endpoint up to and with its version, <c>http://localhost:11434/v1</c>.</summary>
    public string? Url { get; init; }

    /// <summary>Model asked there.</summary>
    public string? Model { get; init; }

    /// <summary>Name of the environment variable that holds the key.</summary>
    public string? KeyEnv { get; init; }

    /// <summary>File that holds the key and nothing else.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Questions under way at a time.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>Longest wait for one answer.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How often one question is sent before the judge counts as out of reach.</summary>
    public int Attempts { get; init; } = 8;

    /// <summary>How often a judge is told what was wrong with its answer, and asked again.</summary>
    public int Repairs { get; init; } = 2;

    /// <summary>Lexicon: words of each subject.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Words { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Lexicon: share of words at which a text counts as wholly about a subject.</summary>
    public double FullShare { get; init; } = 0.1;

    /// <summary>Lexicon: the unsteered model, whose perplexity tells coherence; null to leave coherence out.</summary>
    public string? CoherenceModel { get; init; }
}
