namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Scores texts and compares descriptions (METHODS 6). Judges are asked many questions at once and order them as suits them; the answers come in
/// the order of the questions. What has been asked of it may be lost when it is cancelled, except where it keeps its answers.
/// </summary>
public interface IJudge
{
    /// <summary>Who judges, as tables name it: <c>storyworld grammar</c>, <c>gpt-4o-mini</c>.</summary>
    string Name { get; }

    /// <summary>Coherence 0 to 5, and how much of each subject is in the text, 0 to 5.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="progress">Told the share of the work done, or null.</param>
    /// <param name="cancel">Stops what is under way.</param>
    /// <exception cref="FeatureFlowException">FF53xx: this judge cannot answer at all, now or ever.</exception>
    Task<IReadOnlyList<TextAnswer>> ScoreAsync(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress = null, CancellationToken cancel = default);

    /// <summary>Whether two descriptions mean the same: 1 different, 2 maybe, 3 the same (SAE Match, appendix C).</summary>
    /// <inheritdoc cref="ScoreAsync"/>
    Task<IReadOnlyList<PairAnswer>> CompareAsync(IReadOnlyList<PairQuestion> pairs, IProgress<double>? progress = null, CancellationToken cancel = default);
}

/// <summary>A text to score.</summary>
/// <param name="Text">What was generated.</param>
/// <param name="Subjects">What may be in it.</param>
/// <param name="Prompt">What it goes on from: read, not scored. Empty when there was nothing.</param>
public sealed record TextQuestion(string Text, IReadOnlyList<Subject> Subjects, string Prompt = "");

/// <summary>A subject that a text may have.</summary>
/// <param name="Name">Its name, <c>sea</c>.</param>
/// <param name="Description">More about it, for judges that read, or null.</param>
public sealed record Subject(string Name, string? Description = null);

/// <summary>Scores of a text.</summary>
/// <param name="Coherence">0 to 5; null where the judge does not say.</param>
/// <param name="Behavioral">0 to 5 for each subject of the question; null where the judge does not say.</param>
/// <param name="Problem">Why there are no scores, when it gave none.</param>
public sealed record TextAnswer(double? Coherence, IReadOnlyList<double?> Behavioral, string? Problem = null)
{
    /// <summary>The answer of a judge that gave none.</summary>
    public static TextAnswer None(int subjects, string problem) => new(null, new double?[subjects], problem);
}

/// <summary>Two descriptions of features.</summary>
public sealed record PairQuestion(string First, string Second);

/// <summary>How alike two descriptions are.</summary>
/// <param name="Similarity">1 to 3: the mean over both orders of asking; null where the judge does not say.</param>
/// <param name="Forward">What it said of (first, second).</param>
/// <param name="Backward">What it said of (second, first): a judge that minds the order shows here.</param>
/// <param name="Problem">Why there is no score, when it gave none.</param>
public sealed record PairAnswer(double? Similarity, double? Forward = null, double? Backward = null, string? Problem = null);
