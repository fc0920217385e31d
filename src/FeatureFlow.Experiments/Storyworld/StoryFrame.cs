using System.Text.RegularExpressions;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>One piece of a sentence: a word, a mark, or a slot. Slots that share a tie above 0 are filled from one theme.</summary>
internal readonly record struct FramePart(string Text, bool IsSlot, int Tie);

/// <summary>A kind of sentence, with how common it is in its section, and what must have been told before it.</summary>
internal sealed partial record StoryFrame(string Section, double Weight, IReadOnlyList<FramePart> Parts)
{
    private static readonly string[] Friend = ["Y", "F", "They"];

    public bool NeedsFriend { get; } = Section is not ("opening" or "friend") && Parts.Any(p => p.IsSlot && Friend.Contains(p.Text));

    public bool NeedsObject { get; } = Parts.Any(p => p is { IsSlot: true, Text: "obj" });

    public bool NeedsPlace { get; } = Parts.Any(p => p is { IsSlot: true, Text: "here" });

    public static IReadOnlyList<StoryFrame> Read(DataFile file)
    {
        var frames = new List<StoryFrame>();
        var section = "";
        foreach (var line in file.Lines)
        {
            if (line[0] == '[')
            {
                section = line.Trim('[', ']');
                continue;
            }

            var star = line.IndexOf('*', StringComparison.Ordinal);
            var weight = double.Parse(line[..star], System.Globalization.CultureInfo.InvariantCulture);
            var texts = Pattern.Expand(line[(star + 1)..]);
            frames.AddRange(texts.Select(t => new StoryFrame(section, weight / texts.Count, [.. Tokens().Matches(string.Join(' ', t)).Select(m => Part(m.Value))])));
        }

        return frames;
    }

    private static FramePart Part(string token)
    {
        if (token[0] != '{') return new FramePart(token, false, 0);
        var slot = token[1..^1].Split('/');
        return new FramePart(slot[0], true, slot.Length > 1 ? slot[1][0] - '0' : 0);
    }

    [GeneratedRegex(@"\{[^}]*\}|[\w'-]+|[,.!?""]")]
    private static partial Regex Tokens();
}
