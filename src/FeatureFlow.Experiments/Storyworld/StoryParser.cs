namespace FeatureFlow.Experiments.Storyworld;

/// <summary>
/// Says whether a sentence is one of the grammar's: any frame, every slot filled with words of the right kind of any theme, a and an, persons,
/// pronouns and verbs agreeing within it, capitals, spaces and quotes as they are written. Back-tracking over tries of phrases.
/// </summary>
internal sealed class StoryParser
{
    private static readonly Lazy<StoryParser> s_shared = new(() => new StoryParser(StoryLexicon.Shared));

    private readonly ILookup<string, StoryFrame> _byFirst;
    private readonly IReadOnlyList<StoryFrame> _open;
    private readonly Dictionary<Category, PhraseTrie> _themed = [];
    private readonly Dictionary<string, PhraseTrie> _general = new(StringComparer.Ordinal);
    private readonly Dictionary<string, bool> _women = new(StringComparer.Ordinal);

    private StoryParser(StoryLexicon lexicon)
    {
        foreach (var category in Enum.GetValues<Category>()) _themed[category] = new PhraseTrie(lexicon.Themes.SelectMany(t => t[category].Phrases));
        foreach (var list in (string[])["towns", "objectkinds", "objects", "feelings", "manners", "times", "whens", "numbers", "townkinds", "landmarks"])
            _general[list] = new PhraseTrie(lexicon.General(list).Phrases);
        foreach (var (list, woman) in new[] { ("girls", true), ("boys", false) })
        {
            foreach (var name in lexicon.General(list).Phrases) _women[name[0]] = woman;
        }

        _byFirst = lexicon.Frames.Where(f => !f.Parts[0].IsSlot).ToLookup(f => f.Parts[0].Text, StringComparer.Ordinal);
        _open = [.. lexicon.Frames.Where(f => f.Parts[0].IsSlot)];
    }

    public static StoryParser Shared => s_shared.Value;

    /// <summary>True when <paramref name="sentence"/> is a sentence of the grammar; with <paramref name="cut"/>, when it is the beginning of one.</summary>
    public bool Parses(string sentence, bool cut = false)
    {
        var words = Prose.Split(sentence);
        if (words.Count == 0) return false;
        if (Fits(sentence, words, cut)) return true;
        // where a text was cut, the last word may be half a word
        return cut && words.Count > 1 && char.IsLetter(words[^1][^1]) && Fits(sentence[..sentence.LastIndexOf(words[^1], StringComparison.Ordinal)].TrimEnd(), [.. words.Take(words.Count - 1)], cut);
    }

    private bool Fits(string sentence, IReadOnlyList<string> words, bool cut)
    {
        if (Prose.Render(words) != sentence) return false;
        var reading = new Reading(this, words, cut);
        return _byFirst[words[0]].Concat(_open).Any(reading.Fits);
    }

    private readonly record struct Bound(string? Subject, bool? Woman, string? Other);

    /// <summary>One sentence against one frame after the other.</summary>
    private sealed class Reading(StoryParser parser, IReadOnlyList<string> words, bool cut)
    {
        private StoryFrame _frame = null!;

        public bool Fits(StoryFrame frame)
        {
            _frame = frame;
            return From(0, 0, default);
        }

