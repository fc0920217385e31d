using System.Collections.ObjectModel;
using System.Management.Automation;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Get-Sae: the SAEs of a pack, or of files and folders. Reads headers, no weights.</summary>
[Cmdlet(VerbsCommon.Get, "Sae", DefaultParameterSetName = ByPack)]
[OutputType(typeof(SaeSummary))]
public sealed class GetSaeCommand : EngineCmdlet
{
    private const string ByPack = "Pack";
    private const string ByPath = "Path";
    private const string ByLiteralPath = "LiteralPath";

    /// <summary>The pack.</summary>
    [Parameter(ParameterSetName = ByPack, Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "pack.yaml, a folder of SAEs, or the name of a preset")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string Pack { get; set; } = "";

    /// <summary>Layers; all by default.</summary>
    [Parameter(ParameterSetName = ByPack, ValueFromPipelineByPropertyName = true, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Sites, wildcards allowed; all by default.</summary>
    [Parameter(ParameterSetName = ByPack, ValueFromPipelineByPropertyName = true, HelpMessage = "Sites: res, mlp, att, att_z, res_pre, tc; wildcards allowed")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [SupportsWildcards]
    public string[]? Site { get; set; }

    /// <summary>Files or folders, wildcards allowed.</summary>
    [Parameter(ParameterSetName = ByPath, Mandatory = true, HelpMessage = "Files or folders of SAEs; wildcards allowed")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Files or folders, taken as they are.</summary>
    [Parameter(ParameterSetName = ByLiteralPath, Mandatory = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Files or folders of SAEs, no wildcards")]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    private protected override object? Target => ParameterSetName == ByPack ? Pack : null;

    private protected override void Begin()
    {
        if (MyInvocation.BoundParameters.ContainsKey(nameof(Pack))) OpenPack(Pack);
    }

    private protected override void Process()
    {
        switch (ParameterSetName)
        {
            case ByPath:
                foreach (var path in Path) Each(WildcardPattern.ContainsWildcardCharacters(path) ? Matching(path) : [path], path);
                break;
            case ByLiteralPath:
                foreach (var path in LiteralPath) Each([path], path);
                break;
            default:
                OfPack();
                break;
        }
    }

    private void OfPack()
    {
        var pack = OpenPack(Pack);
        foreach (var (layer, site) in SitePlaces.Of(pack.Pack, Layer, Site))
        {
            try
            {
                // the pack knows better than the file where the SAE belongs
                WriteObject(new SaeSummary(pack.Pack.Source, Run(_ => pack.Info(layer, site)) with { Layer = layer, Site = site }));
            }
            catch (FeatureFlowException e)
            {
                WriteFailure(e, pack.Pack.Find(layer, site)?.Path ?? $"{layer}/{site.Name()}");
            }
        }
    }

    private void Each(IEnumerable<string> paths, string typed)
    {
        foreach (var path in paths)
        {
            try
            {
                var file = FilePath(path);
                WriteObject(new SaeSummary(null, Run(_ => Info(file))));
            }
            catch (FeatureFlowException e)
            {
                WriteFailure(e, typed);
            }
        }
    }

    private Collection<string> Matching(string path)
    {
        var found = SessionState.Path.GetResolvedProviderPathFromPSPath(path, out _);
        return found.Count > 0 ? found : throw CmdletErrors.NoFile(path);
    }

    private static SaeInfo Info(string path)
    {
        using var sae = Sae.Open(path);
        return sae.Info;
    }
}
