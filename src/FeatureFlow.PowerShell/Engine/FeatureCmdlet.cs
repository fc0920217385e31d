using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>
/// A cmdlet that is told features: by pack, layer, site and index (numbers, ranges, wildcards; also by property name from any object
/// that has them), or as <c>layer/site/index</c>. A match piped in stands for the feature that was found, so that searches chain.
/// </summary>
public abstract class FeatureCmdlet : EngineCmdlet
{
    private protected const string ByPlace = "Place";
    private protected const string ByFeature = "Feature";
    private bool _placeIsTyped;

    /// <summary>The pack.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "pack.yaml, a folder of SAEs, or the name of a preset")]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string Pack { get; set; } = "";

    /// <summary>Layers; all by default.</summary>
    [Parameter(ParameterSetName = ByPlace, ValueFromPipelineByPropertyName = true, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Sites, wildcards allowed.</summary>
    [Parameter(ParameterSetName = ByPlace, ValueFromPipelineByPropertyName = true, HelpMessage = "Sites: res, mlp, att, att_z, res_pre, tc; wildcards allowed")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [SupportsWildcards]
    public string[]? Site { get; set; }

    /// <summary>Indices; all by default.</summary>
    [Parameter(ParameterSetName = ByPlace, ValueFromPipelineByPropertyName = true, HelpMessage = "Indices: 40, 0-99, several with commas, or * for all")]
    [SupportsWildcards]
    public NumberRange[]? Index { get; set; }

    /// <summary>Features as <c>layer/site/index</c>.</summary>
    [Parameter(ParameterSetName = ByFeature, Mandatory = true, Position = 1, ValueFromPipeline = true, HelpMessage = "Features as layer/site/index, as in 24/res/14548, or as objects")]
    public FeatureName[]? Feature { get; set; }

    /// <summary>Layer that a match found.</summary>
    [Parameter(ParameterSetName = ByPlace, ValueFromPipelineByPropertyName = true, DontShow = true, HelpMessage = "The layer of a match piped in")]
    [Alias("source_layer")]
    public NumberRange? SourceLayer { get; set; }

    /// <summary>Site that a match found.</summary>
    [Parameter(ParameterSetName = ByPlace, ValueFromPipelineByPropertyName = true, DontShow = true, HelpMessage = "The site of a match piped in")]
    [Alias("source_site")]
    public string? SourceSite { get; set; }

    /// <summary>Index that a match found.</summary>
    [Parameter(ParameterSetName = ByPlace, ValueFromPipelineByPropertyName = true, DontShow = true, HelpMessage = "The index of a match piped in")]
    [Alias("source_index")]
    public NumberRange? SourceIndex { get; set; }

    /// <summary>Sites when none are named.</summary>
    private protected virtual string DefaultSite => "res";

    private protected override object? Target => Pack;

    // a pack that is named on the command line and cannot be opened leaves nothing to do
    private protected override void Begin()
    {
        _placeIsTyped = new[] { nameof(Layer), nameof(Site), nameof(Index) }.Any(MyInvocation.BoundParameters.ContainsKey);
        if (MyInvocation.BoundParameters.ContainsKey(nameof(Pack))) OpenPack(Pack);
    }

    /// <summary>Features asked for, by SAE; what does not exist has been reported.</summary>
    internal IEnumerable<Selection> Selected()
    {
        var pack = OpenPack(Pack);
        if (ParameterSetName == ByFeature) return Feature!.Select(f => Checked(pack, f.Id.Layer, f.Id.Site, [f.Id.Index])).OfType<Selection>();
        return SourceLayer is not null && SourceSite is not null && SourceIndex is not null && !_placeIsTyped
            ? Places(pack, [SourceLayer], [SourceSite], [SourceIndex])
            : Places(pack, Layer, Site ?? [DefaultSite], Index);
    }

    private IEnumerable<Selection> Places(OpenedPack pack, NumberRange[]? layers, string[] sites, NumberRange[]? indices)
    {
        foreach (var (layer, site) in SitePlaces.Of(pack.Pack, layers, sites))
        {
            if (Checked(pack, layer, site, indices is null || indices.Any(i => i.ToString() == "*") ? null : indices) is { } selection) yield return selection;
        }
    }

    /// <summary>The selection without what does not exist; null when nothing is left.</summary>
    private Selection? Checked(OpenedPack pack, int layer, Site site, IReadOnlyList<NumberRange>? indices)
    {
        var count = Try(() => Run(_ => pack.Info(layer, site)), $"{layer}/{site.Name()}")?.FeatureCount;
        if (count is not { } features) return null;
        if (indices is null) return new Selection(pack, layer, site, [.. Enumerable.Range(0, features)]);
        var found = new List<int>();
        foreach (var range in indices)
        {
            // a number that is missing is an error, in the words of the floor that knows; a range just has fewer
            if (range.IsOne && range.First >= features) Try(() => pack.Features(layer, site, [range.First]), new FeatureId(layer, site, range.First));
            found.AddRange(range.Below(features));
        }

        return found.Count > 0 ? new Selection(pack, layer, site, found) : null;
    }

    private Selection? Checked(OpenedPack pack, int layer, Site site, IReadOnlyList<int> indices) =>
        Checked(pack, layer, site, [.. indices.Select(i => new NumberRange(i))]);

    /// <summary>The matcher that was asked for.</summary>
    /// <exception cref="FeatureFlowException">FF7010: correlations without texts.</exception>
    private protected MatcherChoice MatcherOf(MatchMethod method, string[] corpus, int documentCount, string idsFile, string tensor, string model, int top)
    {
        if (method == MatchMethod.Pearson && corpus.Length == 0 && idsFile.Length == 0) throw CmdletErrors.NoTexts("-Matcher Pearson");
        return new MatcherChoice(method, method == MatchMethod.Pearson ? TextChoice.Of(this, corpus, documentCount, idsFile, tensor) : null, model.Length > 0 ? ModelAt(model) : null, top);
    }

    private protected T? Try<T>(Func<T> work, object target)
        where T : class
    {
        try
        {
            return work();
        }
        catch (FeatureFlowException e)
        {
            WriteFailure(e, target);
            return null;
        }
    }

    /// <summary>Existing features of one SAE, in the order asked.</summary>
    internal sealed record Selection(OpenedPack Pack, int Layer, Site Site, IReadOnlyList<int> Indices)
    {
        /// <summary>One by one.</summary>
        public IEnumerable<FeatureId> Features => Indices.Select(i => new FeatureId(Layer, Site, i));
    }
}
