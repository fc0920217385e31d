using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Judging;

/// <summary>How well a text is written, 0 to 1, told without asking anybody.</summary>
public interface ICoherenceMeter
{
    /// <summary>What it goes by, for the judge's name.</summary>
    string Name { get; }

    /// <summary>One share for each text; null where there is nothing to go by.</summary>
    IReadOnlyList<double?> Measure(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress, CancellationToken cancel);
}

/// <summary>How much of a subject is in a text, 0 to 1, told without asking anybody.</summary>
public interface ISubjectMeter
{
    /// <summary>What it goes by, for the judge's name.</summary>
    string Name { get; }

    /// <summary>One share for each subject of the text; null for subjects that it does not know.</summary>
    IReadOnlyList<double?> Measure(TextQuestion text);
}

/// <summary>
/// The judge that needs no network and costs nothing: any measure of coherence with any measure of subjects, each brought to 0 ... 5. It compares no
/// descriptions.
/// </summary>
/// <param name="coherence">Null to leave coherence out.</param>
/// <param name="subjects">Null to leave the behavioral score out.</param>
public sealed class OfflineJudge(ICoherenceMeter? coherence, ISubjectMeter? subjects) : IJudge
{
    /// <inheritdoc/>
    public string Name { get; } = string.Join(" + ", new[] { subjects?.Name, coherence?.Name }.OfType<string>().Distinct());

    /// <summary>The exact judge of Storyworld: the grammar for both scores.</summary>
    public static OfflineJudge Storyworld() => new(new StoryCoherence(), new StorySubjects());

    /// <inheritdoc/>
    public Task<IReadOnlyList<TextAnswer>> ScoreAsync(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress = null, CancellationToken cancel = default) =>
        Task.Run<IReadOnlyList<TextAnswer>>(() => Score(texts, progress, cancel), cancel);

    /// <inheritdoc/>
    public Task<IReadOnlyList<PairAnswer>> CompareAsync(IReadOnlyList<PairQuestion> pairs, IProgress<double>? progress = null, CancellationToken cancel = default) =>
        throw ExperimentErrors.ComparesNothing(Name);

    private TextAnswer[] Score(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress, CancellationToken cancel)
    {
        var written = coherence?.Measure(texts, progress, cancel);
        var answers = new TextAnswer[texts.Count];
        for (var i = 0; i < texts.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var present = subjects?.Measure(texts[i]) ?? new double?[texts[i].Subjects.Count];
            answers[i] = new TextAnswer(SteeringScore.Most * written?[i], [.. present.Select(p => SteeringScore.Most * p)]);
            if (coherence is null) progress?.Report((i + 1.0) / texts.Count);
        }

        return answers;
    }
}
