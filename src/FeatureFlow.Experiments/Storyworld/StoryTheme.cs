namespace FeatureFlow.Experiments.Storyworld;

/// <summary>What a slot of a sentence can be filled with, theme by theme.</summary>
internal enum Category
{
    Noun,
    Nouns,
    Adjective,
    Role,
    Roles,
    HerRole,
    HisRole,
    Place,
    To,
    Event,
    Act,
    Acted,
    Acting,
    Acts,
    Happening,
    Saying,
    Question,
}

/// <summary>One subject that stories are about, read from its file in Data/Themes: what there is, who is there, where, and what goes on.</summary>
internal sealed class StoryTheme
{
    private readonly PhraseList[] _lists;

    private StoryTheme(string name, string[] near, PhraseList[] lists)
    {
        Name = name;
        Near = near;
        _lists = lists;
    }

    public string Name { get; }

    /// <summary>Themes that stories drift to more often than to others.</summary>
    public IReadOnlyList<string> Near { get; }

    public PhraseList this[Category category] => _lists[(int)category];

    public static StoryTheme Read(string name, DataFile file, English english, IReadOnlySet<string> women, IReadOnlySet<string> men)
    {
        var nouns = PhraseList.Of(file.Words("things"));
        var roles = PhraseList.Of(file.Words("roles"));
        var places = file.Words("places").ToList();
        var acts = PhraseList.Of(file.Phrases("acts"));
        var lists = new PhraseList[Enum.GetValues<Category>().Length];
        void Set(Category category, PhraseList list) => lists[(int)category] = list;
        Set(Category.Noun, nouns);
        Set(Category.Nouns, nouns.Select(english.Plural));
        Set(Category.Adjective, PhraseList.Of(file.Words("adjectives")));
        Set(Category.Role, roles);
        Set(Category.Roles, roles.Select(english.Plural));
        Set(Category.HerRole, roles.Where(r => !men.Contains(string.Join(' ', r))));
        Set(Category.HisRole, roles.Where(r => !women.Contains(string.Join(' ', r))));
        // a star marks where nobody can go to: the rain
        Set(Category.Place, PhraseList.Of(places.Select(p => p.TrimEnd('*'))));
        Set(Category.To, PhraseList.Of(places.Where(p => !p.EndsWith('*'))).Select(p => ["to", .. p[1..]]));
        Set(Category.Event, PhraseList.Of(file.Words("events").Select(e => e["the ".Length..])));
        Set(Category.Act, acts);
        Set(Category.Acted, acts.Select(english.Past));
        Set(Category.Acting, acts.Select(english.Ing));
        Set(Category.Acts, acts.Select(English.Third));
        Set(Category.Happening, PhraseList.Of(file.Phrases("happens")));
        Set(Category.Saying, PhraseList.Of(file.Phrases("says")));
        Set(Category.Question, PhraseList.Of(file.Phrases("asks")));
        return new StoryTheme(name, [.. file.Words("near")], lists);
    }
}
