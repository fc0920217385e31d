using System.CommandLine;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments.Storyworld;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow storyworld tell</c>: stories of the grammar that the model learned from.</summary>
internal sealed class StoryworldTellCommand : ToolCommand
{
    private readonly Option<int> _count = new("--count", "-n") { Description = "How many.", HelpName = "N", DefaultValueFactory = _ => 1 };
    private readonly Option<long> _first = new("--first") { Description = "Index of the first.", HelpName = "I", DefaultValueFactory = _ => 0 };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed; the same stories everywhere.", HelpName = "S", DefaultValueFactory = _ => 0 };

    public StoryworldTellCommand()
        : base(
            "tell",
            "Tell stories: what the Storyworld model was trained on.",
            ("storyworld tell --seed 7", "One story."),
            ("storyworld tell --seed 7 --count 3 --json", "Texts, their probabilities in nats, and their themes."))
    {
        foreach (var option in new Option[] { _count, _first, _seed }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var teller = new StoryTeller(options.GetValue(_seed));
        var stories = Enumerable.Range(0, Math.Max(0, options.GetValue(_count))).Select(i => teller.Tell(options.GetValue(_first) + i));
        if (context.Json)
        {
            context.Out.WriteLine(new JsonArray([.. stories.Select(s => new JsonObject { ["text"] = s.Text, ["log_probability"] = s.LogProbability, ["themes"] = StoryworldJudgeCommand.Themes(s.Themes) })]).ToJsonString());
            return 0;
        }

        foreach (var story in stories)
        {
            context.Cancel.ThrowIfCancellationRequested();
            context.Out.WriteLine(story.Text);
            context.Out.WriteLine();
        }

        return 0;
    }
}
