using System.Management.Automation;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Carries progress from the working threads to the pipeline thread, which shows it at most five times a second and not at all for short work.</summary>
internal sealed class ProgressFeed(int activityId, string activity, Action<ProgressRecord> write, TimeProvider clock) : IProgress<FlowProgress>
{
    private const int FirstAfterMs = 500;
    private const int EveryMs = 200;
    private readonly Lock _lock = new();
    private FlowProgress? _latest;
    private readonly long _begun = clock.GetTimestamp();
    private long? _shown;

    /// <summary>From any thread.</summary>
    public void Report(FlowProgress value)
    {
        lock (_lock) _latest = value;
    }

    /// <summary>On the pipeline thread: shows what is new.</summary>
    public void Show()
    {
        var (since, wait) = _shown is { } shown ? (shown, EveryMs) : (_begun, FirstAfterMs);
        if (clock.GetElapsedTime(since).TotalMilliseconds < wait) return;
        FlowProgress? latest;
        lock (_lock) (latest, _latest) = (_latest, null);
        if (latest is not { } progress) return;
        _shown = clock.GetTimestamp();
        write(new ProgressRecord(activityId, activity, progress.Stage) { PercentComplete = progress.Done < 0 ? -1 : (int)Math.Min(100 * progress.Done, 100) });
    }

    /// <summary>On the pipeline thread: takes the bar away.</summary>
    public void End()
    {
        if (_shown is not null) write(new ProgressRecord(activityId, activity, "done") { RecordType = ProgressRecordType.Completed });
        _shown = null;
    }
}
