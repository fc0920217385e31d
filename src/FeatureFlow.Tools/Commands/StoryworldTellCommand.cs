using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Models;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow storyworld tell</c>: stories of the grammar that the model learned from.</summary>
internal sealed class StoryworldTellCommand : ToolCommand
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Option<int> _count = new("--count", "-n") { Description = "How many.", HelpName = "N", DefaultValueFactory = _ => 1 };
    private readonly Option<long> _first = new("--first") { Description = "Index of the first.", HelpName = "I", DefaultValueFactory = _ => 0 };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed; the same stories everywhere.", HelpName = "S", DefaultValueFactory = _ => 0 };
    private readonly Option<string?> _out = new("--out", "-o") { Description = "Write a corpus instead: JSON lines with a text field, for --file and for training.", HelpName = "FILE.jsonl" };

    public StoryworldTellCommand()
        : base(
            "tell",
            "Tell stories: what the Storyworld model was trained on.",
            ("storyworld tell --seed 7", "One story."),
            ("storyworld tell --seed 7 --count 3 --json", "Texts, their probabilities in nats, and their themes."),
            ("storyworld tell --seed 7 --count 200 --out stories.jsonl", "A corpus of stories."))
    {
        foreach (var option in new Option[] { _count, _first, _seed, _out }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var teller = new StoryTeller(options.GetValue(_seed));
        var stories = Enumerable.Range(0, Math.Max(0, options.GetValue(_count))).Select(i => teller.Tell(options.GetValue(_first) + i));
        if (options.GetValue(_out) is { } path)
        {
            WriteCorpus(path, teller, options.GetValue(_first), options.GetValue(_count), context.Cancel);
            context.Note($"{options.GetValue(_count)} stories in {path}");
            return 0;
        }

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

    private static void WriteCorpus(string path, StoryTeller teller, long first, int count, CancellationToken cancel) => AtomicFile.Write(path, stream =>
    {
        for (var i = first; i < first + count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            stream.Write(JsonSerializer.SerializeToUtf8Bytes(new { text = teller.Text(i) }, Readable));
            stream.WriteByte((byte)'\n');
        }
    });
}
