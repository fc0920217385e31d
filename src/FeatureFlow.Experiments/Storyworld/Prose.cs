using System.Text;
using System.Text.RegularExpressions;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>Words and marks to text and back: spaces, capitals, a and an, quotes.</summary>
internal static partial class Prose
{
    /// <summary>The text of a sentence; {a} becomes a or an by what follows.</summary>
    public static string Render(IReadOnlyList<string> words)
    {
        var text = new StringBuilder();
        var (quoted, quotes) = (false, 0);
        var glue = true; // no space before the next word
        var start = true;
        for (var i = 0; i < words.Count; i++)
        {
            var word = words[i] == "{a}" ? English.Article(words[i + 1]) : words[i];
            if (word == "\"")
            {
                if (!quoted && !glue) text.Append(' ');
                quoted = !quoted;
                glue = quoted;
                start = ++quotes == 1; // what goes on after "she said" begins small
                text.Append('"');
                continue;
            }

            if (IsMark(word))
            {
                text.Append(word);
                glue = false;
                continue;
            }

            if (!glue) text.Append(' ');
            text.Append(start ? English.Capital(word) : word);
            start = glue = false;
        }

        return text.ToString();
    }

    /// <summary>Words and marks of a sentence.</summary>
    public static IReadOnlyList<string> Split(string sentence) => [.. Tokens().Matches(sentence).Select(m => m.Value)];

    /// <summary>Sentences: up to a full stop, ! or ? (and the quote that closes with it) that no small letter follows.</summary>
    public static IEnumerable<string> Sentences(string text)
    {
        var start = 0;
        var quoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '"') quoted = !quoted;
            if (text[i] is not ('.' or '!' or '?')) continue;
            var end = i + 1;
            if (end < text.Length && text[end] == '"' && quoted)
            {
                end++;
                quoted = false;
                i++;
            }

            var next = end;
            while (next < text.Length && char.IsWhiteSpace(text[next])) next++;
            if (quoted || (next < text.Length && char.IsLower(text[next]))) continue;
            yield return text[start..end].Trim();
            start = end;
        }

        if (text[start..].Trim() is { Length: > 0 } rest) yield return rest;
    }

    public static bool IsMark(string word) => word is "," or "." or "!" or "?";

    [GeneratedRegex(@"[\w'-]+|[^\w\s]")]
    private static partial Regex Tokens();
}
