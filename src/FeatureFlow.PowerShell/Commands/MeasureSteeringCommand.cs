using System.Management.Automation;
using FeatureFlow.Experiments.Judging;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-Steering: has steered texts judged, one object a text and subject.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "Steering")]
[OutputType(typeof(SteeringJudgement))]
public sealed class MeasureSteeringCommand : EngineCmdlet
{
    private const int Together = 64; // questions that a judge may have under way or answer side by side
    private readonly List<SteeringResult> _waiting = [];

    /// <summary>Texts.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, HelpMessage = "Steered texts, from Invoke-Steering")]
    [ValidateNotNull]
    public SteeringResult[] Result { get; set; } = [];

    /// <summary>What texts are judged for.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "What texts are judged for: a name, or 'name: what it means'")]
    [ValidateNotNullOrEmpty]
    public string[] Subject { get; set; } = [];

    /// <summary>What the total score counts.</summary>
    [Parameter(HelpMessage = "Whether the subject was to be brought in (Activate) or taken out (Deactivate)")]
    public SteeringAim Aim { get; set; } = SteeringAim.Activate;

    /// <summary>Who judges.</summary>
    [Parameter(HelpMessage = "Who judges: auto, openai, storyworld, lexicon")]
    [ValidateSet("auto", "openai", "storyworld", "lexicon")]
    public string Judge { get; set; } = "auto";

    /// <summary>Settings of the judge.</summary>
    [Parameter(HelpMessage = "The judge and how it is asked, as YAML (docs/judges.md)")]
    public string? JudgeFile { get; set; }

    /// <summary>Raw answers.</summary>
    [Parameter(HelpMessage = "Keep raw answers of an endpoint in this file; what it answered before is not asked again")]
    public string? AnswerFile { get; set; }

    private protected override (int Id, string Text) Activity => (7010, "Judging");

    private protected override void Process()
    {
        foreach (var text in Result)
        {
            _waiting.Add(text);
            if (_waiting.Count >= Together) Flush();
        }
    }

    private protected override void End() => Flush();

    private void Flush()
    {
        if (_waiting.Count == 0) return;
        var texts = _waiting.ToArray();
        _waiting.Clear();
        var (file, answers) = (JudgeFile is null ? null : FilePath(JudgeFile), AnswerFile is null ? null : FilePath(AnswerFile));
        foreach (var judgement in Run(cancel => Ask(texts, file, answers, cancel))) WriteObject(judgement);
    }

    // loops and no lambdas: what a lambda captures would be a field of a private type
    private List<SteeringJudgement> Ask(SteeringResult[] texts, string? file, string? answers, CancellationToken cancel)
    {
        var settings = file is null ? new JudgeSettings() : Experiments.Judging.JudgeFile.Load(file);
        if (MyInvocation.BoundParameters.ContainsKey(nameof(Judge)) || file is null) settings = settings with { Kind = Enum.Parse<JudgeKind>(Judge, ignoreCase: true) };
        var subjects = new List<Subject>();
        var names = new List<string>();
        foreach (var text in Subject)
        {
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            names.Add((colon > 0 ? text[..colon] : text).Trim());
            subjects.Add(new Subject(names[^1], colon > 0 ? text[(colon + 1)..].Trim() : null));
        }

        using var judge = Judges.Open(settings, names, answers);
        var questions = new List<TextQuestion>();
        foreach (var text in texts) questions.Add(new TextQuestion(text.Text, subjects, text.Prompt));
        var said = judge.Judge.ScoreAsync(questions, null, cancel).GetAwaiter().GetResult();
        var judged = new List<SteeringJudgement>();
        for (var i = 0; i < texts.Length; i++)
        {
            for (var s = 0; s < names.Count; s++) judged.Add(new SteeringJudgement(texts[i], names[s], Aim, said[i].Coherence, said[i].Behavioral[s], judge.Judge.Name, said[i].Problem));
        }

        return judged;
    }
}

/// <summary>What a judge says of a steered text and a subject.</summary>
public sealed record SteeringJudgement
{
    internal SteeringJudgement(SteeringResult text, string subject, SteeringAim aim, double? coherence, double? behavioral, string judge, string? problem)
    {
        (Plan, Mode, Schedule, Layer, Coefficient, Prompt, Sample, Text) = (text.Plan, text.Mode, text.Schedule, text.Layer, text.Coefficient, text.Prompt, text.Sample, text.Text);
        (PerturbationNorm, Kl, Perplexity) = (text.PerturbationNorm, text.Kl, text.Perplexity);
        (Subject, Aim, Coherence, Behavioral, Judge, Problem) = (subject, aim, coherence, behavioral, judge, problem);
    }

    /// <summary>Name of the plan.</summary>
    public string Plan { get; }

    /// <summary>Its mode.</summary>
    public SteeringMode? Mode { get; }

    /// <summary>Its schedule.</summary>
    public SteeringSchedule? Schedule { get; }

    /// <summary>Its layer.</summary>
    public int? Layer { get; }

    /// <summary>Its coefficient.</summary>
    public double? Coefficient { get; }

    /// <summary>The prompt.</summary>
    public string Prompt { get; }

    /// <summary>Number of the sample.</summary>
    public int Sample { get; }

    /// <summary>The subject.</summary>
    public string Subject { get; }

    /// <summary>What was wanted.</summary>
    public SteeringAim Aim { get; }

    /// <summary>0 to 5; null where the judge does not say.</summary>
    public double? Coherence { get; }

    /// <summary>0 to 5; null where the judge does not say.</summary>
    public double? Behavioral { get; }

    /// <summary>Behavioral·Coherence, or (1 − Behavioral)·Coherence to deactivate, 0 to 1; null without scores.</summary>
    public double? Total => Coherence is { } c && Behavioral is { } b ? SteeringScore.Total(c, b, Aim) : null;

    /// <summary>Who judged.</summary>
    public string Judge { get; }

    /// <summary>Why there are no scores, when there are none.</summary>
    public string? Problem { get; }

    /// <summary>How far the hidden state was moved.</summary>
    public double? PerturbationNorm { get; }

    /// <summary>Divergence from the unsteered distribution, nats.</summary>
    public double? Kl { get; }

    /// <summary>Perplexity under the unsteered model.</summary>
    public double? Perplexity { get; }

    /// <summary>What was written.</summary>
    public string Text { get; }
}
