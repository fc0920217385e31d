using System.Globalization;

namespace FeatureFlow.Experiments;

/// <summary>One of several equal shares of a run: unit i belongs to shard i mod <paramref name="Count"/>.</summary>
/// <param name="Index">Which, from 0.</param>
/// <param name="Count">Of how many.</param>
public readonly record struct Shard(int Index, int Count)
{
    /// <summary>All of it.</summary>
    public static Shard Whole { get; } = new(0, 1);

    /// <summary>Reads <c>i/N</c>, counted from 0, or <c>auto</c>: the array variables of Slurm or Kubernetes.</summary>
    /// <exception cref="FeatureFlowException">FF5031: not of that form, or no such variables.</exception>
    public static Shard Parse(string text)
    {
        if (text == "auto") return FromEnvironment() ?? throw ExperimentErrors.BadShard(text, "neither SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT nor JOB_COMPLETION_INDEX and JOB_COMPLETIONS are set.");
        var parts = text.Split('/');
        return parts.Length == 2 && Number(parts[0], out var index) && Number(parts[1], out var count) && count > 0 && index < count
            ? new Shard(index, count)
            : throw ExperimentErrors.BadShard(text, "write i/N with i from 0 to N-1, as in 0/4, or auto.");
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}/{Count}");

    private static Shard? FromEnvironment()
    {
        foreach (var (index, count, low) in new[] { ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"), ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", "") })
        {
            if (!Number(Environment.GetEnvironmentVariable(index), out var i) || !Number(Environment.GetEnvironmentVariable(count), out var n)) continue;
            var first = low.Length > 0 && Number(Environment.GetEnvironmentVariable(low), out var m) ? m : 0;
            if (i >= first && i - first < n) return new Shard(i - first, n);
        }

        return null;
    }

    private static bool Number(string? text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
