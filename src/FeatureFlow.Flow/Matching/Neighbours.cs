using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>The places next to a place, by the three kinds of edges; null where there is nothing to compare with.</summary>
internal readonly record struct Lanes(Place? Res, Place? Mlp, Place? Att)
{
    /// <summary>Those that exist, with the kind of edge: res first, because the rest of a graph depends on it.</summary>
    public IEnumerable<(EdgeKind Kind, Place Place)> All()
    {
        if (Res is { } r) yield return (EdgeKind.Res, r);
        if (Mlp is { } m) yield return (EdgeKind.Mlp, m);
        if (Att is { } a) yield return (EdgeKind.Att, a);
    }
}

/// <summary>Which of the three scores an edge belongs to.</summary>
internal enum EdgeKind
{
    Res,
    Mlp,
    Att,
}

/// <summary>Which way to look from a feature.</summary>
internal enum Side
{
    Before,
    After,
}

/// <summary>
/// Who is compared with whom (Feature Flow, section 3.3): a residual feature with the residual stream one layer below and with what
/// the modules of its layer add. Says which comparisons a pack cannot offer, and why.
/// </summary>
internal sealed class Neighbours(Pack pack, IMatchSource source)
{
    private readonly SortedDictionary<(Site Site, string Reason), SortedSet<int>> _leftOut = [];

    /// <summary>
    /// The predecessors' places. A module feature has the residual stream that its module reads; a residual feature also has the
    /// modules that write to it.
    /// </summary>
    public Lanes Before(Place place)
    {
        var entering = place.IsResidual ? place.Position - 1 : place.Layer;
        var residual = Residual(place, entering);
        return place.IsResidual
            ? new Lanes(residual, Module(place, place.Position - 1, Site.Mlp), Module(place, place.Position - 1, Site.Att))
            : new Lanes(residual, null, null);
    }

    /// <summary>The successors' places: for a residual feature one layer up, for a module feature the residual stream it is added to.</summary>
    public Lanes After(Place place)
    {
        var residual = Residual(place, place.IsResidual ? place.Position + 1 : place.Position);
        return place.IsResidual
            ? new Lanes(residual, Module(place, place.Position, Site.Mlp), Module(place, place.Position, Site.Att))
            : new Lanes(residual, null, null);
    }

    /// <summary>The one or the other.</summary>
    public Lanes At(Place place, Side side) => side == Side.Before ? Before(place) : After(place);

    /// <summary>The places of named sites on one side of a place; those that the pack lacks at that layer only are left out.</summary>
    /// <exception cref="FeatureFlowException">FF4003: nowhere in the pack. FF4004: no cosine. FF4006: not next to the place.</exception>
    public IReadOnlyList<Place> Named(Place place, Side side, IReadOnlyList<Site> sites)
    {
        var found = new List<Place>();
        foreach (var site in sites.Distinct())
        {
            var residual = new Place(0, site).IsResidual;
            if (!residual && !place.IsResidual) throw FlowErrors.NotANeighbour(place, site, side);
            if (!pack.SitesPresent.Contains(site)) throw FlowErrors.NoSite(pack, site);

            // the module layer that lies between the two residual points
            var between = place.IsResidual ? (side == Side.Before ? place.Position - 1 : place.Position) : place.Layer;
            var other = site switch
            {
                Site.Res => new Place(side == Side.Before ? between - 1 : between, site),
                Site.ResPre => new Place(side == Side.Before ? between : between + 1, site),
                _ => new Place(between, site),
            };
            if (pack.Find(other.Layer, site) is null)
            {
                if (other.Layer >= 0 && other.Layer <= pack.Layers[^1]) LeaveOut(other, "the pack has no SAE there");
            }
            else
            {
                found.Add(Incomparable(place, other) is { } reason ? throw FlowErrors.Incomparable(pack, place, other, reason) : other);
            }
        }

        return found;
    }

    /// <summary>What was left out since the start, one sentence per site and reason.</summary>
    public IReadOnlyList<string> Notes() =>
        [.. _leftOut.Select(l => $"{l.Key.Site.Name()} at {FlowErrors.Layers(l.Value)}: {l.Key.Reason}")];

    /// <summary>Why decoder rows of two places have no cosine, or null if they have one.</summary>
    public string? Incomparable(Place place, Place other)
    {
        if (place.Site == Site.AttZ || other.Site == Site.AttZ)
        {
            return "att_z holds the heads' outputs before the output projection, which are not directions of the residual stream";
        }

        var (mine, its) = (source.Info(place).Width, source.Info(other).Width);
        return mine == its ? null : $"its decoder rows are {its} wide where those of {place.Site.Name()} are {mine}";
    }

    // res of the layer below and res_pre of this layer are the same point; a pack may have either, or change over midway
    private Place? Residual(Place place, int position)
    {
        var (post, pre) = (new Place(position - 1, Site.Res), new Place(position, Site.ResPre));
        var (first, second) = place.Site == Site.ResPre ? (pre, post) : (post, pre);
        if (pack.Find(first.Layer, first.Site) is not null) return Comparable(place, first);
        if (pack.Find(second.Layer, second.Site) is not null) return Comparable(place, second);
        if (position > 0 && position <= pack.Layers[^1] + 1) LeaveOut(first, "the pack has no SAE there");
        return null;
    }

    private Place? Module(Place place, int layer, Site site)
    {
        if (layer < 0 || layer > pack.Layers[^1]) return null;
        if (pack.Find(layer, site) is not null) return Comparable(place, new Place(layer, site));
        if (site == Site.Mlp && pack.Find(layer, Site.Tc) is not null)
        {
            // a transcoder writes the MLP's output, so its decoder is as comparable as an MLP SAE's
            LeaveOut(new Place(layer, site), "the pack has no SAE there; its transcoder stands in");
            return Comparable(place, new Place(layer, Site.Tc));
        }

        if (site == Site.Att && pack.Find(layer, Site.AttZ) is not null) Comparable(place, new Place(layer, Site.AttZ));
        else LeaveOut(new Place(layer, site), "the pack has no SAE there");
        return null;
    }

    private Place? Comparable(Place place, Place other)
    {
        if (Incomparable(place, other) is not { } reason) return other;
        LeaveOut(other, $"left out, {reason}");
        return null;
    }

    private void LeaveOut(Place place, string reason)
    {
        if (!_leftOut.TryGetValue((place.Site, reason), out var layers)) _leftOut[(place.Site, reason)] = layers = [];
        layers.Add(place.Layer);
    }
}
