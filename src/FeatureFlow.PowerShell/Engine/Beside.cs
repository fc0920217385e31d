using System.Collections.Concurrent;

namespace FeatureFlow.PowerShell;

/// <summary>
/// Runs engine work beside the pipeline thread. The pipeline thread alone may talk to PowerShell, and must notice Ctrl+C at once even
/// while a slow disk is being read; so it only waits, for the next result, for the stop, or for the moment to show progress.
/// </summary>
internal static class Beside
{
    /// <summary>Results that the work may be ahead of the pipeline.</summary>
    private const int Ahead = 64;

    private const int GlanceMs = 100;

    /// <summary>The results of some work, one after the other as they come.</summary>
    /// <param name="work">What to do, told by its token when nobody waits any more.</param>
    /// <param name="glance">Called on the pipeline thread, several times a second.</param>
    /// <param name="stop">Ctrl+C.</param>
    /// <exception cref="OperationCanceledException">Stopped. Work that does not listen ends by itself, unheard.</exception>
    public static IEnumerable<T> Stream<T>(Func<CancellationToken, IEnumerable<T>> work, Action glance, CancellationToken stop)
    {
        var results = new BlockingCollection<T>(Ahead);
        var cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var token = cancel.Token;
        // a thread of its own: it begins at once however busy the pool is, and may wait for the pipeline as long as it likes
        var task = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    foreach (var result in work(token)) results.Add(result, token);
                }
                finally
                {
                    results.CompleteAdding();
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        try
        {
            while (!results.IsCompleted)
            {
                if (results.TryTake(out var result, GlanceMs, stop)) yield return result;
                glance();
            }

            task.GetAwaiter().GetResult(); // its failure, if it failed
        }
        finally
        {
            // whoever reads on may have had enough (Select-Object -First); the work then ends at its next look at the token
            cancel.Cancel();
            task.ContinueWith(
                ended =>
                {
                    _ = ended.Exception;
                    cancel.Dispose();
                    results.Dispose();
                },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    /// <summary>One result.</summary>
    public static T Run<T>(Func<CancellationToken, T> work, Action glance, CancellationToken stop)
    {
        // read to the end: the failure of the work comes after its results
        var results = new List<T>(Stream<T>(token => [work(token)], glance, stop));
        return results[0];
    }
}
