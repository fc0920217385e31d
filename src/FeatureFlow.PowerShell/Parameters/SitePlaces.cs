using System.Management.Automation;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Expands <c>-Layer</c> and <c>-Site</c> over a pack or a model.</summary>
internal static class SitePlaces
{
    /// <summary>
    /// Layers in the order named, sites in the order named. What a wildcard or range covers needs to exist to be listed; what is named
    /// outright is listed even when the pack lacks it, so that whoever uses it can say so.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF2070: no such site.</exception>
    public static IEnumerable<(int Layer, Site Site)> Of(Pack pack, NumberRange[]? layers, string[]? patterns)
    {
        var sites = Named(pack, patterns ?? ["*"]).Distinct().ToList();
        return from layer in Numbered(pack, layers).Distinct()
               from site in sites
               where (layer.Outright && site.Outright) || pack.Find(layer.Number, site.Site) is not null
               select (layer.Number, site.Site);
    }

    /// <summary>The same over a model, which has every site at every layer.</summary>
    /// <exception cref="FeatureFlowException">FF2070: no such site.</exception>
    public static IEnumerable<SiteAddress> Of(ModelConfig model, NumberRange[]? layers, string[] patterns)
    {
        var sites = patterns.SelectMany(p => WildcardPattern.ContainsWildcardCharacters(p) ? Matching(Sites.Names.Select(n => Sites.Parse(n)), p) : [Sites.Parse(p)]).Distinct().ToList();
        return from layer in (layers ?? [NumberRange.Parse("*")]).SelectMany(r => r.Below(model.Layers)).Distinct()
               from site in sites
               select new SiteAddress(layer, site);
    }

    private static IEnumerable<(int Number, bool Outright)> Numbered(Pack pack, NumberRange[]? layers)
    {
        foreach (var range in layers ?? [NumberRange.Parse("*")])
        {
            if (range.IsOne) yield return (range.First, true);
            else foreach (var layer in pack.Layers.Where(l => l >= range.First && l <= range.Last)) yield return (layer, false);
        }
    }

    private static IEnumerable<(Site Site, bool Outright)> Named(Pack pack, string[] patterns)
    {
        foreach (var pattern in patterns)
        {
            if (!WildcardPattern.ContainsWildcardCharacters(pattern))
            {
                yield return (Sites.Parse(pattern), true);
                continue;
            }

            foreach (var site in Matching(pack.SitesPresent, pattern)) yield return (site, false);
        }
    }

    private static IEnumerable<Site> Matching(IEnumerable<Site> sites, string pattern)
    {
        var matching = WildcardPattern.Get(pattern, WildcardOptions.IgnoreCase);
        return sites.Where(s => matching.IsMatch(s.Name()));
    }
}
