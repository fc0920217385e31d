using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>What the two searches share.</summary>
public abstract class FindMatchCommand : BatchCmdlet<FeatureMatch>
{
    private readonly List<(OpenedPack Pack, List<string> Notes)> _notes = [];
    private Site[]? _among;
    private MatcherChoice? _matcher;

    /// <summary>Matches per site.</summary>
    [Parameter(HelpMessage = "Matches per site, 1 to 1024")]
    [ValidateRange(1, 1024)]
    public int Top { get; set; } = 1;

    /// <summary>Sites to look in.</summary>
    [Parameter(HelpMessage = "Sites to look in; res, mlp and att by default")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [ValidateNotNullOrEmpty]
    public string[]? Among { get; set; }

    /// <summary>Who names matches.</summary>
    [Parameter(HelpMessage = "Who names matches: Cosine, Assignment or Pearson")]
    public MatchMethod Matcher { get; set; } = MatchMethod.Cosine;

    /// <summary>Texts.</summary>
    [Parameter(HelpMessage = "With -Matcher Pearson: texts, as files, folders or patterns")]
    [ValidateNotNullOrEmpty]
    public string[] Corpus { get; set; } = [];

    /// <summary>Documents drawn.</summary>
    [Parameter(HelpMessage = "With -Matcher Pearson: documents drawn from each corpus; 0 takes all")]
    [ValidateRange(0, int.MaxValue)]
    public int DocumentCount { get; set; }

    /// <summary>Token ids.</summary>
    [Parameter(HelpMessage = "With -Matcher Pearson: a .safetensors file of token ids, BOS first, instead of texts")]
    [ValidateNotNullOrEmpty]
    public string IdsFile { get; set; } = "";

    /// <summary>The tensor of the ids.</summary>
    [Parameter(HelpMessage = "Its tensor, int64 or int32 [N,T]")]
    [ValidateNotNullOrEmpty]
    public string Tensor { get; set; } = "input_ids";

    /// <summary>The model; the pack's by default.</summary>
    [Parameter(HelpMessage = "With -Matcher Pearson: folder of a Hugging Face checkpoint, or a hub id that the local cache has; the pack's model by default")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    /// <summary>Which search.</summary>
    internal delegate IEnumerable<FeatureMatch> Search(
        OpenedPack pack, IReadOnlyList<FeatureId> features, int top, IReadOnlyList<Site>? sites, IProgress<FlowProgress>? progress, ICollection<string>? notes, CancellationToken cancel);

    /// <summary>Which search.</summary>
    internal abstract Search Find { get; }

    internal sealed override IEnumerable<FeatureMatch> Answer(OpenedPack pack, IReadOnlyList<FeatureId> features, IProgress<FlowProgress> progress, CancellationToken cancel)
    {
        var notes = new List<string>();
        foreach (var match in Find(_matcher!.For(pack, cancel), features, Top, _among, progress, notes, cancel)) yield return match;
        lock (_notes) _notes.Add((pack, notes));
    }

    internal sealed override string About(FeatureMatch result) => result.Feature;

    private protected override void Begin()
    {
        _among = Among is null ? null : [.. Among.Select(Sites.Parse).Distinct()];
        _matcher = MatcherOf(Matcher, Corpus, DocumentCount, IdsFile, Tensor, Model, Top);
        base.Begin();
    }

    private protected override void End()
    {
        base.End();
        foreach (var (pack, notes) in _notes) LeftOut(pack, notes);
        _matcher?.Dispose();
    }
}
