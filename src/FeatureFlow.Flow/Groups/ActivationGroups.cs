namespace FeatureFlow.Flow;

/// <summary>Sites of the predecessors of a residual feature.</summary>
[Flags]
public enum PredecessorSites
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The residual stream one layer below.</summary>
    Res = 1,

    /// <summary>What the MLP of the layer adds.</summary>
    Mlp = 2,

    /// <summary>What the attention of the layer adds.</summary>
    Att = 4,
}

/// <summary>
/// The eight activation groups of a residual feature at a token where it is active: which of its matched predecessors are active there too
/// (Feature Flow, section 4.2).
/// </summary>
public static class ActivationGroups
{
    /// <summary>What a feature is after a cut that silenced it.</summary>
    public const string Deactivated = "Deactivated";

    /// <summary>Every group, in the order of tables and figures: single sites, pairs, all three, none.</summary>
    public static IReadOnlyList<PredecessorSites> All { get; } =
    [
        PredecessorSites.Res,
        PredecessorSites.Mlp,
        PredecessorSites.Att,
        PredecessorSites.Res | PredecessorSites.Mlp,
        PredecessorSites.Res | PredecessorSites.Att,
        PredecessorSites.Mlp | PredecessorSites.Att,
        PredecessorSites.Res | PredecessorSites.Mlp | PredecessorSites.Att,
        PredecessorSites.None,
    ];

    /// <summary>The three scores: one site each, in order.</summary>
    public static IReadOnlyList<PredecessorSites> Sites { get; } = [PredecessorSites.Res, PredecessorSites.Mlp, PredecessorSites.Att];

    /// <summary><c>From RES &amp; MLP</c>, <c>From nowhere</c>.</summary>
    public static string Name(this PredecessorSites group) =>
        group == PredecessorSites.None ? "From nowhere" : "From " + string.Join(" & ", Sites.Where(s => group.HasFlag(s)).Select(s => s.ToString().ToUpperInvariant()));

    /// <summary><c>res</c>, <c>mlp</c>, <c>att</c>.</summary>
    public static string SiteName(this PredecessorSites site) => site.ToString().ToLowerInvariant();

    internal static PredecessorSites Of(EdgeKind kind) => Sites[(int)kind];
}
