using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-FeatureGroup: which predecessors of active features are active too.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "FeatureGroup", DefaultParameterSetName = ByCorpus)]
[OutputType(typeof(FeatureGroup))]
public sealed class MeasureFeatureGroupCommand : TextsCmdlet
{
    /// <summary>Layers; all by default.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Who names the predecessors.</summary>
    [Parameter(HelpMessage = "Who names the predecessors: Cosine, Assignment or Pearson")]
    public MatchMethod Matcher { get; set; } = MatchMethod.Cosine;

    /// <summary>Random tokens of each text.</summary>
    [Parameter(HelpMessage = "Random tokens of each text")]
    [ValidateRange(1, int.MaxValue)]
    public int TokenCount { get; set; } = GroupMeasurement.PaperTokens;

    /// <summary>Seed of the draws.</summary>
    [Parameter(HelpMessage = "Seed of the draws")]
    public ulong Seed { get; set; }

    /// <summary>Folder for tables.</summary>
    [Parameter(HelpMessage = "Folder for all tables; written when given")]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    private protected override (int Id, string Text) Activity => (7020, "Measuring groups");

    private protected override void Process()
    {
        var folder = Destination.Length > 0 ? FilePath(Destination) : null;
        var (pack, report) = OnTexts((pack, model, documents, cancel) =>
        {
            int[]? layers = Layer is null ? null : [.. SitePlaces.Of(pack.Pack, Layer, ["res"]).Select(p => p.Layer).Order()];
            using var pearson = Matcher == MatchMethod.Pearson ? new PearsonMatcher(pack, model, documents.Select(d => d.Document), PearsonMatcher.PlacesOf(pack, layers ?? [.. SitePlaces.Of(pack.Pack, null, ["res"]).Select(p => p.Layer)]), 1, null, cancel) : null;
            IFeatureMatcher? matcher = Matcher == MatchMethod.Assignment ? new AssignmentMatcher(pack) : pearson;
            var report = GroupMeasurement.Measure(pack, model, SampledText.Draw(documents, TokenCount, Seed), layers, matcher, Progress, cancel);
            if (folder is not null) GroupTables.Write(report, folder);
            return (pack, report);
        });
        LeftOut(pack, report.Notes);
        foreach (var count in report.Counts()) WriteObject(new FeatureGroup(pack.Pack.Source, count));
    }
}

/// <summary>Occurrences of an activation group in a layer.</summary>
public sealed record FeatureGroup
{
    internal FeatureGroup(string pack, GroupCount count) => (Pack, Layer, Group, Count, Share, Dataset) = (pack, count.Layer, count.Group.Name(), count.Count, count.Share, count.Dataset);

    /// <summary>The pack.</summary>
    public string Pack { get; }

    /// <summary>Layer.</summary>
    public int Layer { get; }

    /// <summary>The group, as in <c>From RES</c>.</summary>
    public string Group { get; }

    /// <summary>Occurrences.</summary>
    public int Count { get; }

    /// <summary>Of all occurrences in the layer.</summary>
    public double? Share { get; }

    /// <summary>Corpus.</summary>
    public string Dataset { get; }
}
