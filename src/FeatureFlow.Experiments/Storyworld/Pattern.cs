namespace FeatureFlow.Experiments.Storyworld;

/// <summary>Texts with choices, <c>the (oven|stove) was hot</c>, as all word sequences that they stand for.</summary>
internal static class Pattern
{
    public static IReadOnlyList<string[]> Expand(string text)
    {
        IEnumerable<string> open = [""];
        var at = 0;
        while (at < text.Length)
        {
            var start = text.IndexOf('(', at);
            var literal = start < 0 ? text[at..] : text[at..start];
            open = open.Select(o => o + literal);
            if (start < 0) break;
            var end = text.IndexOf(')', start);
            var choices = text[(start + 1)..end].Split('|');
            open = open.SelectMany(o => choices.Select(c => o + c));
            at = end + 1;
        }

        return [.. open.Select(o => o.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
    }
}
