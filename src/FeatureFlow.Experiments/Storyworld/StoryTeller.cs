namespace FeatureFlow.Experiments.Storyworld;

/// <summary>A story as told: its text, and what only its teller knows.</summary>
/// <param name="Text">Plain English, one paragraph.</param>
/// <param name="LogProbability">
/// log P(text) in nats, the hidden path of themes summed out exactly. A sentence that two frames could produce counts one of them, so that
/// the mean of −LogProbability is an upper bound on the entropy, tight as far as sentences have one reading.
/// </param>
/// <param name="Themes">[theme] share of each theme over the sentences, as the hidden path had it.</param>
public sealed record Story(string Text, double LogProbability, IReadOnlyList<double> Themes);

/// <summary>Tells stories: story <c>index</c> of a seed is the same text everywhere, and independent of all others.</summary>
public sealed class StoryTeller(ulong seed)
{
    /// <summary>Changes whenever the same seed tells other stories.</summary>
    public const int Version = 1;

    private const int LeastSentences = 7;
    private const int MostSentences = 16;
    private const double StopChance = 0.14;
    private const double ObjectChance = 0.4;
    private const double FriendChance = 0.3;
    private const double DialogChance = 0.22;
    private const double QuestionChance = 0.08;

    private readonly StoryLexicon _lexicon = StoryLexicon.Shared;

    /// <summary>Names of the themes, in the order of every share that the judge and the teller give.</summary>
    public static IReadOnlyList<string> ThemeNames { get; } = [.. StoryLexicon.Shared.Themes.Select(t => t.Name)];

    /// <summary>Tells story <paramref name="index"/>.</summary>
    public Story Tell(long index) => Tell(index, measure: true);

    /// <summary>The text alone, which is quicker.</summary>
    public string Text(long index) => Tell(index, measure: false).Text;

    private Story Tell(long index, bool measure)
    {
        var random = new Prng(seed, (ulong)index);
        var chain = _lexicon.Chain;
        var scene = new StoryScene();
        var state = chain.Start(random);
        var sentences = new List<SentenceDraft>();
        var shares = new double[_lexicon.Themes.Count];
        double log = 0;
        var section = "opening";
        while (true)
        {
            var draft = new SentenceDraft(_lexicon, scene, random, chain.Mix(state));
            log += Math.Log(draft.Choose(section));
            sentences.Add(draft);
            shares[draft.Mix.From] += 1 - draft.Mix.Share;
            shares[draft.Mix.To] += draft.Mix.Share;
            log += draft.LogProbability;
            if (section == "ending") break;
            (section, var chance) = Next(scene, sentences.Count, section, random);
            log += Math.Log(chance);
            state = chain.Next(state, random);
        }

        log = measure ? log + chain.LogLikelihood(sentences.Select(s => s.Groups)) : double.NaN;
        return new Story(string.Join(' ', sentences.Select(s => s.Text())), log, [.. shares.Select(s => s / sentences.Count)]);
    }

    /// <summary>What kind of sentence comes next, and the chance that it had.</summary>
    private static (string Section, double Chance) Next(StoryScene scene, int told, string last, Prng random)
    {
        if (last == "question") return ("reply", 1);
        var chance = 1.0;
        if (told >= MostSentences || (told >= LeastSentences && Happens(StopChance, ref chance))) return ("ending", chance);
        if (!scene.HasObject && Happens(ObjectChance, ref chance)) return ("object", chance);
        if (scene.Friend is null && Happens(FriendChance, ref chance)) return ("friend", chance);
        if (Happens(DialogChance, ref chance)) return ("dialog", chance);
        return (Happens(QuestionChance, ref chance) ? "question" : "body", chance);

        bool Happens(double share, ref double product)
        {
            var yes = random.NextDouble() < share;
            product *= yes ? share : 1 - share;
            return yes;
        }
    }
}
