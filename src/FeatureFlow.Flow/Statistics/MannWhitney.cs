using System.Numerics;

namespace FeatureFlow.Flow;

/// <summary>Outcome of a Mann-Whitney U test.</summary>
/// <param name="U">U of the first sample: pairs in which its value is the larger, ties counting half.</param>
/// <param name="P">Two-sided p.</param>
/// <param name="Exact">From the exact distribution, not the normal approximation.</param>
public readonly record struct MannWhitneyResult(double U, double P, bool Exact);

/// <summary>The Mann-Whitney U test of two independent samples, two-sided.</summary>
public static class MannWhitney
{
    /// <summary>Up to this size of the smaller sample the exact distribution is used, unless values tie.</summary>
    public const int ExactUpTo = 8;

    /// <summary>The exact test for small samples without ties, the normal approximation otherwise.</summary>
    public static MannWhitneyResult Test(IReadOnlyCollection<double> first, IReadOnlyCollection<double> second)
    {
        var (u, ties) = Ranks(first, second);
        return ties == 0 && Math.Min(first.Count, second.Count) is > 0 and <= ExactUpTo
            ? new MannWhitneyResult(u, ExactP(u, first.Count, second.Count), true)
            : new MannWhitneyResult(u, NormalP(u, first.Count, second.Count, ties), false);
    }

    /// <summary>The normal approximation with tie and continuity correction, whatever the size; NaN for an empty sample.</summary>
    public static MannWhitneyResult Approximate(IReadOnlyCollection<double> first, IReadOnlyCollection<double> second)
    {
        var (u, ties) = Ranks(first, second);
        return new MannWhitneyResult(u, NormalP(u, first.Count, second.Count, ties), false);
    }

    // U of the first sample, and Σ t³ − t over runs of t equal values
    private static (double U, double Ties) Ranks(IReadOnlyCollection<double> first, IReadOnlyCollection<double> second)
    {
        var values = new double[first.Count + second.Count];
        var isFirst = new bool[values.Length];
        var at = 0;
        foreach (var v in first) (values[at], isFirst[at++]) = (v, true);
        foreach (var v in second) values[at++] = v;
        Array.Sort(values, isFirst);
        double rankSum = 0, ties = 0;
        for (var start = 0; start < values.Length;)
        {
            var end = start + 1;
            var ours = isFirst[start] ? 1 : 0;
            for (; end < values.Length && values[end] == values[start]; end++) ours += isFirst[end] ? 1 : 0;
            rankSum += ours * (start + 1 + end) / 2.0;
            double run = end - start;
            ties += (run * run * run) - run;
            start = end;
        }

        double n = first.Count;
        return (rankSum - (n * (n + 1) / 2), ties);
    }

    private static double NormalP(double u, double nA, double nB, double ties)
    {
        if (nA == 0 || nB == 0) return double.NaN;
        var n = nA + nB;
        var larger = Math.Max(u, (nA * nB) - u);
        var deviation = Math.Sqrt(nA * nB / 12 * (n + 1 - (ties / (n * (n - 1)))));

        // all values equal: there is nothing to tell the samples apart by
        return deviation > 0 ? Math.Min(1, 2 * Normal.UpperTail((larger - (nA * nB / 2) - 0.5) / deviation)) : 1;
    }

    // orderings with a U of at least the one seen, among all: coefficients of the Gaussian binomial Π (1 − q^(n+i)) / (1 − q^i)
    private static double ExactP(double u, int nA, int nB)
    {
        var (few, many) = (Math.Min(nA, nB), Math.Max(nA, nB));
        var ways = new BigInteger[((long)few * many) + 1];
        ways[0] = 1;
        for (var i = 1; i <= few; i++)
        {
            for (var k = ways.Length - 1; k >= many + i; k--) ways[k] -= ways[k - many - i];
            for (var k = i; k < ways.Length; k++) ways[k] += ways[k - i];
        }

        var larger = (int)Math.Max(u, ((double)nA * nB) - u);
        BigInteger tail = 0, all = 0;
        for (var k = 0; k < ways.Length; k++)
        {
            all += ways[k];
            if (k >= larger) tail += ways[k];
        }

        return Math.Min(1, 2 * Math.Exp(BigInteger.Log(tail) - BigInteger.Log(all)));
    }
}
