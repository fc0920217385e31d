using System.Globalization;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>Which SAE of a pack a row of a description file is about.</summary>
internal sealed class DescriptionPlaces(Pack pack, DescriptionFile file)
{
    private readonly Dictionary<(string?, string?, string?), (int Layer, Site Site)?> _known = [];

    /// <summary>What could have been meant.</summary>
    public IEnumerable<string> Known => pack.Saes.Select(s => s.NeuronpediaId ?? string.Create(CultureInfo.InvariantCulture, $"{s.Layer}/{s.Site.Name()}"));

    /// <summary>Layer and site, or null when the pack has no such SAE, or nobody says which is meant.</summary>
    public (int Layer, Site Site)? Find(DescriptionRow row)
    {
        var key = (row.ModelId, row.Layer, row.Site);
        if (!_known.TryGetValue(key, out var place)) _known[key] = place = Look(row);
        return place;
    }

    /// <summary>How the row names its SAE.</summary>
    public string Name(DescriptionRow row)
    {
        var named = string.Join("/", new[] { row.ModelId, row.Layer ?? Text(file.Layer), row.Site ?? file.Site?.Name() }.Where(p => !string.IsNullOrEmpty(p)));
        return named.Length > 0 ? named : "an SAE that is not named";
    }

    private (int, Site)? Look(DescriptionRow row)
    {
        // a Neuronpedia source, as in 20-gemmascope-res-16k, is known by its full name
        var bySource = pack.Saes.Where(s => s.NeuronpediaId is { } id && row.Layer is { } l && (row.ModelId is { } m ? id == $"{m}/{l}" : id.EndsWith("/" + l, StringComparison.Ordinal))).ToList();
        if (bySource.Count == 1) return (bySource[0].Layer, bySource[0].Site);

        var dash = row.Layer?.IndexOf('-', StringComparison.Ordinal) ?? -1;
        var number = dash > 0 ? row.Layer![..dash] : row.Layer;
        if ((number is null ? file.Layer : Whole(number)) is not { } layer) return null;
        var site = file.Site ?? (Sites.TryParse(row.Site, out var named) ? named : dash > 0 ? SiteOf(row.Layer![(dash + 1)..]) : Only(layer));
        return site is { } s && pack.Find(layer, s) is not null ? (layer, s) : null;
    }

    // the words that Neuronpedia's sources name sites by
    private static Site? SiteOf(string source)
    {
        foreach (var word in source.Split('-', '_'))
        {
            switch (word)
            {
                case "res": return Site.Res;
                case "mlp": return Site.Mlp;
                case "att" or "attn": return Site.Att;
                case "transcoder" or "transcoders" or "tc": return Site.Tc;
            }
        }

        return null;
    }

    // a layer with one SAE needs no site
    private Site? Only(int layer)
    {
        var sites = pack.Saes.Where(s => s.Layer == layer).Select(s => s.Site).ToList();
        return sites.Count == 1 ? sites[0] : null;
    }

    private static int? Whole(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;

    private static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);
}
