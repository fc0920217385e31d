using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-Sae: what the SAEs of a pack do on texts, against what they declare.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "Sae", DefaultParameterSetName = ByCorpus)]
[OutputType(typeof(SaeMeasurement))]
public sealed class MeasureSaeCommand : TextsCmdlet
{
    /// <summary>Layers; all by default.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Sites, wildcards allowed; all by default.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Sites: res, mlp, att, att_z, res_pre, tc; wildcards allowed")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [SupportsWildcards]
    public string[]? Site { get; set; }

    /// <summary>Leaves the losses out.</summary>
    [Parameter(HelpMessage = "Leave out how the loss rises with each SAE in place: one forward pass more per SAE")]
    public SwitchParameter NoLoss { get; set; }

    private protected override (int Id, string Text) Activity => (7010, "Measuring SAEs");

    private protected override void Process()
    {
        var measured = OnTexts((pack, model, documents, cancel) => Measure(pack, model, [.. documents.Select(d => d.Document)], cancel).Select(m => new SaeMeasurement(pack.Pack.Source, m)).ToList());
        foreach (var measure in measured) WriteObject(measure);
    }

    private IReadOnlyList<SaeMeasures> Measure(OpenedPack pack, LanguageModel model, List<TokenDocument> documents, CancellationToken cancel)
    {
        var saes = new List<Sae>();
        try
        {
            foreach (var (layer, site) in SitePlaces.Of(pack.Pack, Layer, Site))
            {
                _ = pack.Info(layer, site); // a missing one is told with what there is
                var sae = pack.Pack.Find(layer, site)!;
                saes.Add(Sae.Open(sae.Path, sae.Site, sae.Layer));
            }

            return SaeEvaluation.Measure(model, documents, saes, !NoLoss.IsPresent, new Share(Progress), cancel);
        }
        finally
        {
            foreach (var sae in saes) sae.Dispose();
        }
    }

    private sealed class Share(IProgress<FlowProgress> to) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress("measuring", value));
    }
}
