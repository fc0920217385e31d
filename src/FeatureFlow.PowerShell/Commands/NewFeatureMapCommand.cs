using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>New-FeatureMap: which feature of one SAE is which of another.</summary>
[Cmdlet(VerbsCommon.New, "FeatureMap")]
[OutputType(typeof(FeatureMap))]
public sealed class NewFeatureMapCommand : EngineCmdlet
{
    /// <summary>The pack.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "pack.yaml, a folder of SAEs, or the name of a preset")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string Pack { get; set; } = "";

    /// <summary>Source layers.</summary>
    [Parameter(HelpMessage = "Layers of the sources: 4, 0-4, several with commas, or * for all that have a target")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Source sites.</summary>
    [Parameter(HelpMessage = "Sites of the sources: res by default")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [SupportsWildcards]
    public string[]? Site { get; set; }

    /// <summary>Target layer.</summary>
    [Parameter(HelpMessage = "Layer of the target; the next one by default")]
    public int? To { get; set; }

    /// <summary>Target site.</summary>
    [Parameter(HelpMessage = "Site of the target; that of the source by default")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    public string? ToSite { get; set; }

    /// <summary>How.</summary>
    [Parameter(HelpMessage = "Assignment: one to one, of least total cost, with its proof; Cosine: the nearest of every source; Pearson: the best correlated over texts")]
    [ValidateSet("Assignment", "Cosine", "Pearson")]
    public MapMethod MapMethod { get; set; } = MapMethod.Assignment;

    /// <summary>What is compared.</summary>
    [Parameter(HelpMessage = "What an assignment compares: Decoder, Encoder or Both")]
    public MatchCost Cost { get; set; } = MatchCost.Both;

    /// <summary>Without folding.</summary>
    [Parameter(HelpMessage = "Compare parameters as they are, without folding thresholds into them")]
    public SwitchParameter Unfolded { get; set; }

    /// <summary>Targets of a source.</summary>
    [Parameter(HelpMessage = "Cosine and Pearson: targets of a source, 1 to 1024")]
    [ValidateRange(1, 1024)]
    public int Top { get; set; } = 1;

    /// <summary>Weigh pairs.</summary>
    [Parameter(HelpMessage = "Cosine: weigh pairs by their cosine instead of by 1")]
    public SwitchParameter Weighted { get; set; }

    /// <summary>Files to write.</summary>
    [Parameter(HelpMessage = "Also write the map, .csv or .npy; {from} and {to} stand for the layers")]
    [ValidateNotNullOrEmpty]
    public string? OutFile { get; set; }

    /// <summary>Texts.</summary>
    [Parameter(HelpMessage = "With -MapMethod Pearson: texts, as files, folders or patterns")]
    [ValidateNotNullOrEmpty]
    public string[] Corpus { get; set; } = [];

    /// <summary>Documents drawn.</summary>
    [Parameter(HelpMessage = "With -MapMethod Pearson: documents drawn from each corpus; 0 takes all")]
    [ValidateRange(0, int.MaxValue)]
    public int DocumentCount { get; set; }

    /// <summary>Token ids.</summary>
    [Parameter(HelpMessage = "With -MapMethod Pearson: a .safetensors file of token ids, BOS first, instead of texts")]
    [ValidateNotNullOrEmpty]
    public string IdsFile { get; set; } = "";

    /// <summary>The tensor of the ids.</summary>
    [Parameter(HelpMessage = "Its tensor, int64 or int32 [N,T]")]
    [ValidateNotNullOrEmpty]
    public string Tensor { get; set; } = "input_ids";

    /// <summary>The model; the pack's by default.</summary>
    [Parameter(HelpMessage = "With -MapMethod Pearson: folder of a Hugging Face checkpoint, or a hub id that the local cache has; the pack's model by default")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    private protected override (int Id, string Text) Activity => (7015, "Matching features");

    private protected override object? Target => Pack;

    private protected override void Process()
    {
        var pack = OpenPack(Pack);
        var options = new FeatureMapOptions { Method = MapMethod, Cost = Cost, Folded = !Unfolded, Top = Top, Weighted = Weighted, Assignment = new AssignmentOptions { Progress = Progress } };
        if (MapMethod == MapMethod.Pearson && Corpus.Length == 0 && IdsFile.Length == 0) throw CmdletErrors.NoTexts("-MapMethod Pearson");
        var texts = MapMethod == MapMethod.Pearson ? TextChoice.Of(this, Corpus, DocumentCount, IdsFile, Tensor) : null;
        var model = Model.Length > 0 ? ModelAt(Model) : null;
        foreach (var (layer, site) in SitePlaces.Of(pack.Pack, Layer, Site ?? ["res"]))
        {
            var (to, toSite) = (To ?? layer + 1, ToSite is null ? site : Sites.Parse(ToSite));
            // the last layer has no next one: said only to who asked for it
            if (To is null && pack.Pack.Find(to, toSite) is null && Layer?.Any(l => l.IsOne && l.First == layer) != true) continue;
            var map = Run(cancel => texts is null ? FeatureMapBuilder.Build(pack, layer, site, to, toSite, options, cancel) : Correlated(pack, texts, model, new SiteAddress(layer, site), new SiteAddress(to, toSite), cancel));
            FeatureMaps.Write(this, map, OutFile, layer, to);
            WriteObject(map);
        }
    }

    private FeatureMap Correlated(OpenedPack pack, TextChoice texts, string? model, SiteAddress from, SiteAddress to, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(model ?? pack.Pack.Model ?? throw CmdletErrors.NoModel(pack.Pack.Source));
        return FeatureMapBuilder.Correlate(pack, lease.Model, texts.Read(lease.Model).Select(d => d.Document), from, to, Top, Progress, cancel);
    }
}
