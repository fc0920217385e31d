using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.PowerShell;

/// <summary>Invoke-Steering: texts under steering plans, one object a sample, as soon as it is finished and measured.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "Steering", DefaultParameterSetName = ByGraph)]
[OutputType(typeof(SteeringResult))]
public sealed class InvokeSteeringCommand : SteeringCmdlet
{
    private const string ByPlan = "Plan";
    private readonly List<SteeringPlan> _waiting = [];
    private int _together = 1;
    private bool _unsteeredGiven;

    /// <summary>Plans.</summary>
    [Parameter(ParameterSetName = ByPlan, Mandatory = true, ValueFromPipeline = true, HelpMessage = "Steering plans, from New-SteeringPlan")]
    [ValidateNotNull]
    public SteeringPlan[] Plan { get; set; } = [];

    /// <summary>How the texts begin.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "How the text begins")]
    [ValidateNotNullOrEmpty]
    public string[] Prompt { get; set; } = [];

    /// <summary>The pack.</summary>
    [Parameter(HelpMessage = "The pack that the features are of; the graph's or the plan's by default")]
    [ArgumentCompleter(typeof(PackCompleter))]
    public string? Pack { get; set; }

    /// <summary>The model.</summary>
    [Parameter(HelpMessage = "Folder of a checkpoint, or a hub id that the local cache has; the pack's by default")]
    public string? Model { get; set; }

    /// <summary>Samples of every plan and prompt.</summary>
    [Parameter(HelpMessage = "Samples of every plan and prompt; equal numbers draw alike under every plan")]
    [ValidateRange(1, int.MaxValue)]
    public int Samples { get; set; } = 1;

    /// <summary>New tokens at most.</summary>
    [Parameter(HelpMessage = "New tokens at most")]
    [ValidateRange(1, int.MaxValue)]
    public int MaxTokens { get; set; } = 36;

    /// <summary>0 for the likeliest token every time.</summary>
    [Parameter(HelpMessage = "0 takes the likeliest token every time")]
    public float Temperature { get; set; } = 1.27f;

    /// <summary>Probability that stays.</summary>
    [Parameter(HelpMessage = "Draw from the likeliest tokens of this probability together")]
    public float TopP { get; set; } = 0.7f;

    /// <summary>Seed of the draws.</summary>
    [Parameter(HelpMessage = "Seed of the draws")]
    public ulong Seed { get; set; }

    /// <summary>Which tokens are steered.</summary>
    [Parameter(HelpMessage = "Tokens that are steered: All, Prompt, Continuation")]
    public SteeredTokens Tokens { get; set; } = SteeredTokens.All;

    /// <summary>Texts that end a sample.</summary>
    [Parameter(HelpMessage = "Texts that end a sample")]
    public string[] Stop { get; set; } = [];

    /// <summary>Also unsteered.</summary>
    [Parameter(HelpMessage = "Write the unsteered texts too, first")]
    public SwitchParameter Baseline { get; set; }

    /// <summary>Leaves measuring out.</summary>
    [Parameter(HelpMessage = "Measure nothing: no perturbation, divergence, perplexity, activation")]
    public SwitchParameter NoMeasure { get; set; }

    private protected override (int Id, string Text) Activity => (7009, "Steering");

    private protected override object? Target => Prompt;

    private protected override void Process()
    {
        var plans = ParameterSetName == ByPlan ? Plan : InputObject.SelectMany(g => Plans([g]));
        foreach (var plan in plans)
        {
            if (_waiting.Count > 0 && PackOf(_waiting[0]) != PackOf(plan)) Flush();
            _waiting.Add(plan);
            if (_waiting.Count >= _together) Flush();
        }
    }

    private protected override void End() => Flush();

    // one plan alone at first, so that something comes at once; then more and more share their passes
    private void Flush()
    {
        if (_waiting.Count == 0) return;
        const int most = 64;
        var plans = _waiting.ToArray();
        _waiting.Clear();
        _together = Math.Min(2 * _together, most);
        var pack = OpenPack(PackOf(plans[0]));
        var model = Model is null ? pack.Pack.Model ?? throw CmdletErrors.NoModel(pack.Pack.Source) : ModelAt(Model);
        if (Baseline && !_unsteeredGiven) plans = [SteeringPlan.Unsteered, .. plans];
        _unsteeredGiven = true;
        foreach (var result in Stream(cancel => Write(pack, model, plans, cancel))) WriteObject(result);
    }

    private IEnumerable<SteeringResult> Write(OpenedPack pack, string folder, SteeringPlan[] plans, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(folder);
        var model = lease.Model;
        var tasks = (from prompt in Prompt
                     let ids = model.Tokenizer.Encode(prompt)
                     from plan in plans
                     from sample in Enumerable.Range(0, Samples)
                     select new SteeringTask(plan, ids, prompt, sample)).ToList();
        var options = new SteeringOptions
        {
            Tokens = Tokens,
            Measure = !NoMeasure,
            Generation = new GenerationOptions { MaxTokens = MaxTokens, Temperature = Temperature, TopP = TopP, Seed = Seed, Stop = Stop, RowsTogether = 64 },
        };
        foreach (var (done, result) in Steerer.Run(pack, model, tasks, options, cancel).Index())
        {
            Progress.Report(new FlowProgress($"text {done + 1} of {tasks.Count}", (done + 1.0) / tasks.Count));
            yield return result;
        }
    }

    private string PackOf(SteeringPlan plan) => Pack ?? plan.Pack ?? throw CmdletErrors.NoPack(plan.Name);
}
