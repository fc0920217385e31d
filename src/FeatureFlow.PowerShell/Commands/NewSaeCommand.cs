using System.Globalization;
using System.Management.Automation;
using System.Text.Json;
using FeatureFlow.Experiments;
using FeatureFlow.Saes;
using FeatureFlow.Saes.Training;

namespace FeatureFlow.PowerShell;

/// <summary>New-Sae: trains SAEs at sites of a model, by an experiment's file or by parameters.</summary>
[Cmdlet(VerbsCommon.New, "Sae", DefaultParameterSetName = ByExperiment, SupportsShouldProcess = true)]
[OutputType(typeof(SaeSummary))]
public sealed class NewSaeCommand : EngineCmdlet
{
    private const string ByExperiment = "Experiment";
    private const string ByCorpus = "Corpus";
    private const string ByIds = "Ids";

    /// <summary>An experiment.</summary>
    [Parameter(ParameterSetName = ByExperiment, Mandatory = true, Position = 0, HelpMessage = "An experiment's YAML file, kind: sae-training")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>The model.</summary>
    [Parameter(ParameterSetName = ByCorpus, Mandatory = true, Position = 0, HelpMessage = "Folder of a Hugging Face checkpoint, or a hub id that the local cache has")]
    [Parameter(ParameterSetName = ByIds, Mandatory = true, Position = 0, HelpMessage = "Folder of a Hugging Face checkpoint, or a hub id that the local cache has")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    /// <summary>Texts.</summary>
    [Parameter(ParameterSetName = ByCorpus, Mandatory = true, HelpMessage = "Texts: files, folders or patterns")]
    [ValidateNotNullOrEmpty]
    public string[] Corpus { get; set; } = [];

    /// <summary>Token ids.</summary>
    [Parameter(ParameterSetName = ByIds, Mandatory = true, HelpMessage = "A .safetensors file of token ids, BOS first")]
    [ValidateNotNullOrEmpty]
    public string IdsFile { get; set; } = "";

    /// <summary>The tensor of the ids.</summary>
    [Parameter(ParameterSetName = ByIds, HelpMessage = "Its tensor, int64 or int32 [N,T]")]
    [ValidateNotNullOrEmpty]
    public string Tensor { get; set; } = "input_ids";

    /// <summary>Sites.</summary>
    [Parameter(ParameterSetName = ByCorpus, HelpMessage = "Sites: res, mlp, att, att_z, res_pre")]
    [Parameter(ParameterSetName = ByIds, HelpMessage = "Sites: res, mlp, att, att_z, res_pre")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    public string[] Site { get; set; } = ["res"];

    /// <summary>Layers; all by default.</summary>
    [Parameter(ParameterSetName = ByCorpus, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [Parameter(ParameterSetName = ByIds, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    public NumberRange[]? Layer { get; set; }

    /// <summary>F.</summary>
    [Parameter(ParameterSetName = ByCorpus, Mandatory = true, HelpMessage = "Number of features of each SAE")]
    [Parameter(ParameterSetName = ByIds, Mandatory = true, HelpMessage = "Number of features of each SAE")]
    [ValidateRange(1, 1 << 24)]
    public int FeatureCount { get; set; }

    /// <summary>Active features of a token.</summary>
    [Parameter(ParameterSetName = ByCorpus, Mandatory = true, HelpMessage = "Active features of a token: k of TopK and BatchTopK, what JumpRelu is steered towards")]
    [Parameter(ParameterSetName = ByIds, Mandatory = true, HelpMessage = "Active features of a token: k of TopK and BatchTopK, what JumpRelu is steered towards")]
    public double L0 { get; set; }

    /// <summary>σ.</summary>
    [Parameter(ParameterSetName = ByCorpus, HelpMessage = "JumpRelu, TopK or BatchTopK")]
    [Parameter(ParameterSetName = ByIds, HelpMessage = "JumpRelu, TopK or BatchTopK")]
    public SaeTrainingKind Kind { get; set; }

    /// <summary>Updates.</summary>
    [Parameter(ParameterSetName = ByCorpus, HelpMessage = "Number of updates")]
    [Parameter(ParameterSetName = ByIds, HelpMessage = "Number of updates")]
    [ValidateRange(1, int.MaxValue)]
    public int Steps { get; set; } = 4000;

    /// <summary>Tokens of an update.</summary>
    [Parameter(ParameterSetName = ByCorpus, HelpMessage = "Tokens of an update")]
    [Parameter(ParameterSetName = ByIds, HelpMessage = "Tokens of an update")]
    [ValidateRange(1, 1 << 24)]
    public int BatchSize { get; set; } = 2048;

    /// <summary>Seed.</summary>
    [Parameter(ParameterSetName = ByCorpus, HelpMessage = "Seed of everything drawn by chance")]
    [Parameter(ParameterSetName = ByIds, HelpMessage = "Seed of everything drawn by chance")]
    public ulong Seed { get; set; } = 1;

    /// <summary>Where the pack is written.</summary>
    [Parameter(Mandatory = true, HelpMessage = "Folder of the pack that is written; a run that was stopped goes on there")]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    /// <summary>Trains anew.</summary>
    [Parameter(HelpMessage = "Train anew, and drop what the folder holds of other settings")]
    public SwitchParameter Force { get; set; }

    private protected override (int Id, string Text) Activity => (7009, "Training SAEs");

    private protected override object? Target => Destination;

    private protected override void End()
    {
        var folder = FilePath(Destination);
        var (file, yaml) = ParameterSetName == ByExperiment ? (FilePath(Path), null) : (System.IO.Path.Combine(folder, "parameters.yaml"), Yaml(System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(folder))));
        if (!ShouldProcess(folder, "Train SAEs")) return;
        var force = Force.IsPresent;
        foreach (var note in Run(cancel => Train(file, yaml, folder, force, cancel))) WriteWarning(note);
        var pack = OpenPack(folder);
        foreach (var sae in pack.Pack.Saes) WriteObject(new SaeSummary(pack.Pack.Source, pack.Info(sae.Layer, sae.Site) with { Layer = sae.Layer, Site = sae.Site }, null));
    }

    private IReadOnlyList<string> Train(string file, string? yaml, string folder, bool force, CancellationToken cancel)
    {
        var experiment = yaml is null ? ExperimentFile.Load(file) : ExperimentFile.Parse(yaml, file);
        if (experiment.KindName != "sae-training") throw CmdletErrors.NoTraining(file, experiment.KindName);
        return ExperimentRunner.Run(experiment, new RunOptions { Output = folder, Force = force, CommandLine = ["New-Sae"] }, Progress, cancel).Notes;
    }

    // JSON is YAML
    private string Yaml(string name)
    {
        var saes = Site.Select(site =>
        {
            var sae = new Dictionary<string, object> { ["site"] = site, ["features"] = FeatureCount, ["l0"] = L0, ["kind"] = Kind.ToString().ToLower(CultureInfo.InvariantCulture) };
            if (Layer is not null && !Layer.Any(l => l.ToString() == "*")) sae["layers"] = string.Join(',', Layer.Select(l => l.ToString()));
            return sae;
        }).ToList();
        var values = new Dictionary<string, object> { ["version"] = 1, ["kind"] = "sae-training", ["name"] = name, ["model"] = ModelAt(Model), ["saes"] = saes, ["steps"] = Steps, ["batch"] = BatchSize, ["seed"] = Seed };
        if (ParameterSetName == ByIds) values["ids"] = new Dictionary<string, string> { ["path"] = FilePath(IdsFile), ["tensor"] = Tensor };
        else values["texts"] = Corpus.Select(c => FilePath(c) is var path && System.IO.Path.Exists(path) || WildcardPattern.ContainsWildcardCharacters(c) ? FilePath(c) : c).ToList();
        return JsonSerializer.Serialize(values);
    }
}
