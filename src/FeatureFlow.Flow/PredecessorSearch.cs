using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// Where features come from (Feature Flow, sections 3.2 and 3.3): exact cosine top-k of a residual feature in the residual stream one
/// layer below and in the modules of its layer, of a module feature in the residual stream that its module reads. A match needs a
/// cosine above 0.
/// </summary>
public static class PredecessorSearch
{
    /// <summary>Matches in the order of <paramref name="targets"/>, then res, mlp, att, then by rank; checked at once, computed as they are read.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="targets">Features, of any layers.</param>
    /// <param name="top">Matches per site, 1 to 1024.</param>
    /// <param name="sites">Sites to look in; null for res, mlp and att (tc where there is no mlp), leaving out what cannot be compared.</param>
    /// <param name="progress">Told what is being read.</param>
    /// <param name="notes">Receives what was left out and why; not for use before the last match is read.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">
    /// FF4001, FF4002: no such feature. FF4003: a named site is nowhere in the pack. FF4004: a named site has no cosine with the target.
    /// FF4005: top. FF4006: a named site holds no predecessors of the target.
    /// </exception>
    public static IEnumerable<FeatureMatch> Find(
        OpenedPack pack,
        IReadOnlyList<FeatureId> targets,
        int top,
        IReadOnlyList<Site>? sites,
        IProgress<FlowProgress>? progress,
        ICollection<string>? notes,
        CancellationToken cancel = default) => NeighbourSearch.Find(pack, targets, top, Side.Before, sites, progress, notes, cancel);

    /// <summary>The same, without progress and notes.</summary>
    public static IEnumerable<FeatureMatch> Find(
        OpenedPack pack, IReadOnlyList<FeatureId> targets, int top, IReadOnlyList<Site>? sites = null, CancellationToken cancel = default) =>
        Find(pack, targets, top, sites, null, null, cancel);
}

/// <summary>
/// Where features go: exact cosine top-k of a residual feature in the residual stream and the modules one layer above, of a module
/// feature in the residual stream that it is added to. A match needs a cosine above 0.
/// </summary>
public static class SuccessorSearch
{
    /// <summary>As <see cref="PredecessorSearch"/>, one layer above.</summary>
    /// <inheritdoc cref="PredecessorSearch.Find(OpenedPack, IReadOnlyList{FeatureId}, int, IReadOnlyList{Site}, IProgress{FlowProgress}, ICollection{string}, CancellationToken)" path="/param|/exception"/>
    public static IEnumerable<FeatureMatch> Find(
        OpenedPack pack,
        IReadOnlyList<FeatureId> targets,
        int top,
        IReadOnlyList<Site>? sites,
        IProgress<FlowProgress>? progress,
        ICollection<string>? notes,
        CancellationToken cancel = default) => NeighbourSearch.Find(pack, targets, top, Side.After, sites, progress, notes, cancel);

    /// <summary>The same, without progress and notes.</summary>
    public static IEnumerable<FeatureMatch> Find(
        OpenedPack pack, IReadOnlyList<FeatureId> targets, int top, IReadOnlyList<Site>? sites = null, CancellationToken cancel = default) =>
        Find(pack, targets, top, sites, null, null, cancel);
}

/// <summary>What the two searches share.</summary>
internal static class NeighbourSearch
{
    public static IEnumerable<FeatureMatch> Find(
        OpenedPack pack,
        IReadOnlyList<FeatureId> targets,
        int top,
        Side side,
        IReadOnlyList<Site>? sites,
        IProgress<FlowProgress>? progress,
        ICollection<string>? notes,
        CancellationToken cancel)
    {
        if (top is < 1 or > FlowErrors.MaxTop) throw FlowErrors.Top(top);
        foreach (var group in targets.GroupBy(Place.Of)) pack.Check(group.Key, group.Select(t => t.Index));
        var neighbours = new Neighbours(pack.Pack, pack.Matches);
        var keys = targets.Select(Place.Of).Distinct().ToDictionary(
            p => p,
            p => sites is null ? [.. neighbours.At(p, side).All().Select(l => l.Place)] : neighbours.Named(p, side, sites));
        foreach (var note in neighbours.Notes()) notes?.Add(note);
        return new MatchStream(pack, targets, top, p => keys[p]).Read(progress, cancel);
    }
}
