namespace FeatureFlow.Experiments.Storyworld;

/// <summary>What the judge says of a text.</summary>
/// <param name="Coherence">Share of sentences that the grammar can make, 0 to 1; the last counts as the beginning of one when the text is cut. 0 for no text.</param>
/// <param name="Themes">[theme] shares that sum to 1, or all 0 where no word belongs to a theme.</param>
/// <param name="Sentences">Each sentence, and whether it is one of the grammar's.</param>
public sealed record StoryScore(double Coherence, IReadOnlyList<double> Themes, IReadOnlyList<(string Text, bool Parses)> Sentences)
{
    /// <summary>The share of one theme, by name.</summary>
    public double Of(string theme) => StoryTeller.ThemeNames.ToList().IndexOf(theme) is var i and >= 0 ? Themes[i] : throw ExperimentErrors.NoTheme(theme, StoryTeller.ThemeNames);
}

/// <summary>
/// The exact judge of stories, whoever wrote them: coherence is what the grammar parses, sentence by sentence; the theme mix is the maximum-likelihood
/// mixture of the themes' word distributions (EM from equal shares over the words that belong to themes). No model is asked.
/// </summary>
public static class StoryJudge
{
    private const int Rounds = 50;

    // a word of this many themes tells nothing of any
    private const int CommonTo = 8;

    // how often the teller says each kind of phrase, roughly: the weights of a theme's words
    private static readonly (Category Category, double Rate)[] Rates =
    [
        (Category.Acted, 4), (Category.Act, 3), (Category.Acting, 1), (Category.Happening, 2.5), (Category.Noun, 3), (Category.Nouns, 1), (Category.Adjective, 1.5),
        (Category.Role, 1.5), (Category.Roles, 0.5), (Category.Place, 1.5), (Category.Event, 0.6), (Category.Saying, 1), (Category.Question, 0.3), (Category.Acts, 0.2),
    ];

    private static readonly Lazy<Dictionary<string, double[]>> Words = new(Count);

    /// <summary>Judges a text; when <paramref name="cut"/> its last sentence may be unfinished.</summary>
    public static StoryScore Score(string text, bool cut = true)
    {
        var sentences = Prose.Sentences(text.ReplaceLineEndings(" ")).ToList();
        // a single word, perhaps a half one, is no sentence yet
        if (cut && sentences.Count > 1 && !Finished(sentences[^1]) && Prose.Split(sentences[^1]).Count(w => w != "\"") == 1) sentences.RemoveAt(sentences.Count - 1);
        var judged = sentences.Select((s, i) => (s, StoryParser.Shared.Parses(s, cut && i == sentences.Count - 1))).ToList();
        var coherence = judged.Count == 0 ? 0 : judged.Count(j => j.Item2) / (double)judged.Count;
        return new StoryScore(coherence, Mixture(text), judged);
    }

    /// <summary>The words of a theme with their chances, most frequent first: a lexicon for other judges.</summary>
    public static IReadOnlyList<(string Word, double Weight)> Lexicon(string theme)
    {
        var t = StoryTeller.ThemeNames.ToList().IndexOf(theme);
        if (t < 0) throw ExperimentErrors.NoTheme(theme, StoryTeller.ThemeNames);
        return [.. Words.Value.Where(w => w.Value[t] > 0).OrderByDescending(w => w.Value[t]).ThenBy(w => w.Key, StringComparer.Ordinal).Select(w => (w.Key, w.Value[t]))];
    }

    private static bool Finished(string sentence) => sentence.TrimEnd('"') is [.., '.' or '!' or '?'];

    private static double[] Mixture(string text)
    {
        var words = Prose.Split(text).Select(w => Words.Value.GetValueOrDefault(w) ?? Words.Value.GetValueOrDefault(w.ToLowerInvariant())).OfType<double[]>().ToList();
        var themes = StoryTeller.ThemeNames.Count;
        var shares = new double[themes];
        if (words.Count == 0) return shares;
        shares.AsSpan().Fill(1.0 / themes);
        for (var round = 0; round < Rounds; round++)
        {
            var next = new double[themes];
            foreach (var chance in words)
            {
                var total = shares.Zip(chance, (s, c) => s * c).Sum();
                for (var t = 0; t < themes; t++) next[t] += shares[t] * chance[t] / total / words.Count;
            }

            shares = next;
        }

        return shares;
    }

    // word -> [theme] chance of the word under the theme
    private static Dictionary<string, double[]> Count()
    {
        var lexicon = StoryLexicon.Shared;
        var table = new Dictionary<string, double[]>(StringComparer.Ordinal);
        for (var t = 0; t < lexicon.Themes.Count; t++)
        {
            foreach (var (category, rate) in Rates)
            {
                var list = lexicon.Themes[t][category];
                foreach (var (phrase, p) in list.Phrases.Zip(list.Probabilities))
                {
                    foreach (var word in phrase)
                    {
                        if (!table.TryGetValue(word, out var row)) table[word] = row = new double[lexicon.Themes.Count];
                        row[t] += rate * p;
                    }
                }
            }
        }

        var frames = lexicon.Frames.SelectMany(f => f.Parts).Where(p => !p.IsSlot).Select(p => p.Text);
        foreach (var word in frames) table.Remove(word);
        foreach (var (word, row) in table.ToList())
        {
            if (row.Count(p => p > 0) >= CommonTo) table.Remove(word);
        }

        for (var t = 0; t < lexicon.Themes.Count; t++)
        {
            var total = table.Values.Sum(r => r[t]);
            foreach (var row in table.Values) row[t] /= total;
        }

        return table;
    }
}
