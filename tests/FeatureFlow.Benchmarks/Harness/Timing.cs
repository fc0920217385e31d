using System.Diagnostics;

namespace FeatureFlow.Benchmarks;

/// <summary>Times pieces of work several times, in turns, for machines that others use too.</summary>
internal static class Timing
{
    // worker threads of the one before may still be spinning
    private const int SettleMilliseconds = 60;

    // short work runs uncounted in each of its turns too: its threads have to be spread over the cores again; and longer before the first turn, until the runtime
    // has compiled it for the second time
    private const double Short = 0.5, SpreadSeconds = 0.2, WarmSeconds = 1.5;

    public static Times Measure(int runs, Action work) => Turns(runs, Timed(work))[0];

    /// <summary>
    /// Every piece without counting (once, or for a moment when it is short), then all of them once a run, so that a slow spell of the machine meets all alike. Each says
    /// its own seconds: peers in other processes measure themselves.
    /// </summary>
    public static Times[] Turns(int runs, params Func<double>[] works)
    {
        var first = works.Select(w => Warm(w, WarmSeconds)).ToArray();
        var times = works.Select(_ => new double[runs]).ToArray();
        for (var run = 0; run < runs; run++)
        {
            for (var i = 0; i < works.Length; i++)
            {
                if (works.Length > 1)
                {
                    Thread.Sleep(SettleMilliseconds);
                    if (first[i] < Short) Warm(works[i], SpreadSeconds);
                }

                times[i][run] = works[i]();
            }
        }

        return [.. times.Select(t => new Times(t))];
    }

    private static double Warm(Func<double> work, double seconds)
    {
        double first = work(), spent = first;
        while (first < Short && spent < seconds) spent += work();
        return first;
    }

    public static Func<double> Timed(Action work) => () => Once(work);

    public static double Once(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}

/// <summary>Seconds of one piece of work, run by run.</summary>
internal sealed record Times(double[] Seconds)
{
    public double Median => MedianOf(Seconds);

    /// <summary>Interquartile range over median.</summary>
    public double Spread
    {
        get
        {
            var sorted = Seconds.Order().ToArray();
            return (sorted[sorted.Length * 3 / 4] - sorted[sorted.Length / 4]) / Median;
        }
    }

    /// <summary>How many times faster this is than another, each run against the same turn of the other.</summary>
    public double FasterThan(Times other) => MedianOf([.. Seconds.Zip(other.Seconds, (mine, its) => its / mine)]);

    public static double MedianOf(double[] numbers) => numbers.Order().ElementAt(numbers.Length / 2);
}