        private bool From(int part, int at, Bound bound)
        {
            if (at == words.Count && (cut || part == _frame.Parts.Count)) return true;
            if (part == _frame.Parts.Count || at == words.Count) return false;
            var (text, slot, _) = _frame.Parts[part];
            if (!slot) return words[at] == text && From(part + 1, at + 1, bound);
            switch (text)
            {
                case "a": return words[at] is "a" or "an" && (at + 1 == words.Count || English.Article(words[at + 1]) == words[at]) && From(part + 1, at + 1, bound);
                case "thing": return Noun(Category.Noun, part, at, bound);
                case "things": return Noun(Category.Nouns, part, at, bound);
                case "noun": return Themed(Category.Noun, part, at, bound);
                case "nouns": return Themed(Category.Nouns, part, at, bound);
                case "adj": return Themed(Category.Adjective, part, at, bound);
                case "role" or "hrole" or "frole": return Themed(Category.Role, part, at, bound);
                case "roles": return Themed(Category.Roles, part, at, bound);
                case "place" or "here": return Themed(Category.Place, part, at, bound);
                case "to": return Themed(Category.To, part, at, bound);
                case "event": return Themed(Category.Event, part, at, bound);
                case "act": return Themed(Category.Act, part, at, bound);
                case "acted": return Themed(Category.Acted, part, at, bound);
                case "acting": return Themed(Category.Acting, part, at, bound);
                case "acts": return Themed(Category.Acts, part, at, bound);
                case "happen": return Themed(Category.Happening, part, at, bound);
                case "say": return Themed(Category.Saying, part, at, bound);
                case "ask": return Themed(Category.Question, part, at, bound);
                case "home": return General("towns", part, at, bound);
                case "feel": return General("feelings", part, at, bound);
                case "manner": return General("manners", part, at, bound);
                case "time": return General("times", part, at, bound);
                case "when": return General("whens", part, at, bound);
                case "num": return General("numbers", part, at, bound);
                case "townkind": return General("townkinds", part, at, bound);
                case "landmark": return General("landmarks", part, at, bound);
                case "newobj": return Two("objectkinds", "objects", part, at, bound);
                case "obj": return General("objects", part, at, bound) || Two("objectkinds", "objects", part, at, bound);
                case "x": return Agrees(Plain(at), "she", "he", part, at, bound);
                case "his": return Agrees(words[at], "her", "his", part, at, bound);
                case "X": return Pronoun(at) is { } she ? From(part + 1, at + 1, bound with { Woman = she }) : Subject(part, at, bound);
                case "N" or "H": return Subject(part, at, bound);
                case "Y" or "F": return parser._women.ContainsKey(words[at]) && words[at] != bound.Subject && From(part + 1, at + 1, bound with { Other = words[at] });
                case "M": return (parser._women.ContainsKey(words[at]) || words[at] is "him" or "her") && From(part + 1, at + 1, bound);
                case "R": return Subject(part, at, bound) || (Plain(at) == "the" && Themed(Category.Role, part, at + 1, bound));
                case "They": return (Plain(at) == "they" && From(part + 1, at + 1, bound)) || Both(part, at, bound);
                default: throw new InvalidOperationException($"no slot '{text}'");
            }
        }

        private bool Noun(Category noun, int part, int at, Bound bound)
        {
            if (Themed(noun, part, at, bound)) return true;
            foreach (var end in parser._themed[Category.Adjective].Ends(words, at, Starts(at), cut))
            {
                if (end == words.Count ? cut : Themed(noun, part, end, bound)) return true;
            }

            return false;
        }

        private bool Themed(Category category, int part, int at, Bound bound) => Phrase(parser._themed[category], part, at, bound);

        private bool General(string list, int part, int at, Bound bound) => Phrase(parser._general[list], part, at, bound);

        private bool Two(string first, string second, int part, int at, Bound bound)
        {
            foreach (var end in parser._general[first].Ends(words, at, Starts(at), cut))
            {
                if (end == words.Count ? cut : General(second, part, end, bound)) return true;
            }

            return false;
        }

        private bool Phrase(PhraseTrie trie, int part, int at, Bound bound)
        {
            if (at == words.Count) return cut;
            foreach (var end in trie.Ends(words, at, Starts(at), cut))
            {
                if (From(part + 1, end, bound)) return true;
            }

            return false;
        }

        private bool Subject(int part, int at, Bound bound) =>
            parser._women.TryGetValue(words[at], out var woman) && words[at] != bound.Other && From(part + 1, at + 1, bound with { Subject = words[at], Woman = woman });

        private bool Both(int part, int at, Bound bound)
        {
            if (!parser._women.ContainsKey(words[at])) return false;
            if (at + 1 == words.Count) return cut;
            if (words[at + 1] != "and") return false;
            if (at + 2 == words.Count) return cut;
            return parser._women.ContainsKey(words[at + 2]) && words[at + 2] != words[at] && From(part + 1, at + 3, bound);
        }

        private bool Agrees(string word, string woman, string man, int part, int at, Bound bound) =>
            word == (bound.Woman == true ? woman : man) && From(part + 1, at + 1, bound);

        private bool? Pronoun(int at) => Plain(at) switch { "she" => true, "he" => false, _ => null };

        // the first word of a sentence and of its first quote are written with a capital
        private bool Starts(int at) => at == 0 || (words[at - 1] == "\"" && !words.Take(at - 1).Contains("\""));

        private string Plain(int at) => Starts(at) ? (char.IsUpper(words[at][0]) ? char.ToLowerInvariant(words[at][0]) + words[at][1..] : "") : words[at];
    }
}
