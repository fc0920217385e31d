using System.Collections;
using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>New-FlowGraph: the flow graph of each feature.</summary>
[Cmdlet(VerbsCommon.New, "FlowGraph", DefaultParameterSetName = ByPlace)]
[OutputType(typeof(FlowGraph))]
public sealed class NewFlowGraphCommand : BatchCmdlet<FlowGraph>
{
    private FlowGraphOptions _options = new();
    private MatcherChoice? _matcher;
    private TextChoice? _texts;
    private string? _model;

    /// <summary>Which way.</summary>
    [Parameter(HelpMessage = "Backward to predecessors, Forward to successors, or Both")]
    public FlowDirection Direction { get; set; } = FlowDirection.Backward;

    /// <summary>Matches per site and node.</summary>
    [Parameter(HelpMessage = "Matches per site and node; above 1 the graph branches")]
    [ValidateRange(1, 1024)]
    public int Top { get; set; } = 1;

    /// <summary>t(R).</summary>
    [Parameter(HelpMessage = "Residual edges are kept from this cosine on")]
    [ValidateRange(-1.0, 1.0)]
    public double ResidualThreshold { get; set; } = Thresholds.Default.Res;

    /// <summary>t(M) and t(A).</summary>
    [Parameter(HelpMessage = "MLP and attention edges are kept from this cosine on")]
    [ValidateRange(-1.0, 1.0)]
    public double ModuleThreshold { get; set; } = Thresholds.Default.Mlp;

    /// <summary>t(M).</summary>
    [Parameter(HelpMessage = "MLP edges are kept from this cosine on; as -ModuleThreshold by default")]
    [ValidateRange(-1.0, 1.0)]
    public double? MlpThreshold { get; set; }

    /// <summary>t(A).</summary>
    [Parameter(HelpMessage = "Attention edges are kept from this cosine on; as -ModuleThreshold by default")]
    [ValidateRange(-1.0, 1.0)]
    public double? AttentionThreshold { get; set; }

    /// <summary>Thresholds of single layers.</summary>
    [Parameter(HelpMessage = "Thresholds of single layers, as in @{ 12 = 0.6; '0-3' = 0.6, 0.2, 0.1 }")]
    [ValidateNotNull]
    public Hashtable? LayerThreshold { get; set; }

    /// <summary>Reading of the forward step.</summary>
    [Parameter(HelpMessage = "Forward, modules are matched with the Feature itself, or with its Successor")]
    public ForwardModules ForwardModules { get; set; } = ForwardModules.Feature;

    /// <summary>Limit.</summary>
    [Parameter(HelpMessage = "A graph of more nodes is refused")]
    [ValidateRange(1, int.MaxValue)]
    public int MaxNodes { get; set; } = new FlowGraphOptions().MaxNodes;

    /// <summary>Who names matches.</summary>
    [Parameter(HelpMessage = "Who names matches: Cosine, Assignment or Pearson")]
    public MatchMethod Matcher { get; set; } = MatchMethod.Cosine;

    /// <summary>Whether texts try the edges.</summary>
    [Parameter(HelpMessage = "Try every edge on texts: remove the predecessor where both ends are active, and note on the edge what becomes of the target")]
    public SwitchParameter Verify { get; set; }

    /// <summary>Tokens tried for every edge.</summary>
    [Parameter(HelpMessage = "With -Verify: tokens tried for every edge")]
    [ValidateRange(1, int.MaxValue)]
    public int VerifyCount { get; set; } = GraphVerifier.DefaultTokens;

    /// <summary>Least effect.</summary>
    [Parameter(HelpMessage = "With -Verify: leave out edges of a smaller mean activation change")]
    public double? MinimumEffect { get; set; }

    /// <summary>Texts.</summary>
    [Parameter(HelpMessage = "With -Verify or -Matcher Pearson: texts, as files, folders or patterns")]
    [ValidateNotNullOrEmpty]
    public string[] Corpus { get; set; } = [];

    /// <summary>Documents drawn.</summary>
    [Parameter(HelpMessage = "With -Verify or -Matcher Pearson: documents drawn from each corpus; 0 takes all")]
    [ValidateRange(0, int.MaxValue)]
    public int DocumentCount { get; set; }

