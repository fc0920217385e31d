using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Get-Sae: the SAEs of a pack, or of files and folders. Reads headers, and weights only to check them.</summary>
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

    /// <summary>Looks at the weights too.</summary>
    [Parameter(HelpMessage = "Read the weights and say what is wrong with them")]
    public SwitchParameter Check { get; set; }

    private protected override (int Id, string Text) Activity => (7001, Check ? "Checking SAEs" : "Reading SAEs");

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
                foreach (var path in Path) OfFiles(path, FilePaths);
                break;
            case ByLiteralPath:
                foreach (var path in LiteralPath) OfFiles(path, p => [FilePath(p)]);
                break;
            default:
                OfPack();
                break;
        }
    }

    private void OfFiles(string typed, Func<string, IReadOnlyList<string>> resolve)
    {
        try
        {
            Write(resolve(typed).Select(file => (file, Of(file))));
        }
        catch (FeatureFlowException e)
        {
            WriteFailure(e, typed);
        }
    }

    private void OfPack()
    {
        var pack = OpenPack(Pack);
        Write(SitePlaces.Of(pack.Pack, Layer, Site).Select(p => (Item: $"{p.Layer}/{p.Site.Name()}", Read: Of(pack, p.Layer, p.Site))));
    }

    // the pack knows better than the file where the SAE belongs
    private Func<CancellationToken, SaeSummary> Of(OpenedPack pack, int layer, Site site) => cancel =>
    {
        if (!Check) return new SaeSummary(pack.Pack.Source, pack.Info(layer, site) with { Layer = layer, Site = site }, null);
        using var lease = pack.Lease(layer, site);
        return new SaeSummary(pack.Pack.Source, lease.Sae.Info with { Layer = layer, Site = site }, lease.Sae.Check(FlowEngine.Shared.Tensors, cancel));
    };

    private Func<CancellationToken, SaeSummary> Of(string file) => cancel =>
    {
        using var sae = Sae.Open(file);
        return new SaeSummary(null, sae.Info, Check ? sae.Check(FlowEngine.Shared.Tensors, cancel) : null);
    };

    private void Write(IEnumerable<(string Item, Func<CancellationToken, SaeSummary> Read)> saes)
    {
        var all = saes.ToList();
        foreach (var (item, summary, failure) in Stream(cancel => Read(all, cancel)))
        {
            if (failure is not null) WriteFailure(failure, item);
            foreach (var problem in summary?.Problems ?? []) WriteWarning($"{summary!.Path}: {problem}");
            if (summary is not null) WriteObject(summary);
        }
    }

    private IEnumerable<(string Item, SaeSummary? Summary, FeatureFlowException? Failure)> Read(
        List<(string Item, Func<CancellationToken, SaeSummary> Read)> saes, CancellationToken cancel)
    {
        foreach (var (done, (item, read)) in saes.Index())
        {
            Progress.Report(new FlowProgress(item, (double)done / saes.Count));
            (string, SaeSummary?, FeatureFlowException?) result;
            try
            {
                result = (item, read(cancel), null);
            }
            catch (FeatureFlowException e)
            {
                result = (item, null, e);
            }

            yield return result;
        }
    }
}
