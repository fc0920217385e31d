using System.Diagnostics;

namespace FeatureFlow.Benchmarks;

/// <summary>Seconds as medians of several runs, for machines that others use too.</summary>
internal static class Timing
{
    public static double Median(int runs, Action work) => Median(runs, [work])[0];

    /// <summary>Several pieces of work in turns, so that a slow spell of the machine meets all of them.</summary>
    public static double[] Median(int runs, params Action[] works)
    {
        foreach (var work in works) work();
        var times = works.Select(_ => new List<double>()).ToArray();
        for (var run = 0; run < runs; run++)
        {
            for (var i = 0; i < works.Length; i++)
            {
                var start = Stopwatch.GetTimestamp();
                works[i]();
                times[i].Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        return [.. times.Select(t => t.Order().ElementAt(t.Count / 2))];
    }

    public static double Once(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
