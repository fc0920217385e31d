namespace FeatureFlow.Experiments.Storyworld;

/// <summary>
/// One sentence being made: a frame is drawn, then its slots are filled from the scene, the themes and the general words, and every draw is
/// written down with its probability. What depends on the theme is kept as groups of P(choice | theme); the rest is one number.
/// </summary>
internal sealed class SentenceDraft(StoryLexicon lexicon, StoryScene scene, Prng random, ThemeMix mix)
{
    private const double HeroChance = 0.65;
    private const double PronounChance = 0.55;
    private const double MentionChance = 0.4;
    private const double AdjectiveChance = 0.4;
    private const double NamesChance = 0.3;
    private const double FullObjectChance = 0.5;
    private const string Article = "{a}";

    private readonly List<string> _words = [];
    private readonly List<double[]> _groups = [];
    private readonly Dictionary<int, (int Theme, double[] Group)> _ties = [];
    private Person? _subject;
    private Person? _topic;
    private int _untied;

    public ThemeMix Mix => mix;

    /// <summary>Of the draws that do not depend on the theme.</summary>
    public double LogProbability { get; private set; }

    /// <summary>One entry for each draw of a theme: [theme] P(what was chosen | theme).</summary>
    public IReadOnlyList<double[]> Groups => _groups;

    /// <summary>Draws a frame of the section and fills it; returns the frame's chance.</summary>
    public double Choose(string section)
    {
        var open = lexicon.Section(section).Where(scene.Allows).ToList();
        var total = open.Sum(f => f.Weight);
        var u = random.NextDouble() * total;
        var i = 0;
        while (i < open.Count - 1 && (u -= open[i].Weight) >= 0) i++;
        _topic = scene.Topic;
        foreach (var part in open[i].Parts) Fill(part);
        scene.Topic = _subject;
        scene.Asker = section == "question" ? _subject : null;
        return open[i].Weight / total;
    }

    public string Text() => Prose.Render(_words);

    private void Fill(FramePart part)
    {
        if (!part.IsSlot)
        {
            _words.Add(part.Text);
            return;
        }

        var tie = part.Tie > 0 ? part.Tie : --_untied;
        switch (part.Text)
        {
            case "a": _words.Add(Article); break;
            case "thing": Thing(tie, Category.Noun); break;
            case "things": Thing(tie, Category.Nouns); break;
            case "noun": Themed(tie, Category.Noun); break;
            case "nouns": Themed(tie, Category.Nouns); break;
            case "adj": Themed(tie, Category.Adjective); break;
            case "role": Themed(tie, Category.Role); break;
            case "roles": Themed(tie, Category.Roles); break;
            case "place": Themed(tie, Category.Place); break;
            case "event": Themed(tie, Category.Event); break;
            case "act": Themed(tie, Category.Act); break;
            case "acted": Themed(tie, Category.Acted); break;
            case "acting": Themed(tie, Category.Acting); break;
            case "acts": Themed(tie, Category.Acts); break;
            case "happen": Themed(tie, Category.Happening); break;
            case "say": Themed(tie, Category.Saying); break;
            case "ask": Themed(tie, Category.Question); break;
            case "to": Go(tie); break;
            case "here": _words.AddRange(scene.Here!); break;
            case "hrole": _words.AddRange(scene.HeroRole ??= RoleOf(scene.Hero ??= Name(null), tie)); break;
            case "frole": _words.AddRange(scene.FriendRole ??= RoleOf(scene.Friend ??= Name(scene.Hero), tie)); break;
            case "H": _subject = scene.Hero ??= Name(null); _words.Add(_subject.Name); break;
            case "F": _words.Add((scene.Friend ??= Name(scene.Hero)).Name); break;
            case "X": Subject(); break;
            case "N": _words.Add((_subject ??= Person()).Name); break;
            case "x": _words.Add(_subject!.Subject); break;
            case "his": _words.Add(_subject!.Possessive); break;
            case "Y": _words.Add(scene.Other(_subject ??= Person()).Name); break;
            case "M": Mention(); break;
            case "R": Reply(tie); break;
            case "They": They(); break;
            case "home": _words.AddRange((scene.Town ??= General("towns", emit: false)[0]).Split(' ')); break;
            case "obj": TheObject(); break;
            case "newobj": scene.ObjectKind = General("objectkinds"); scene.Object = General("objects"); break;
            case "feel": General("feelings"); break;
            case "manner": General("manners"); break;
            case "time": General("times"); break;
            case "when": General("whens"); break;
            case "num": General("numbers"); break;
            case "townkind": General("townkinds"); break;
            case "landmark": General("landmarks"); break;
            default: throw new InvalidOperationException($"no slot '{part.Text}'");
        }
    }

