namespace FeatureFlow.Experiments.Storyworld;

/// <summary>Phrases by their words, to find all that begin at a place of a sentence.</summary>
internal sealed class PhraseTrie
{
    private readonly Dictionary<string, PhraseTrie> _next = new(StringComparer.Ordinal);
    private bool _ends;

    public PhraseTrie(IEnumerable<string[]> phrases)
    {
        foreach (var phrase in phrases)
        {
            var node = this;
            foreach (var word in phrase)
            {
                if (!node._next.TryGetValue(word, out var next)) node._next[word] = next = new PhraseTrie([]);
                node = next;
            }

            node._ends = true;
        }
    }

    /// <summary>Where phrases that begin at <paramref name="at"/> end; where the text is cut, the end of the text counts when a phrase goes on there.</summary>
    /// <param name="capital">The first word must be written with a capital.</param>
    public IEnumerable<int> Ends(IReadOnlyList<string> words, int at, bool capital, bool cut)
    {
        var first = words[at];
        IEnumerable<string> spellings = !capital ? [first] : char.IsUpper(first[0]) ? [first, char.ToLowerInvariant(first[0]) + first[1..]] : char.IsLetter(first[0]) ? [] : [first];
        foreach (var spelling in spellings)
        {
            if (!_next.TryGetValue(spelling, out var node)) continue;
            for (var end = at + 1; ; end++)
            {
                if (node._ends || (cut && end == words.Count)) yield return end;
                if (end == words.Count || !node._next.TryGetValue(words[end], out node!)) break;
            }
        }
    }
}
