using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>What the two searches share.</summary>
public abstract class FindMatchCommand : BatchCmdlet<FeatureMatch>
{
    private readonly List<(OpenedPack Pack, List<string> Notes)> _notes = [];
    private Site[]? _among;

    /// <summary>Matches per site.</summary>
    [Parameter(HelpMessage = "Matches per site, 1 to 1024")]
    [ValidateRange(1, 1024)]
    public int Top { get; set; } = 1;

    /// <summary>Sites to look in.</summary>
    [Parameter(HelpMessage = "Sites to look in; res, mlp and att by default")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [ValidateNotNullOrEmpty]
    public string[]? Among { get; set; }

    /// <summary>Which search.</summary>
    internal delegate IEnumerable<FeatureMatch> Search(
        OpenedPack pack, IReadOnlyList<FeatureId> features, int top, IReadOnlyList<Site>? sites, IProgress<FlowProgress>? progress, ICollection<string>? notes, CancellationToken cancel);

    /// <summary>Which search.</summary>
    internal abstract Search Find { get; }

    internal sealed override IEnumerable<FeatureMatch> Answer(OpenedPack pack, IReadOnlyList<FeatureId> features, IProgress<FlowProgress> progress, CancellationToken cancel)
    {
        var notes = new List<string>();
        foreach (var match in Find(pack, features, Top, _among, progress, notes, cancel)) yield return match;
        lock (_notes) _notes.Add((pack, notes));
    }

    internal sealed override string About(FeatureMatch result) => result.Feature;

    private protected override void Begin()
    {
        _among = Among is null ? null : [.. Among.Select(Sites.Parse).Distinct()];
        base.Begin();
    }

    private protected override void End()
    {
        base.End();
        foreach (var (pack, notes) in _notes) LeftOut(pack, notes);
    }
}
