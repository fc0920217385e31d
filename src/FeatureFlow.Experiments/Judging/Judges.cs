using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Judging;

/// <summary>A judge made from settings, with what it holds open.</summary>
public sealed class OpenedJudge : IDisposable
{
    private readonly IDisposable?[] _held;

    internal OpenedJudge(IJudge judge, params IDisposable?[] held) => (Judge, _held) = (judge, held);

    /// <summary>The judge.</summary>
    public IJudge Judge { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var held in _held) held?.Dispose();
    }
}

/// <summary>Makes judges.</summary>
public static class Judges
{
    /// <summary>Raw answers of an endpoint, in the folder of the samples.</summary>
    public const string AnswersName = "answers.jsonl";

    /// <summary>Opens the judge that the settings mean.</summary>
    /// <param name="settings">Which judge.</param>
    /// <param name="subjects">Names of the subjects that it will be asked about.</param>
    /// <param name="answers">File of raw answers of an endpoint, or null to keep them for this process only.</param>
    /// <exception cref="FeatureFlowException">FF5301 ... FF5305: an endpoint that is not all there; FF5311: no judge for these subjects; FF5320: a subject without words; FF22xx: the model.</exception>
    public static OpenedJudge Open(JudgeSettings settings, IReadOnlyCollection<string> subjects, string? answers)
    {
        switch (Choose(settings, subjects))
        {
            case JudgeKind.OpenAi:
                var chat = new ChatJudge(JudgeEndpoint.Find(settings), settings, answers);
                return new OpenedJudge(chat, chat);
            case JudgeKind.Storyworld:
                return new OpenedJudge(OfflineJudge.Storyworld());
            default:
                var lexicon = new SubjectLexicon(Words(settings, subjects), settings.FullShare);
                if (settings.CoherenceModel is not { } folder) return new OpenedJudge(new OfflineJudge(null, lexicon));
                var lease = FlowEngine.Shared.Model(folder);
                return new OpenedJudge(new OfflineJudge(new ModelCoherence(lease.Model), lexicon), lease);
        }
    }

    /// <summary>Opens the judge that compares descriptions: an endpoint where one is named, else the words that descriptions share.</summary>
    /// <param name="settings">Which judge.</param>
    /// <param name="answers">File of raw answers of an endpoint, or null to keep them for this process only.</param>
    /// <exception cref="FeatureFlowException">FF5301 ... FF5305: an endpoint that is not all there.</exception>
    public static OpenedJudge OpenForPairs(JudgeSettings settings, string? answers)
    {
        var asks = settings.Kind == JudgeKind.OpenAi || (settings.Kind == JudgeKind.Auto && (settings.Url is not null || JudgeEndpoint.Named()));
        if (!asks) return new OpenedJudge(new WordJudge());
        var chat = new ChatJudge(JudgeEndpoint.Find(settings), settings, answers);
        return new OpenedJudge(chat, chat);
    }

    private static JudgeKind Choose(JudgeSettings settings, IReadOnlyCollection<string> subjects) => settings.Kind switch
    {
        not JudgeKind.Auto => settings.Kind,
        _ when settings.Url is not null || JudgeEndpoint.InEnvironment() => JudgeKind.OpenAi,
        _ when settings.Words.Count == 0 && subjects.All(IsTheme) => JudgeKind.Storyworld,
        _ when settings.Words.Count > 0 => JudgeKind.Lexicon,
        _ => throw ExperimentErrors.NoJudge(subjects),
    };

    // themes of Storyworld bring their words along
    private static Dictionary<string, IReadOnlyList<string>> Words(JudgeSettings settings, IReadOnlyCollection<string> subjects)
    {
        var words = new Dictionary<string, IReadOnlyList<string>>(settings.Words, StringComparer.OrdinalIgnoreCase);
        foreach (var subject in subjects.Where(s => !words.ContainsKey(s)))
        {
            words[subject] = IsTheme(subject) ? [.. StoryJudge.Lexicon(subject).Select(w => w.Word)] : throw ExperimentErrors.NoWords(subject);
        }

        return words;
    }

    private static bool IsTheme(string subject) => StoryTeller.ThemeNames.Contains(subject);
}
