using System.Text.RegularExpressions;

namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Words that belong to subjects. A text is wholly about a subject when as many of its words belong to it as in a text written about nothing else;
/// that share is <see cref="Full"/>.
/// </summary>
public sealed partial class SubjectLexicon : ISubjectMeter
{
    private readonly Dictionary<string, (HashSet<string> Words, string[] Stems, string[][] Phrases)> _subjects = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes one.</summary>
    /// <param name="words">
    /// Words of each subject, in any case: <c>ship</c> is that word, <c>sail*</c> every word that begins so, <c>black hole</c> those words one after the other.
    /// </param>
    /// <param name="full">Share of words of a subject, 0 to 1, at which a text counts as wholly about it.</param>
    /// <exception cref="FeatureFlowException">FF5320: a subject without words.</exception>
    public SubjectLexicon(IReadOnlyDictionary<string, IReadOnlyList<string>> words, double full = 0.1)
    {
        Full = full;
        foreach (var (subject, list) in words)
        {
            var entries = list.Select(w => w.Trim().ToLowerInvariant()).Where(w => w.Trim('*').Length > 0).ToList();
            if (entries.Count == 0) throw ExperimentErrors.NoWords(subject);
            var stems = entries.Where(e => e.EndsWith('*')).Select(e => e.TrimEnd('*'));
            var phrases = entries.Where(e => !e.EndsWith('*')).Select(Words).ToLookup(w => w.Length == 1);
            _subjects[subject] = ([.. phrases[true].Select(p => p[0])], [.. stems], [.. phrases[false].Where(p => p.Length > 1)]);
        }
    }

    /// <inheritdoc/>
    public string Name => "lexicon";

    /// <summary>Share of words at which a text counts as wholly about a subject.</summary>
    public double Full { get; }

    /// <summary>Subjects that it knows.</summary>
    public IReadOnlyCollection<string> Subjects => _subjects.Keys;

    /// <inheritdoc/>
    /// <exception cref="FeatureFlowException">FF5321: a subject that it has no words of.</exception>
    public IReadOnlyList<double?> Measure(TextQuestion text)
    {
        var words = Words(text.Text);
        return [.. text.Subjects.Select(s => (double?)(words.Length == 0 ? 0 : Math.Min(1, Found(words, s.Name) / (Full * words.Length))))];
    }

    // words that belong to the subject; those of a phrase count each, and no word twice
    private double Found(string[] words, string subject)
    {
        if (!_subjects.TryGetValue(subject, out var lexicon)) throw ExperimentErrors.NoLexicon(subject, _subjects.Keys);
        var belongs = new bool[words.Length];
        for (var i = 0; i < words.Length; i++)
        {
            belongs[i] |= lexicon.Words.Contains(words[i]) || Array.Exists(lexicon.Stems, s => words[i].StartsWith(s, StringComparison.Ordinal));
            foreach (var phrase in lexicon.Phrases)
            {
                if (words.AsSpan(i).StartsWith(phrase)) belongs.AsSpan(i, phrase.Length).Fill(true);
            }
        }

        return belongs.Count(b => b);
    }

    internal static string[] Words(string text) => [.. Word().Matches(text).Select(m => m.Value.ToLowerInvariant())];

    // letters, marks and digits, with apostrophes and hyphens inside: don't, well-known
    [GeneratedRegex(@"[\p{L}\p{M}\p{N}]+(?:['’\-][\p{L}\p{M}\p{N}]+)*")]
    private static partial Regex Word();
}
