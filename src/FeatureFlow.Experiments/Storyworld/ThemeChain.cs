namespace FeatureFlow.Experiments.Storyworld;

/// <summary>What a sentence is about: words come from <paramref name="To"/> with chance <paramref name="Share"/>, else from <paramref name="From"/>.</summary>
internal readonly record struct ThemeMix(int From, int To, double Share)
{
    public double Of(double[] perTheme) => ((1 - Share) * perTheme[From]) + (Share * perTheme[To]);
}

/// <summary>
/// How stories drift: a Markov chain whose states are one theme, or three steps of handing over from one to the next. It steps once a sentence.
/// Being small it is marginalised exactly (the forward algorithm), so that the probability of a story does not need its hidden path.
/// </summary>
internal sealed class ThemeChain
{
    private const double Stay = 0.8;
    private const double Linger = 0.2;
    private const double NearShare = 0.75;
    private static readonly double[] Steps = [0.25, 0.5, 0.75];

    private readonly int _themes;
    private readonly double[][] _drift;

    public ThemeChain(IReadOnlyList<StoryTheme> themes)
    {
        _themes = themes.Count;
        var index = themes.Select((t, i) => (t.Name, i)).ToDictionary(t => t.Name, t => t.i, StringComparer.Ordinal);
        _drift = [.. themes.Select((theme, from) =>
        {
            var near = theme.Near.Select(n => index[n]).ToHashSet();
            return Enumerable.Range(0, _themes)
                .Select(to => to == from ? 0 : near.Contains(to) ? NearShare / near.Count : (1 - NearShare) / (_themes - 1 - near.Count))
                .ToArray();
        })];
    }

    private int States => _themes * (1 + (_themes * Steps.Length));

    public ThemeMix Mix(int state)
    {
        if (state < _themes) return new ThemeMix(state, state, 0);
        var (pair, step) = Math.DivRem(state - _themes, Steps.Length);
        return new ThemeMix(pair / _themes, pair % _themes, Steps[step]);
    }

    public int Start(Prng random) => (int)(random.NextDouble() * _themes);

    public int Next(int state, Prng random)
    {
        var u = random.NextDouble();
        if (state >= _themes)
        {
            if (u < Linger) return state;
            var (pair, step) = Math.DivRem(state - _themes, Steps.Length);
            return step + 1 < Steps.Length ? state + 1 : pair % _themes;
        }

        if (u < Stay) return state;
        u = random.NextDouble();
        var drift = _drift[state];
        var to = 0;
        for (; to < _themes - 1 && (u -= drift[to]) >= 0; to++)
        {
        }

        // rounding can leave the last theme where it is the state itself
        return to == state ? state : Handing(state, to);
    }

    /// <summary>log P(sentences), the path of themes summed out; each sentence is given by its groups of P(choice | theme).</summary>
    public double LogLikelihood(IEnumerable<IReadOnlyList<double[]>> sentences)
    {
        double[]? at = null;
        double log = 0;
        foreach (var groups in sentences)
        {
            at = at is null ? Initial() : Step(at);
            double total = 0;
            for (var s = 0; s < at.Length; s++)
            {
                if (at[s] == 0) continue;
                var mix = Mix(s);
                foreach (var g in groups) at[s] *= mix.Of(g);
                total += at[s];
            }

            for (var s = 0; s < at.Length; s++) at[s] /= total;
            log += Math.Log(total);
        }

        return log;
    }

    private double[] Initial()
    {
        var at = new double[States];
        at.AsSpan(0, _themes).Fill(1.0 / _themes);
        return at;
    }

    private double[] Step(double[] at)
    {
        var next = new double[at.Length];
        for (var s = 0; s < _themes; s++)
        {
            next[s] += Stay * at[s];
            for (var to = 0; to < _themes; to++) next[Handing(s, to)] += (1 - Stay) * _drift[s][to] * at[s];
        }

        for (var s = _themes; s < at.Length; s++)
        {
            if (at[s] == 0) continue;
            next[s] += Linger * at[s];
            var (pair, step) = Math.DivRem(s - _themes, Steps.Length);
            next[step + 1 < Steps.Length ? s + 1 : pair % _themes] += (1 - Linger) * at[s];
        }

        return next;
    }

    private int Handing(int from, int to) => _themes + (((from * _themes) + to) * Steps.Length);
}
