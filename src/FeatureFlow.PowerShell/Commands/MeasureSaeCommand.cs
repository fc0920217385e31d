using System.Management.Automation;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-Sae: what the SAEs of a pack do on texts, against what they declare.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "Sae", DefaultParameterSetName = ByCorpus)]
[OutputType(typeof(SaeMeasurement))]
public sealed class MeasureSaeCommand : EngineCmdlet
{
    private const string ByCorpus = "Corpus";
    private const string ByIds = "Ids";
    private const int Context = 512;

    /// <summary>The pack.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "pack.yaml, a folder of SAEs, or the name of a preset")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string Pack { get; set; } = "";

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

    /// <summary>The model; the pack's by default.</summary>
    [Parameter(HelpMessage = "Folder of a Hugging Face checkpoint, or a hub id that the local cache has; the pack's model by default")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    /// <summary>Texts.</summary>
    [Parameter(ParameterSetName = ByCorpus, Mandatory = true, HelpMessage = "Texts: files, folders or patterns")]
    [ValidateNotNullOrEmpty]
    public string[] Corpus { get; set; } = [];

    /// <summary>Documents drawn.</summary>
    [Parameter(ParameterSetName = ByCorpus, HelpMessage = "Documents drawn from each corpus; 0 takes all")]
    [ValidateRange(0, int.MaxValue)]
    public int DocumentCount { get; set; }

    /// <summary>Token ids.</summary>
    [Parameter(ParameterSetName = ByIds, Mandatory = true, HelpMessage = "A .safetensors file of token ids, BOS first")]
    [ValidateNotNullOrEmpty]
    public string IdsFile { get; set; } = "";

    /// <summary>The tensor of the ids.</summary>
    [Parameter(ParameterSetName = ByIds, HelpMessage = "Its tensor, int64 or int32 [N,T]")]
    [ValidateNotNullOrEmpty]
    public string Tensor { get; set; } = "input_ids";

    /// <summary>Leaves the losses out.</summary>
    [Parameter(HelpMessage = "Leave out how the loss rises with each SAE in place: one forward pass more per SAE")]
    public SwitchParameter NoLoss { get; set; }

    private protected override (int Id, string Text) Activity => (7010, "Measuring SAEs");

    private protected override object? Target => Pack;

    private protected override void Process()
    {
        var pack = OpenPack(Pack);
        var named = Model.Length > 0 ? Model : pack.Pack.Model ?? throw CmdletErrors.NoModel(pack.Pack.Source);
        var places = SitePlaces.Of(pack.Pack, Layer, Site).ToList();
        string[] corpora = [.. Corpus.Select(c => System.IO.Path.Exists(FilePath(c)) || WildcardPattern.ContainsWildcardCharacters(c) ? FilePath(c) : c)];
        var ids = ParameterSetName == ByIds ? FilePath(IdsFile) : null;
        var measures = Run(cancel => Measure(pack, places, ModelAt(named), corpora, ids, cancel));
        foreach (var measure in measures) WriteObject(new SaeMeasurement(pack.Pack.Source, measure));
    }

    private IReadOnlyList<SaeMeasures> Measure(OpenedPack pack, List<(int Layer, Site Site)> places, string model, string[] corpora, string? ids, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(model);
        var saes = new List<Sae>();
        try
        {
            foreach (var (layer, site) in places)
            {
                _ = pack.Info(layer, site); // a missing one is told with what there is
                var sae = pack.Pack.Find(layer, site)!;
                saes.Add(Sae.Open(sae.Path, sae.Site, sae.Layer));
            }

            var documents = ids is null ? Documents(lease.Model, corpora) : TokenIdsFile.Read(ids, Tensor);
            return SaeEvaluation.Measure(lease.Model, documents, saes, !NoLoss.IsPresent, new Share(Progress), cancel);
        }
        finally
        {
            foreach (var sae in saes) sae.Dispose();
        }
    }

    private List<TokenDocument> Documents(LanguageModel model, string[] corpora)
    {
        var how = new TokenizeOptions(MaxTokens: Math.Min(Context, model.Config.Context));
        var documents = new List<TokenDocument>();
        foreach (var name in corpora)
        {
            var corpus = Corpora.Find(name);
            documents.AddRange(how.Tokenize(DocumentCount > 0 ? corpus.Sample(DocumentCount, seed: 1) : corpus.Read(), model.Tokenizer));
        }

        return documents;
    }

    private sealed class Share(IProgress<FlowProgress> to) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress("measuring", value));
    }
}
