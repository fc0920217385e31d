using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-FeatureCausality: do features fall silent when their predecessors are removed?</summary>
[Cmdlet(VerbsDiagnostic.Measure, "FeatureCausality", DefaultParameterSetName = ByCorpus)]
[OutputType(typeof(FeatureCausality))]
public sealed class MeasureFeatureCausalityCommand : TextsCmdlet
{
    /// <summary>Layers; all from 1 by default.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Who names the predecessors.</summary>
    [Parameter(HelpMessage = "Who names the predecessors; all by default")]
    [ValidateSet("top1", "top5", "random", "permutation", "pearson", "exhaustive")]
    public string[] Strategy { get; set; } = [];

    /// <summary>Texts that targets are drawn from.</summary>
    [Parameter(HelpMessage = "Texts that targets are drawn from, the first ones")]
    [ValidateRange(1, int.MaxValue)]
    public int TextCount { get; set; } = CausalTests.PaperTexts;

    /// <summary>Random tokens of each text.</summary>
    [Parameter(HelpMessage = "Random tokens of each text")]
    [ValidateRange(1, int.MaxValue)]
    public int TokenCount { get; set; } = GroupMeasurement.PaperTokens;

    /// <summary>Targets of a token and layer.</summary>
    [Parameter(HelpMessage = "Targets of a token and layer at most")]
    [ValidateRange(1, int.MaxValue)]
    public int TargetCount { get; set; } = CausalTests.PaperTargets;

    /// <summary>Seed of the draws.</summary>
    [Parameter(HelpMessage = "Seed of the draws")]
    public ulong Seed { get; set; }

    /// <summary>Folder for tables.</summary>
    [Parameter(HelpMessage = "Folder for all tables; written when given")]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    private protected override (int Id, string Text) Activity => (7021, "Cutting predecessors");

    private protected override void Process()
    {
        var folder = Destination.Length > 0 ? FilePath(Destination) : null;
        var (pack, rows, skipped) = OnTexts((pack, model, documents, cancel) =>
        {
            var plan = new CausalPlan
            {
                Strategies = Strategy.Length > 0 ? Strategy : CausalPlan.Known,
                Texts = TextCount,
                TokensPerText = TokenCount,
                TargetsPerToken = TargetCount,
                Layers = Layer is null ? null : [.. SitePlaces.Of(pack.Pack, Layer, ["res"]).Select(p => p.Layer).Order()],
                SweepTargets = folder is null ? 0 : 100,
                Seed = Seed,
            };
            var report = plan.Run(pack, model, [.. documents.Select(d => d.Document)], null, Progress, cancel);
            if (folder is not null) CausalTables.Write(report, folder);
            return (pack.Pack.Source, report.Rows, report.Skipped.Count);
        });
        if (skipped > 0) WriteWarning($"{skipped} targets are not active where they should be.");
        foreach (var row in rows) WriteObject(new FeatureCausality(pack, row));
    }
}

/// <summary>What removing the predecessors of a feature at a token did to it.</summary>
public sealed record FeatureCausality
{
    internal FeatureCausality(string pack, CausalRow row)
    {
        (Pack, Sequence, Position, Layer, Index) = (pack, row.Target.Sequence, row.Target.Position, row.Target.Layer, row.Target.Feature);
        (Strategy, Group, Removed, GroupAfter) = (row.Strategy, row.Group.Name(), string.Join(' ', row.Removed), row.GroupAfterName);
        (ActivationBefore, ActivationAfter, ActivationChange, Deactivated) = (row.ZOld, row.ZNew, row.ActivationChange, row.Deactivated);
    }

    /// <summary>The pack.</summary>
    public string Pack { get; }

    /// <summary>Number of the text.</summary>
    public int Sequence { get; }

    /// <summary>Position in it.</summary>
    public int Position { get; }

    /// <summary>Layer of the feature.</summary>
    public int Layer { get; }

    /// <summary>Its site.</summary>
    public string Site { get; } = "res";

    /// <summary>Its index.</summary>
    public int Index { get; }

    /// <summary>Who named the predecessors.</summary>
    public string Strategy { get; }

    /// <summary>Sites with an active predecessor, as in <c>From RES</c>.</summary>
    public string Group { get; }

    /// <summary>What was removed, <c>layer/site/index</c> with spaces between.</summary>
    public string Removed { get; }

    /// <summary>Activation before.</summary>
    public double ActivationBefore { get; }

    /// <summary>Activation after.</summary>
    public double ActivationAfter { get; }

    /// <summary>1 − after/before.</summary>
    public double ActivationChange { get; }

    /// <summary>Silent after the cut.</summary>
    public bool Deactivated { get; }

    /// <summary>The group after the cut; null where not asked.</summary>
    public string? GroupAfter { get; }
}