    /// <summary>Token ids.</summary>
    [Parameter(HelpMessage = "With -Verify or -Matcher Pearson: a .safetensors file of token ids, BOS first, instead of texts")]
    [ValidateNotNullOrEmpty]
    public string IdsFile { get; set; } = "";

    /// <summary>The tensor of the ids.</summary>
    [Parameter(HelpMessage = "Its tensor, int64 or int32 [N,T]")]
    [ValidateNotNullOrEmpty]
    public string Tensor { get; set; } = "input_ids";

    /// <summary>The model; the pack's by default.</summary>
    [Parameter(HelpMessage = "With -Verify or -Matcher Pearson: folder of a Hugging Face checkpoint, or a hub id that the local cache has; the pack's model by default")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    /// <summary>Seed of the draws.</summary>
    [Parameter(HelpMessage = "With -Verify: seed of the tokens drawn")]
    public ulong Seed { get; set; }

    private protected override (int Id, string Text) Activity => (7005, "Building flow graphs");

    internal override IEnumerable<FlowGraph> Answer(OpenedPack pack, IReadOnlyList<FeatureId> features, IProgress<FlowProgress> progress, CancellationToken cancel) =>
        _texts is null ? Built(pack, features, progress, cancel) : Verified(pack, [.. Built(pack, features, progress, cancel)], progress, cancel);

    internal override string About(FlowGraph result) => result.Seed;

    internal override void Remark(OpenedPack pack, FlowGraph result) => LeftOut(pack, result.Notes);

    private IEnumerable<FlowGraph> Built(OpenedPack pack, IReadOnlyList<FeatureId> features, IProgress<FlowProgress> progress, CancellationToken cancel)
    {
        var graphs = FlowGraphBuilder.BuildMany(_matcher!.For(pack, cancel), features, _options, progress, cancel);
        return Matcher == MatchMethod.Cosine ? graphs : graphs.Select(g => g with { Notes = [.. g.Notes, $"edges and their similarities are by {Matcher.ToString().ToLowerInvariant()}"] });
    }

    private IReadOnlyList<FlowGraph> Verified(OpenedPack pack, IReadOnlyList<FlowGraph> graphs, IProgress<FlowProgress> progress, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(_model ?? pack.Pack.Model ?? throw CmdletErrors.NoModel(pack.Pack.Source));
        return GraphVerifier.VerifyMany(pack, lease.Model, [.. _texts!.Read(lease.Model).Select(d => d.Document)], graphs, VerifyCount, Seed, MinimumEffect, progress, cancel);
    }

    private protected override void Begin()
    {
        if (Verify)
        {
            if (Corpus.Length == 0 && IdsFile.Length == 0) throw CmdletErrors.NoTexts("-Verify");
            _texts = TextChoice.Of(this, Corpus, DocumentCount, IdsFile, Tensor);
            _model = Model.Length > 0 ? ModelAt(Model) : null;
        }
        else if (Matcher != MatchMethod.Pearson && new[] { nameof(MinimumEffect), nameof(VerifyCount), nameof(Corpus), nameof(IdsFile), nameof(Model) }.FirstOrDefault(MyInvocation.BoundParameters.ContainsKey) is { } needless)
        {
            throw CmdletErrors.NeedsVerify($"-{needless}");
        }

        _matcher = MatcherOf(Matcher, Corpus, DocumentCount, IdsFile, Tensor, Model, Top);
        var thresholds = new Thresholds(ResidualThreshold, MlpThreshold ?? ModuleThreshold, AttentionThreshold ?? ModuleThreshold);
        _options = new FlowGraphOptions
        {
            Direction = Direction,
            Top = Top,
            Thresholds = thresholds,
            LayerThresholds = LayerThresholds.Read(LayerThreshold, thresholds),
            ForwardModules = ForwardModules,
            MaxNodes = MaxNodes,
        };
        base.Begin();
    }

    private protected override void End()
    {
        base.End();
        _matcher?.Dispose();
    }
}
