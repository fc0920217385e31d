namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// A language model as judge: asks for one JSON object, says what was wrong with an answer that is none, and gives a question up after a few such answers. Several
/// questions are under way at a time; equal ones are asked once.
/// </summary>
internal sealed class ChatJudge : IJudge, IDisposable
{
    private readonly ChatEndpoint _endpoint;
    private readonly AnswerLog _log;
    private readonly JudgeSettings _settings;

    /// <param name="endpoint">Who is asked.</param>
    /// <param name="settings">How.</param>
    /// <param name="answers">File of raw answers, or null to keep them for this process only.</param>
    /// <param name="clock">Measures waits and time limits; the system's unless a test has its own.</param>
    public ChatJudge(JudgeEndpoint endpoint, JudgeSettings settings, string? answers, TimeProvider? clock = null)
    {
        _settings = settings;
        _log = new AnswerLog(answers, endpoint.Key);
        _endpoint = new ChatEndpoint(endpoint, settings, _log, clock);
    }

    /// <inheritdoc/>
    public string Name => _endpoint.Model;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<TextAnswer>> ScoreAsync(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        var (distinct, place) = Distinct(texts, t => AnswerLog.KeyOf([t.Prompt, t.Text, .. t.Subjects.SelectMany(s => new[] { s.Name, s.Description ?? "" })]));
        var answers = await All(distinct, Score, progress, cancel).ConfigureAwait(false);
        return [.. place.Select(p => answers[p])];
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PairAnswer>> CompareAsync(IReadOnlyList<PairQuestion> pairs, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        var (distinct, place) = Distinct(pairs, p => AnswerLog.KeyOf(p.First, p.Second));
        var answers = await All(distinct, Compare, progress, cancel).ConfigureAwait(false);
        return [.. place.Select(p => answers[p])];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _endpoint.Dispose();
        _log.Dispose();
    }

    private async Task<TextAnswer> Score(TextQuestion text, CancellationToken cancel)
    {
        var order = JudgePrompts.Order(text);
        var (grades, problem) = await Converse(JudgePrompts.For(text, order), (string reply, out string wrong) => JudgeReplies.Score(reply, order.Length, out wrong), cancel).ConfigureAwait(false);
        if (grades is not { } given) return TextAnswer.None(order.Length, problem);
        var behavioral = new double?[order.Length];
        for (var s = 0; s < order.Length; s++) behavioral[order[s]] = given.Subjects[s];
        return new TextAnswer(given.Coherence, behavioral);
    }

    private async Task<PairAnswer> Compare(PairQuestion pair, CancellationToken cancel)
    {
        var (forward, problem) = await Converse<int>(JudgePrompts.For(pair.First, pair.Second), JudgeReplies.Similarity, cancel).ConfigureAwait(false);
        if (forward is null) return new PairAnswer(null, Problem: problem);
        var (backward, again) = await Converse<int>(JudgePrompts.For(pair.Second, pair.First), JudgeReplies.Similarity, cancel).ConfigureAwait(false);
        return backward is null ? new PairAnswer(null, forward, Problem: again) : new PairAnswer((forward + backward) / 2.0, forward, backward);
    }

    private delegate T? Reader<T>(string reply, out string problem) where T : struct;

    private async Task<(T? Answer, string Problem)> Converse<T>(IReadOnlyList<ChatTurn> turns, Reader<T> read, CancellationToken cancel)
        where T : struct
    {
        for (var repair = 0; ; repair++)
        {
            var reply = await _endpoint.Ask(turns, cancel).ConfigureAwait(false);
            if (read(reply, out var problem) is { } answer) return (answer, "");
            if (repair == _settings.Repairs) return (null, $"no usable answer: {problem}");
            turns = [.. turns, new ChatTurn("assistant", reply), JudgePrompts.Again(problem)];
        }
    }

    // the first failure that concerns them all ends the others
    private async Task<TAnswer[]> All<TQuestion, TAnswer>(IReadOnlyList<TQuestion> questions, Func<TQuestion, CancellationToken, Task<TAnswer>> ask, IProgress<double>? progress, CancellationToken cancel)
    {
        var answers = new TAnswer[questions.Count];
        var done = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, questions.Count), new ParallelOptions { MaxDegreeOfParallelism = _settings.Concurrency, CancellationToken = cancel }, async (i, token) =>
        {
            answers[i] = await ask(questions[i], token).ConfigureAwait(false);
            progress?.Report((double)Interlocked.Increment(ref done) / questions.Count);
        }).ConfigureAwait(false);
        return answers;
    }

    private static (List<T> Distinct, int[] Place) Distinct<T>(IReadOnlyList<T> questions, Func<T, string> key)
    {
        var distinct = new List<T>();
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        var place = new int[questions.Count];
        for (var i = 0; i < questions.Count; i++)
        {
            var name = key(questions[i]);
            if (!known.TryGetValue(name, out place[i]))
            {
                known[name] = place[i] = distinct.Count;
                distinct.Add(questions[i]);
            }
        }

        return (distinct, place);
    }
}