    // each tie draws its theme once; what it chooses is weighed under all themes
    private string[] Themed(int tie, Category category, bool emit = true)
    {
        if (!_ties.TryGetValue(tie, out var tied))
        {
            var group = new double[lexicon.Themes.Count];
            group.AsSpan().Fill(1);
            tied = (random.NextDouble() < mix.Share ? mix.To : mix.From, group);
            _ties[tie] = tied;
            _groups.Add(group);
        }

        var phrase = lexicon.Themes[tied.Theme][category].Draw(random);
        var chances = lexicon.Probabilities(category, phrase);
        for (var t = 0; t < chances.Length; t++) tied.Group[t] *= chances[t];
        if (emit) _words.AddRange(phrase);
        return phrase;
    }

    private void Thing(int tie, Category noun)
    {
        if (Happens(AdjectiveChance)) Themed(tie, Category.Adjective);
        Themed(tie, noun);
    }

    private void Go(int tie)
    {
        var to = Themed(tie, Category.To);
        // the way back: which place with its own preposition; the first that is gone to by these words
        scene.Here = lexicon.Themes.SelectMany(t => t[Category.Place].Phrases).First(p => p.AsSpan(1).SequenceEqual(to.AsSpan(1)));
    }

    private string[] General(string list, bool emit = true)
    {
        var words = lexicon.General(list);
        var phrase = words.Draw(random);
        LogProbability += Math.Log(words.Probability(phrase));
        if (emit) _words.AddRange(phrase);
        return phrase;
    }

    private Person Name(Person? taken)
    {
        var woman = Happens(0.5);
        var list = lexicon.General(woman ? "girls" : "boys");
        string[] name;
        do name = list.Draw(random);
        while (name[0] == taken?.Name);
        var others = taken is null ? 0 : list.Probability([taken.Name]);
        LogProbability += Math.Log(list.Probability(name) / (1 - others));
        return new Person(name[0], woman);
    }

    // a role can be told before the name; the person exists already, so that it fits
    private string[] RoleOf(Person person, int tie) => Themed(tie, person.Woman ? Category.HerRole : Category.HisRole, emit: false);

    private Person Person() => scene.Friend is null || Happens(HeroChance) ? scene.Hero! : scene.Friend;

    private void Subject()
    {
        _subject ??= Person();
        var pronoun = _subject == _topic && Happens(PronounChance);
        _words.Add(pronoun ? _subject.Subject : _subject.Name);
    }

    private void Mention()
    {
        var person = Person();
        _words.Add(person == _topic && Happens(MentionChance) ? person.Object : person.Name);
    }

    private void Reply(int tie)
    {
        if (scene.Asker is { } asker && scene.Friend is null)
        {
            _words.Add("the");
            Themed(tie, Category.Role);
            return;
        }

        _subject = scene.Asker is null ? scene.Hero! : scene.Other(scene.Asker);
        _words.Add(_subject.Name);
    }

    private void They()
    {
        if (Happens(NamesChance)) _words.AddRange([scene.Hero!.Name, "and", scene.Friend!.Name]);
        else _words.Add("they");
    }

    private void TheObject()
    {
        if (Happens(FullObjectChance)) _words.AddRange(scene.ObjectKind!);
        _words.AddRange(scene.Object!);
    }

    private bool Happens(double chance)
    {
        var yes = random.NextDouble() < chance;
        LogProbability += Math.Log(yes ? chance : 1 - chance);
        return yes;
    }
}
