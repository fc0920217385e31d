using FeatureFlow.Experiments.Storyworld;

namespace FeatureFlow.Experiments.Judging;

/// <summary>Coherence on Storyworld: the share of sentences, from the prompt's first on, that the grammar can make.</summary>
public sealed class StoryCoherence : ICoherenceMeter
{
    /// <inheritdoc/>
    public string Name => "storyworld grammar";

    /// <inheritdoc/>
    public IReadOnlyList<double?> Measure(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress, CancellationToken cancel)
    {
        var shares = new double?[texts.Count];
        var done = 0;
        // a text often begins in the middle of the sentence that its prompt left open
        Parallel.For(0, texts.Count, new ParallelOptions { CancellationToken = cancel }, i =>
        {
            shares[i] = StoryJudge.Score(texts[i].Prompt + texts[i].Text).Coherence;
            progress?.Report((double)Interlocked.Increment(ref done) / texts.Count);
        });
        return shares;
    }
}

/// <summary>Subjects on Storyworld: the share of the theme in the text, as the grammar's own word chances have it. Subjects are names of themes.</summary>
public sealed class StorySubjects : ISubjectMeter
{
    /// <inheritdoc/>
    public string Name => "storyworld grammar";

    /// <inheritdoc/>
    /// <exception cref="FeatureFlowException">FF5201: a subject that is no theme.</exception>
    public IReadOnlyList<double?> Measure(TextQuestion text)
    {
        // the prompt was not steered
        var score = StoryJudge.Score(text.Text);
        return [.. text.Subjects.Select(s => (double?)score.Of(s.Name))];
    }
}
