using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Judging;

/// <summary>Has a table of samples judged.</summary>
/// <param name="Subjects">What every sample is judged for; empty to take the column <c>subject</c> (and <c>subject_description</c>).</param>
/// <param name="Aim">What steering was to do; null to take the column <c>aim</c> or <c>direction</c>.</param>
public sealed record SampleJudging(IReadOnlyList<Subject> Subjects, SteeringAim? Aim = null)
{
    /// <summary>The questions of a table, one a row.</summary>
    /// <exception cref="FeatureFlowException">FF5331: a column is missing; FF5332: a row without subject; FF5333: an aim that is none.</exception>
    public IReadOnlyList<TextQuestion> Questions(SampleTable table)
    {
        var text = table.Required("text");
        var prompt = table.Column("prompt");
        var subject = Subjects.Count > 0 ? -1 : table.Required("subject");
        var description = table.Column("subject_description");
        return [.. table.Rows.Select((row, r) => new TextQuestion(row[text], SubjectsOf(row, r), prompt < 0 ? "" : row[prompt]))];

        IReadOnlyList<Subject> SubjectsOf(IReadOnlyList<string> row, int number)
        {
            if (subject < 0) return Subjects;
            if (row[subject].Length == 0) throw ExperimentErrors.NoSubject(table.Path, number + 1);
            return [new Subject(row[subject], description < 0 || row[description].Length == 0 ? null : row[description])];
        }
    }

    /// <summary>Judges.</summary>
    /// <exception cref="FeatureFlowException">As <see cref="Questions"/>; FF53xx of the judge.</exception>
    public async Task<JudgedTable> Run(SampleTable table, IJudge judge, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        int[] kept = [.. Enumerable.Range(0, table.Names.Count).Where(c => !JudgedTable.Added.Contains(table.Names[c], StringComparer.OrdinalIgnoreCase))];
        // a table with subjects has a row for each; judged for others, each text counts once
        if (Subjects.Count > 0 && table.Column("subject") >= 0) table = table with { Rows = [.. table.Rows.DistinctBy(r => string.Join('\0', kept.Select(c => r[c])), StringComparer.Ordinal)] };
        var questions = Questions(table);
        var aims = Aims(table);
        var answers = await judge.ScoreAsync(questions, progress, cancel).ConfigureAwait(false);
        var samples = new List<JudgedSample>();
        for (var r = 0; r < questions.Count; r++)
        {
            string[] values = [.. kept.Select(c => table.Rows[r][c])];
            for (var s = 0; s < questions[r].Subjects.Count; s++)
            {
                samples.Add(new JudgedSample(values, questions[r].Subjects[s].Name, aims[r], answers[r].Coherence, answers[r].Behavioral[s], judge.Name, answers[r].Problem));
            }
        }

        return new JudgedTable([.. kept.Select(c => table.Names[c])], samples);
    }

    /// <summary>An aim as people write it: activate, activation, deactivate, deactivation.</summary>
    public static SteeringAim? AimOf(string text) => text.Trim().ToLowerInvariant() switch
    {
        "activate" or "activation" => SteeringAim.Activate,
        "deactivate" or "deactivation" => SteeringAim.Deactivate,
        _ => null,
    };

    private SteeringAim?[] Aims(SampleTable table)
    {
        var column = table.Column("aim", "direction");
        return [.. table.Rows.Select((row, r) => Aim ?? (column < 0 || row[column].Length == 0 ? null : AimOf(row[column]) ?? throw ExperimentErrors.NoAim(table.Path, r + 1, row[column])))];
    }
}
