using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-LayerApproximation: how well the state after a layer is known from the layer before.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "LayerApproximation", DefaultParameterSetName = ByCorpus)]
[OutputType(typeof(LayerApproximationMeasurement))]
public sealed class MeasureLayerApproximationCommand : TextsCmdlet
{
    /// <summary>First layers; all pairs by default.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "First layers of the pairs: 4, 0-4, several with commas; every pair of neighbours by default")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>What is compared.</summary>
    [Parameter(HelpMessage = "What the assignments compare: Decoder, Encoder or Both")]
    public MatchCost Cost { get; set; } = MatchCost.Both;

    /// <summary>How to fold.</summary>
    [Parameter(HelpMessage = "What is folded by: Threshold, DecoderNorm, or MeanActivation, measured on the texts; thresholds where there are some by default")]
    [ValidateSet("Threshold", "DecoderNorm", "MeanActivation")]
    public FoldRule? Fold { get; set; }

    /// <summary>Quantiles.</summary>
    [Parameter(HelpMessage = "Shares of the pairs, those of smallest error first, that go through the permutation")]
    [ValidateRange(0.0, 1.0)]
    public double[] Quantile { get; set; } = [];

    /// <summary>Without losses.</summary>
    [Parameter(HelpMessage = "Leave out how the loss rises: a forward pass for every substitute")]
    public SwitchParameter NoLoss { get; set; }

    /// <summary>Folder for tables.</summary>
    [Parameter(HelpMessage = "Folder for approx.csv, intervals.csv, transitions.csv and layers.csv; a folder in it for every corpus where there are several")]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    private protected override (int Id, string Text) Activity => (7022, "Approximating layers");

    private protected override void Process()
    {
        var folder = Destination.Length > 0 ? FilePath(Destination) : null;
        var options = new ApproximationOptions { Cost = Cost, Fold = Fold, Quantiles = Quantile, TransitionTops = folder is null ? [] : [1, 2], Losses = !NoLoss };
        var rows = OnTexts((pack, model, documents, cancel) =>
        {
            if (Layer is not null)
            {
                var layers = SitePlaces.Of(pack.Pack, Layer, ["res"]).Select(p => p.Layer).ToHashSet();
                // the last layer has no next one: said only to who asked for it
                options = options with { Layers = [.. layers.Where(l => pack.Pack.Find(l + 1, FeatureFlow.Site.Res) is not null || Layer.Any(r => r.IsOne && r.First == l)).Order()] };
            }

            var found = new List<LayerApproximationMeasurement>();
            var corpora = documents.GroupBy(d => d.Corpus).ToList();
            foreach (var corpus in corpora)
            {
                var result = LayerApproximations.Measure(pack, model, [.. corpus.Select(d => d.Document)], options, Progress, cancel);
                if (folder is not null) Tables.Write(result, corpora.Count == 1 ? folder : System.IO.Path.Combine(folder, corpus.Key));
                foreach (var row in result.Approximations) found.Add(new LayerApproximationMeasurement(pack.Pack.Source, corpus.Key, row));
            }

            return found;
        });
        foreach (var row in rows) WriteObject(row);
    }
}

/// <summary>One substitute for the hidden state after a layer, with intervals: over documents, of matching scores over features.</summary>
public sealed record LayerApproximationMeasurement
{
    internal LayerApproximationMeasurement(string pack, string dataset, LayerApproximation row)
    {
        (Pack, Dataset, Layer, Substitute, Fold) = (pack, dataset, row.Layer, row.Substitute, row.Fold);
        (ExplainedVariance, ExplainedVarianceLow, ExplainedVarianceHigh) = (row.ExplainedVariance, row.ExplainedVarianceInterval?.Low, row.ExplainedVarianceInterval?.High);
        (DeltaLoss, DeltaLossLow, DeltaLossHigh) = (row.DeltaCrossEntropy, row.DeltaInterval?.Low, row.DeltaInterval?.High);
        (MatchingScore, MatchingScoreLow, MatchingScoreHigh) = (row.MatchingScore, row.MatchingInterval?.Low, row.MatchingInterval?.High);
    }

    /// <summary>The pack.</summary>
    public string Pack { get; }

    /// <summary>Corpus.</summary>
    public string Dataset { get; }

    /// <summary>t: the state after layer t + 1 is substituted.</summary>
    public int Layer { get; }

    /// <summary>layer-drop, encode-decode-current, encode-decode-previous, encode-permute-decode, encode-permute-decode-unfolded or quantile-q.</summary>
    public string Substitute { get; }

    /// <summary>What was folded by.</summary>
    public string Fold { get; }

    /// <summary>1 − Var(x̂ − x)/Var(x).</summary>
    public double ExplainedVariance { get; }

    /// <summary>Lower end of its interval.</summary>
    public double? ExplainedVarianceLow { get; }

    /// <summary>Upper end.</summary>
    public double? ExplainedVarianceHigh { get; }

    /// <summary>Rise of the cross-entropy, nats a token.</summary>
    public double? DeltaLoss { get; }

    /// <summary>Lower end of its interval.</summary>
    public double? DeltaLossLow { get; }

    /// <summary>Upper end.</summary>
    public double? DeltaLossHigh { get; }

    /// <summary>P(matched feature active at t + 1 | feature active at t).</summary>
    public double? MatchingScore { get; }

    /// <summary>Lower end of its interval.</summary>
    public double? MatchingScoreLow { get; }

    /// <summary>Upper end.</summary>
    public double? MatchingScoreHigh { get; }
}
