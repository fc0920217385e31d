using System.Diagnostics;
using System.Globalization;

namespace FeatureFlow.Benchmarks;

/// <summary>Resident memory of this process, in MiB.</summary>
internal static class Memory
{
    public static double Peak
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return (Linux("VmHWM") ?? process.PeakWorkingSet64) / 1048576.0;
        }
    }

    public static double Now
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return (Linux("VmRSS") ?? process.WorkingSet64) / 1048576.0;
        }
    }

    /// <summary>How far the peak rises above what is resident at the start of some work.</summary>
    public static double Extra(Action work)
    {
        GC.Collect();
        Reset();
        var before = Now;
        work();
        return Peak - before;
    }

    private static void Reset()
    {
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // the peak then is that of the whole process
        }
    }

    private static long? Linux(string key)
    {
        if (!File.Exists("/proc/self/status")) return null;
        var line = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal));
        return line is null ? null : long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) * 1024;
    }
}
