namespace FeatureFlow.Experiments.Storyworld;

/// <summary>All that stories are made of: themes, words of every theme, frames of sentences. Read once.</summary>
internal sealed class StoryLexicon
{
    private static readonly Lazy<StoryLexicon> s_shared = new(() => new StoryLexicon());

    private readonly DataFile _general = DataFile.Open("general.txt");
    private readonly Dictionary<string, IReadOnlyList<StoryFrame>> _sections;
    private readonly Dictionary<string, PhraseList> _lists = new(StringComparer.Ordinal);

    private StoryLexicon()
    {
        var verbs = DataFile.Open("verbs.txt").Lines.Select(l => l.Split(' ')).ToDictionary(v => v[0], v => (v[1], v[2]), StringComparer.Ordinal);
        var plurals = _general.Words("plurals").Select(p => p.Split(' ')).ToDictionary(p => p[0], p => p[1], StringComparer.Ordinal);
        // "best men": the last word decides
        var english = new English(plurals, verbs);
        var women = _general.Words("women").ToHashSet(StringComparer.Ordinal);
        var men = _general.Words("men").ToHashSet(StringComparer.Ordinal);
        const string Folder = "Themes.";
        Themes = [.. DataFile.Names(Folder).Select(n => StoryTheme.Read(Path.GetFileNameWithoutExtension(n[Folder.Length..]), DataFile.Open(n), english, women, men))];
        Frames = StoryFrame.Read(DataFile.Open("frames.txt"));
        _sections = Frames.GroupBy(f => f.Section).ToDictionary(g => g.Key, g => (IReadOnlyList<StoryFrame>)[.. g], StringComparer.Ordinal);
        Chain = new ThemeChain(Themes);
    }

    public static StoryLexicon Shared => s_shared.Value;

    public IReadOnlyList<StoryTheme> Themes { get; }

    public IReadOnlyList<StoryFrame> Frames { get; }

    public ThemeChain Chain { get; }

    /// <summary>The frames of a section: opening, object, friend, body, dialog, question, reply, ending.</summary>
    public IReadOnlyList<StoryFrame> Section(string name) => _sections[name];

    /// <summary>A list of general.txt, shared by all themes.</summary>
    public PhraseList General(string name)
    {
        lock (_lists)
        {
            if (!_lists.TryGetValue(name, out var list)) _lists[name] = list = PhraseList.Of(_general.Words(name));
            return list;
        }
    }

    /// <summary>The chance of a phrase under every theme.</summary>
    public double[] Probabilities(Category category, string[] phrase) => [.. Themes.Select(t => t[category].Probability(phrase))];
}
