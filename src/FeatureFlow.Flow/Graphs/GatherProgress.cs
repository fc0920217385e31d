namespace FeatureFlow.Flow;

/// <summary>
/// Progress over the levels of a gathering. How far a graph will reach is not known beforehand: the share is that of a graph that
/// is never cut, and jumps to the end when it is.
/// </summary>
internal sealed class GatherProgress(IProgress<FlowProgress>? target, int steps, double start = 0)
{
    private int _step;

    /// <summary>Begins the next reading; the returned progress is within it.</summary>
    public IProgress<double>? Step(Place keys)
    {
        var from = Math.Min(1, start + ((double)_step++ / Math.Max(1, steps)));
        target?.Report(new FlowProgress($"matching in {keys}", from));
        return target is null ? null : new Within(target, $"matching in {keys}", from, 1.0 / Math.Max(1, steps));
    }

    private sealed class Within(IProgress<FlowProgress> target, string stage, double from, double width) : IProgress<double>
    {
        public void Report(double value) => target.Report(new FlowProgress(stage, Math.Min(1, from + (width * value))));
    }
}
