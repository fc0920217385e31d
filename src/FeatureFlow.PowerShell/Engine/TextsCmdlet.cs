using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.PowerShell;

/// <summary>A cmdlet that runs the model of a pack on texts.</summary>
public abstract class TextsCmdlet : EngineCmdlet
{
    private protected const string ByCorpus = "Corpus";
    private protected const string ByIds = "Ids";

    /// <summary>The pack.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "pack.yaml, a folder of SAEs, or the name of a preset")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string Pack { get; set; } = "";

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

    private protected override object? Target => Pack;

    /// <summary>What runs with the pack, its model and the documents, off the pipeline thread.</summary>
    private protected T OnTexts<T>(Func<OpenedPack, LanguageModel, IReadOnlyList<(string Corpus, TokenDocument Document)>, CancellationToken, T> work)
    {
        var pack = OpenPack(Pack);
        var named = ModelAt(Model.Length > 0 ? Model : pack.Pack.Model ?? throw CmdletErrors.NoModel(pack.Pack.Source));
        var choice = TextChoice.Of(this, Corpus, DocumentCount, ParameterSetName == ByIds ? IdsFile : "", Tensor);
        return Run(cancel =>
        {
            using var lease = FlowEngine.Shared.Model(named);
            return work(pack, lease.Model, choice.Read(lease.Model), cancel);
        });
    }
}
