using System.CommandLine;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments.Storyworld;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow storyworld judge</c>: coherence and themes of a text, by the grammar itself.</summary>
internal sealed class StoryworldJudgeCommand : ToolCommand
{
    private const double Shown = 0.02;

    private readonly Option<string?> _text = new("--text") { Description = "The text.", HelpName = "T" };
    private readonly Option<string?> _file = new("--file") { Description = "A file with the text.", HelpName = "F" };

    public StoryworldJudgeCommand()
        : base(
            "judge",
            "Judge a text by the grammar of the stories: which sentences it can make, and the mixture of themes.",
            ("storyworld judge --text 'Anna stirred the soup. The anchor held. Soup anchor the.'", "Sentence by sentence, then shares of themes."))
    {
        Options.Add(_text);
        Options.Add(_file);
        Validators.Add(result =>
        {
            if (result.GetValue(_text) is null == result.GetValue(_file) is null) result.AddError("Give the text with --text, or a file with --file.");
        });
    }

    /// <summary>Shares by name.</summary>
    public static JsonObject Themes(IReadOnlyList<double> shares) => new(StoryTeller.ThemeNames.Zip(shares, (n, s) => KeyValuePair.Create(n, (JsonNode?)s)));

    protected override int Run(ParseResult options, ToolContext context)
    {
        var score = StoryJudge.Score(options.GetValue(_text) ?? File.ReadAllText(options.GetValue(_file)!));
        if (context.Json)
        {
            context.Out.WriteLine(new JsonObject
            {
                ["coherence"] = score.Coherence,
                ["themes"] = Themes(score.Themes),
                ["sentences"] = new JsonArray([.. score.Sentences.Select(s => new JsonObject { ["text"] = s.Text, ["parses"] = s.Parses })]),
            }.ToJsonString());
            return 0;
        }

        foreach (var (text, parses) in score.Sentences) context.Out.WriteLine($"{(parses ? "ok " : "no ")} {text}");
        var themes = StoryTeller.ThemeNames.Zip(score.Themes).Where(t => t.Second >= Shown).OrderByDescending(t => t.Second).Select(t => FormattableString.Invariant($"{t.First} {t.Second:0.00}"));
        context.Out.WriteLine(FormattableString.Invariant($"coherence {score.Coherence:0.00}; {string.Join(", ", themes)}"));
        return 0;
    }
}
