using System.CommandLine;
using System.Text.Json;
using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow storyworld build</c>: the model that ships with FeatureFlow, made again from nothing.</summary>
internal sealed class StoryworldBuildCommand : ToolCommand
{
    private static readonly JsonSerializerOptions Names = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly Option<string> _out = new("--out", "-o") { Description = "Folder to build in; a run that was stopped there goes on.", HelpName = "DIR", Required = true };
    private readonly Option<int?> _steps = new("--steps") { Description = "Training steps of 2,048 tokens; 4000 unless given.", HelpName = "N" };
    private readonly Option<int?> _until = new("--until") { Description = "Stop at this step and write the model as it is there; the folder can go on later.", HelpName = "N" };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of stories and weights.", HelpName = "S", DefaultValueFactory = _ => new StoryworldPlan().Seed };
    private readonly Option<bool> _quick = new("--quick") { Description = "A toy of the same making, done in seconds." };

    public StoryworldBuildCommand()
        : base(
            "build",
            "Make the Storyworld model from nothing: vocabulary, training, checkpoint. The same bits again on the same machine.",
            ("storyworld build --out storyworld --quick", "A toy, to see the machinery work; without --quick it is the model that ships."))
    {
        foreach (var option in new Option[] { _out, _steps, _until, _seed, _quick }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var plan = (options.GetValue(_quick) ? StoryworldPlan.Quick : new StoryworldPlan()) with { Seed = options.GetValue(_seed), Until = options.GetValue(_until) };
        if (options.GetValue(_steps) is { } steps) plan = plan with { Steps = steps };
        var folder = options.GetValue(_out)!;
        var report = context.Watch("storyworld", progress => StoryworldBuild.Run(folder, plan, FlowEngine.Shared.Tensors, progress, context.Cancel));
        if (context.Json) context.Out.WriteLine(JsonSerializer.Serialize(report, Names));
        else context.Out.WriteLine(FormattableString.Invariant($"{folder}: {report.Steps} steps, {report.Tokens} tokens; loss {report.Loss:0.0000} nats per token, the teller's entropy {report.Entropy:0.0000}; per story {report.LossPerStory:0.0} and {report.EntropyPerStory:0.0} ({report.Stories} held-out stories)"));
        return 0;
    }
}
