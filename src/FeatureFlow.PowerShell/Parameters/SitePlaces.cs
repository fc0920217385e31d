using System.Management.Automation;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Expands <c>-Layer</c> and <c>-Site</c> over a pack.</summary>
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

            var matching = WildcardPattern.Get(pattern, WildcardOptions.IgnoreCase);
            foreach (var site in pack.SitesPresent.Where(s => matching.IsMatch(s.Name()))) yield return (site, false);
        }
    }
}
