using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Get-SaeFeature: features with threshold, norm, bias and descriptions; also found by what is said about them.</summary>
[Cmdlet(VerbsCommon.Get, "SaeFeature", DefaultParameterSetName = ByPlace)]
[OutputType(typeof(SaeFeature))]
public sealed class GetSaeFeatureCommand : FeatureCmdlet
{
    private WildcardPattern[] _patterns = [];

    /// <summary>Only features described so.</summary>
    [Parameter(HelpMessage = "Only features with a description like one of these, as in *physics*")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Description { get; set; }

    private protected override string DefaultSite => "*";

    private protected override (int Id, string Text) Activity => (7002, "Reading features");

    private protected override void Begin()
    {
        base.Begin();
        _patterns = [.. (Description ?? []).Select(d => WildcardPattern.Get(d, WildcardOptions.IgnoreCase))];
    }

    private protected override void Process()
    {
        var selected = Selected().ToList();
        foreach (var (done, selection) in selected.Index())
        {
            Progress.Report(new FlowProgress($"{selection.Layer}/{selection.Site.Name()}", (double)done / selected.Count));

            // looked up before anything is read: a search through descriptions touches no weights of other features
            var chosen = _patterns.Length == 0 ? selection : selection with { Indices = [.. selection.Features.Where(f => IsDescribed(selection.Pack, f)).Select(f => f.Index)] };
            if (chosen.Indices.Count == 0) continue;
            try
            {
                foreach (var feature in Stream(cancel => chosen.Pack.Features(chosen.Layer, chosen.Site, chosen.Indices, cancel))) WriteObject(feature);
            }
            catch (FeatureFlowException e)
            {
                WriteFailure(e, $"{chosen.Layer}/{chosen.Site.Name()}");
            }
        }
    }

    private bool IsDescribed(OpenedPack pack, FeatureId feature) =>
        pack.Descriptions.Of(feature).Any(d => _patterns.Any(p => p.IsMatch(d.Text)));
}
