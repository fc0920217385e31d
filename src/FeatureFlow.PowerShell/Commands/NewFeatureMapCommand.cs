using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>New-FeatureMap: which feature of one SAE is which of another, found or read from files.</summary>
[Cmdlet(VerbsCommon.New, "FeatureMap", DefaultParameterSetName = Found)]
[OutputType(typeof(FeatureMap))]
public sealed class NewFeatureMapCommand : EngineCmdlet
{
    private const string Found = "Found";
    private const string File = "File";

    /// <summary>The pack.</summary>
    [Parameter(ParameterSetName = Found, Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "pack.yaml, a folder of SAEs, or the name of a preset")]
    [Parameter(ParameterSetName = File, HelpMessage = "The pack whose features the files pair")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string Pack { get; set; } = "";

    /// <summary>Files of maps.</summary>
    [Parameter(ParameterSetName = File, Mandatory = true, HelpMessage = "Maps in files, .csv or .npy, wildcards allowed; names such as P_3_4.npy say the layers")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] MapFile { get; set; } = [];

    /// <summary>Source layers.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "Layers of the sources: 4, 0-4, several with commas, or * for all that have a target")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Source sites.</summary>
    [Parameter(HelpMessage = "Sites of the sources: res by default")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [SupportsWildcards]
    public string[]? Site { get; set; }

    /// <summary>Target layer.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "Layer of the target; the next one by default")]
    public int? To { get; set; }

    /// <summary>Target site.</summary>
    [Parameter(HelpMessage = "Site of the target; that of the source by default")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    public string? ToSite { get; set; }

    /// <summary>How.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "Assignment: one to one, of least total cost, with its proof; Cosine: the nearest of every source; Pearson: the best correlated over texts")]
    [ValidateSet("Assignment", "Cosine", "Pearson")]
    public MapMethod MapMethod { get; set; } = MapMethod.Assignment;

    /// <summary>What is compared.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "What an assignment compares: Decoder, Encoder or Both")]
    public MatchCost Cost { get; set; } = MatchCost.Both;

    /// <summary>Without folding.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "Compare parameters as they are, without folding thresholds into them")]
    public SwitchParameter Unfolded { get; set; }

    /// <summary>How to fold.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "What is folded by: Threshold, DecoderNorm, or MeanActivation, measured on texts; thresholds where there are some by default")]
    [ValidateSet("Threshold", "DecoderNorm", "MeanActivation")]
    public FoldRule? Fold { get; set; }

    /// <summary>Targets of a source.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "Cosine and Pearson: targets of a source, 1 to 1024")]
    [ValidateRange(1, 1024)]
    public int Top { get; set; } = 1;

    /// <summary>Weigh pairs.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "Cosine: weigh pairs by their cosine instead of by 1")]
    public SwitchParameter Weighted { get; set; }

    /// <summary>Files to write.</summary>
    [Parameter(HelpMessage = "Also write the map, .csv or .npy; {from} and {to} stand for the layers")]
    [ValidateNotNullOrEmpty]
    public string? OutFile { get; set; }

    /// <summary>Texts.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "With -MapMethod Pearson or -Fold MeanActivation: texts, as files, folders or patterns")]
    [ValidateNotNullOrEmpty]
    public string[] Corpus { get; set; } = [];

    /// <summary>Documents drawn.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "With -MapMethod Pearson or -Fold MeanActivation: documents drawn from each corpus; 0 takes all")]
    [ValidateRange(0, int.MaxValue)]
    public int DocumentCount { get; set; }

    /// <summary>Token ids.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "With -MapMethod Pearson or -Fold MeanActivation: a .safetensors file of token ids, BOS first, instead of texts")]
    [ValidateNotNullOrEmpty]
    public string IdsFile { get; set; } = "";

    /// <summary>The tensor of the ids.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "Its tensor, int64 or int32 [N,T]")]
    [ValidateNotNullOrEmpty]
    public string Tensor { get; set; } = "input_ids";

    /// <summary>The model; the pack's by default.</summary>
    [Parameter(ParameterSetName = Found, HelpMessage = "With -MapMethod Pearson or -Fold MeanActivation: folder of a Hugging Face checkpoint, or a hub id that the local cache has; the pack's model by default")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    private protected override (int Id, string Text) Activity => (7015, "Matching features");

    private protected override object? Target => ParameterSetName == File ? MapFile : Pack;

    private protected override void Process()
    {
        if (ParameterSetName == File) ReadFiles();
        else Find();
    }

    private void Find()
    {
        var pack = OpenPack(Pack);
        var options = new FeatureMapOptions { Method = MapMethod, Cost = Cost, Folded = !Unfolded, Fold = Fold, Top = Top, Weighted = Weighted, Assignment = new AssignmentOptions { Progress = Progress } };
        var reads = MapMethod == MapMethod.Pearson ? "-MapMethod Pearson" : Fold == FoldRule.MeanActivation ? "-Fold MeanActivation" : null;
        if (reads is not null && Corpus.Length == 0 && IdsFile.Length == 0) throw CmdletErrors.NoTexts(reads);
        var texts = reads is not null ? TextChoice.Of(this, Corpus, DocumentCount, IdsFile, Tensor) : null;
        var model = Model.Length > 0 ? ModelAt(Model) : null;
        foreach (var (layer, site) in SitePlaces.Of(pack.Pack, Layer, Site ?? ["res"]))
        {
            var (to, toSite) = (To ?? layer + 1, ToSite is null ? site : Sites.Parse(ToSite));
            // the last layer has no next one: said only to who asked for it
            if (To is null && pack.Pack.Find(to, toSite) is null && Layer?.Any(l => l.IsOne && l.First == layer) != true) continue;
            var map = Run(cancel => texts is null ? FeatureMapBuilder.Build(pack, layer, site, to, toSite, options, cancel) : OnTexts(pack, texts, model, new SiteAddress(layer, site), new SiteAddress(to, toSite), options, cancel));
            FeatureMaps.Write(this, map, OutFile, layer, to);
            WriteObject(map);
        }
    }

    private FeatureMap OnTexts(OpenedPack pack, TextChoice texts, string? model, SiteAddress from, SiteAddress to, FeatureMapOptions options, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(model ?? pack.Pack.Model ?? throw CmdletErrors.NoModel(pack.Pack.Source));
        var documents = texts.Read(lease.Model).Select(d => d.Document);
        if (options.Method == MapMethod.Pearson) return FeatureMapBuilder.Correlate(pack, lease.Model, documents, from, to, Top, Progress, cancel);
        var activity = new FeatureActivity(pack, lease.Model, documents, [from, to], null, cancel);
        return FeatureMapBuilder.Build(pack, from.Layer, from.Site, to.Layer, to.Site, options with { SourceMeans = activity.Means(from), TargetMeans = activity.Means(to) }, cancel);
    }

    private void ReadFiles()
    {
        var pack = Pack.Length > 0 ? OpenPack(Pack) : null;
        var (site, toSite) = (Site is [var one, ..] ? one : "res", ToSite);
        foreach (var path in MapFile.SelectMany(FilePaths))
        {
            var map = Run(_ => FeatureMapFile.Read(path));
            var layers = System.Text.RegularExpressions.Regex.Match(System.IO.Path.GetFileNameWithoutExtension(path), "^P_([0-9]{1,3})_([0-9]{1,3})$");
            if (layers.Success) map = map with { From = $"{layers.Groups[1].Value}/{site}", To = $"{layers.Groups[2].Value}/{toSite ?? site}" };
            if (pack is not null) map = map with { Pack = pack.Pack.Source };
            if (pack is not null && layers.Success) map = Run(cancel => FeatureMapBuilder.WithErrors(pack, map, null, cancel));
            WriteObject(map);
        }
    }
}
