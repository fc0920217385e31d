namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Compares descriptions by the words that they share: the judge of pairs that needs no network. It knows no synonyms and no irony; what it finds the same has the same words, what it
/// finds different may still mean the same. The order of the two makes no difference to it.
/// </summary>
public sealed class WordJudge : IJudge
{
    /// <summary>Dice coefficient of the words from which descriptions count as the same.</summary>
    public const double Same = 0.5;

    /// <summary>And from which they may be.</summary>
    public const double Maybe = 0.2;

    // words that say how descriptions are written, not what they are about
    private static readonly HashSet<string> Plain = new(
        """
        a an and any are as at be been being between by can do does each either for from had has have he her his how i if in into is it its itself like many may more most no nor not of off on
        one only or other others our out over own same she so some such than that the their them then there these they this those through to too under up upon use used using very was we were what
        when where whether which who whose will with within without you your
        active activate activation appear aspect associate associated certain common concept context contexts denote describe describing detail discuss element especially example express expression feature
        general include including indicate indicating instance item kind mention number often particular particularly phrase promote refer reference relate related relating relevant specific specifically
        suppress term text token topic type typically usually various word
        """.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).Select(Stem),
        StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Name => "shared words";

    /// <inheritdoc/>
    public Task<IReadOnlyList<TextAnswer>> ScoreAsync(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress = null, CancellationToken cancel = default) =>
        throw ExperimentErrors.ScoresNothing(Name);

    /// <inheritdoc/>
    public Task<IReadOnlyList<PairAnswer>> CompareAsync(IReadOnlyList<PairQuestion> pairs, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Task.FromResult<IReadOnlyList<PairAnswer>>([.. pairs.Select(Compare)]);
    }

    /// <summary>2·shared / all, over the distinct words that say something; null where one has none.</summary>
    public static double? Overlap(string first, string second)
    {
        HashSet<string> a = [.. Words(first)], b = [.. Words(second)];
        return a.Count == 0 || b.Count == 0 ? null : 2.0 * a.Count(b.Contains) / (a.Count + b.Count);
    }

    private static PairAnswer Compare(PairQuestion pair)
    {
        if (Overlap(pair.First, pair.Second) is not { } shared) return new PairAnswer(null, Problem: "a description without words to compare");
        var grade = shared >= Same ? 3 : shared >= Maybe ? 2 : 1;
        return new PairAnswer(grade, grade, grade);
    }

    private static IEnumerable<string> Words(string text) => SubjectLexicon.Words(text).Select(Stem).Where(w => !Plain.Contains(w));

    // plurals, -ing and -ed: enough for "names" and "name", "sailing" and "sailed"
    private static string Stem(string word)
    {
        if (word.EndsWith("'s", StringComparison.Ordinal) || word.EndsWith("’s", StringComparison.Ordinal)) word = word[..^2];
        foreach (var (ending, instead) in new[] { ("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "") })
        {
            if (word.Length < ending.Length + 3 || !word.EndsWith(ending, StringComparison.Ordinal) || word.EndsWith("ss", StringComparison.Ordinal)) continue;
            word = word[..^ending.Length] + instead;
            break;
        }

        return word.Length > 3 && word[^1] == 'e' ? word[..^1] : word;
    }
}
