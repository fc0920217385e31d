using System.Management.Automation;
using FeatureFlow.Experiments.Matching;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-FeatureMap: the errors of a map by group of parameters, how often matches are active together, and whether their descriptions agree.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "FeatureMap")]
[OutputType(typeof(FeatureMapMeasurement))]
public sealed class MeasureFeatureMapCommand : EngineCmdlet
{
    /// <summary>The maps.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, HelpMessage = "Maps, from New-FeatureMap or Join-FeatureMap")]
    [ValidateNotNullOrEmpty]
    public FeatureMap[] Map { get; set; } = [];

    /// <summary>The pack; the map's by default.</summary>
    [Parameter(HelpMessage = "The pack whose features are paired; the map's own by default")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string? Pack { get; set; }

    /// <summary>The model; the pack's by default.</summary>
    [Parameter(HelpMessage = "Folder of a Hugging Face checkpoint, or a hub id that the local cache has; the pack's model by default")]
    [ValidateNotNullOrEmpty]
    public string? Model { get; set; }

    /// <summary>Texts.</summary>
    [Parameter(HelpMessage = "Texts for the matching score: files, folders, patterns, or names of corpora")]
    [ValidateNotNullOrEmpty]
    public string[] Corpus { get; set; } = [];

    /// <summary>Documents drawn.</summary>
    [Parameter(HelpMessage = "Documents drawn from each corpus; 0 takes all")]
    [ValidateRange(0, int.MaxValue)]
    public int DocumentCount { get; set; }

    /// <summary>Who judges.</summary>
    [Parameter(HelpMessage = "Compare the descriptions of matched features: auto, openai, or words, which needs no network")]
    [ValidateSet("auto", "openai", "words")]
    public string? Judge { get; set; }

    /// <summary>Settings of the judge.</summary>
    [Parameter(HelpMessage = "The judge and how it is asked, as YAML (docs/judges.md)")]
    [ValidateNotNullOrEmpty]
    public string? JudgeFile { get; set; }

    /// <summary>Raw answers.</summary>
    [Parameter(HelpMessage = "Keep raw answers of an endpoint in this file; what it answered before is not asked again")]
    [ValidateNotNullOrEmpty]
    public string? AnswerFile { get; set; }

    /// <summary>Pairs judged.</summary>
    [Parameter(HelpMessage = "Pairs of each map that are judged, drawn by the seed; 0 takes all")]
    [ValidateRange(0, int.MaxValue)]
    public int SampleCount { get; set; } = 100;

    /// <summary>Seed of the draws.</summary>
    [Parameter(HelpMessage = "Seed of the draws")]
    public ulong Seed { get; set; } = 1;

    private protected override (int Id, string Text) Activity => (7021, "Measuring maps");

    private protected override void Process()
    {
        string[] corpora = CorporaAt(Corpus);
        string? model = Model is null ? null : ModelAt(Model), judgeFile = JudgeFile is null ? null : FilePath(JudgeFile), answers = AnswerFile is null ? null : FilePath(AnswerFile);
        foreach (var map in Map)
        {
            var pack = (Pack ?? map.Pack) is { } named ? OpenPack(named) : null;
            WriteObject(Run(cancel => MapEvaluation.Measure(map, pack, new MapEvaluationOptions
            {
                Corpora = corpora,
                Documents = DocumentCount,
                Model = model,
                Judged = Judge is not null || judgeFile is not null,
                Judge = Judge,
                JudgeFile = judgeFile,
                Answers = answers,
                Sample = SampleCount,
                Seed = Seed,
            }, Progress, cancel)));
        }
    }
}
