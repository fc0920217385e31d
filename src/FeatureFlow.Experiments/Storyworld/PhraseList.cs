namespace FeatureFlow.Experiments.Storyworld;

/// <summary>
/// Phrases with their probabilities. Those written first are the common ones (weight 1/(i+4) for entry i); a phrase with choices, such as
/// <c>boil the (eggs|milk)</c>, shares its weight among what it can say.
/// </summary>
internal sealed class PhraseList
{
    private const int Head = 4;

    private readonly double[] _upTo;
    private readonly Dictionary<string, double> _probability = new(StringComparer.Ordinal);

    private PhraseList(IReadOnlyList<(string[] Words, double Weight)> entries)
    {
        var total = entries.Sum(e => e.Weight);
        Phrases = [.. entries.Select(e => e.Words)];
        Probabilities = [.. entries.Select(e => e.Weight / total)];
        _upTo = new double[entries.Count];
        double sum = 0;
        for (var i = 0; i < entries.Count; i++)
        {
            _upTo[i] = sum += Probabilities[i];
            var key = Key(Phrases[i]);
            _probability[key] = Probabilities[i] + _probability.GetValueOrDefault(key);
        }
    }

    public IReadOnlyList<string[]> Phrases { get; }

    public IReadOnlyList<double> Probabilities { get; }

    public static PhraseList Of(IEnumerable<string> texts) =>
        new([.. texts.SelectMany((text, i) =>
        {
            var all = Pattern.Expand(text);
            return all.Select(words => (words, 1.0 / (i + Head) / all.Count));
        })]);

    public PhraseList Select(Func<string[], string[]> change) => new([.. Phrases.Zip(Probabilities, (p, w) => (change(p), w))]);

    public PhraseList Where(Func<string[], bool> keep) => new([.. Phrases.Zip(Probabilities).Where(p => keep(p.First))]);

    public string[] Draw(Prng random)
    {
        var i = Array.BinarySearch(_upTo, random.NextDouble());
        return Phrases[Math.Min(i < 0 ? ~i : i + 1, Phrases.Count - 1)];
    }

    /// <summary>0 for what the list cannot say.</summary>
    public double Probability(string[] phrase) => _probability.GetValueOrDefault(Key(phrase));

    private static string Key(string[] phrase) => string.Join(' ', phrase);
}
