namespace FeatureFlow.Experiments.Storyworld;

/// <summary>The little morphology that the stories need: plurals, tenses, a and an.</summary>
internal sealed class English(IReadOnlyDictionary<string, string> plurals, IReadOnlyDictionary<string, (string Past, string Ing)> verbs)
{
    // where the first letter misleads
    private static readonly string[] ConsonantSound = ["uni", "use", "eu", "one", "once"];
    private static readonly string[] VowelSound = ["hour", "honest", "heir", "X-ray"];

    public static string Article(string next)
    {
        if (VowelSound.Any(v => next.StartsWith(v, StringComparison.Ordinal))) return "an";
        if (ConsonantSound.Any(v => next.StartsWith(v, StringComparison.OrdinalIgnoreCase) && !next.StartsWith("unim", StringComparison.Ordinal))) return "a";
        return "aeiouAEIOU".Contains(next[0], StringComparison.Ordinal) ? "an" : "a";
    }

    /// <summary>The plural of a noun phrase: of its last word, or of the first where an "of" follows.</summary>
    public string[] Plural(string[] noun)
    {
        var head = Array.IndexOf(noun, "of") is var of and > 0 ? of - 1 : noun.Length - 1;
        return [.. noun[..head], plurals.TryGetValue(noun[head], out var p) ? p : Suffixed(noun[head]), .. noun[(head + 1)..]];
    }

    /// <summary>The verb of a phrase is its first word.</summary>
    public string[] Past(string[] act) => [verbs.TryGetValue(act[0], out var v) ? v.Past : RegularPast(act[0]), .. act[1..]];

    public string[] Ing(string[] act) => [verbs.TryGetValue(act[0], out var v) ? v.Ing : RegularIng(act[0]), .. act[1..]];

    /// <summary>Third person singular.</summary>
    public static string[] Third(string[] act) => [Suffixed(act[0]), .. act[1..]];

    public static string Capital(string word) => char.IsLower(word[0]) ? char.ToUpperInvariant(word[0]) + word[1..] : word;

    private static string Suffixed(string word) => word switch
    {
        _ when EndsInConsonantY(word) => word[..^1] + "ies",
        _ when word[^1] is 's' or 'x' or 'z' || word.EndsWith("ch", StringComparison.Ordinal) || word.EndsWith("sh", StringComparison.Ordinal) => word + "es",
        _ => word + "s",
    };

    private static string RegularPast(string verb) => verb[^1] == 'e' ? verb + "d" : EndsInConsonantY(verb) ? verb[..^1] + "ied" : verb + "ed";

    private static string RegularIng(string verb) => verb[^1] == 'e' && verb[^2] is not 'e' ? verb[..^1] + "ing" : verb + "ing";

    private static bool EndsInConsonantY(string word) => word[^1] == 'y' && !"aeiou".Contains(word[^2], StringComparison.Ordinal);
}
