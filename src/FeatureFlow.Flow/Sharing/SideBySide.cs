using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace FeatureFlow.Flow;

/// <summary>Sequences that are computed side by side, each on a thread of its own, and read as one.</summary>
internal static class SideBySide
{
    /// <summary>What the sequences bring, as it comes; their order among each other is left to chance.</summary>
    /// <param name="count">How many sequences.</param>
    /// <param name="sequence">Makes a sequence, on its own thread; its token ends it early.</param>
    /// <param name="ahead">How far they run ahead of the reader, in results.</param>
    /// <param name="cancel">Ends all.</param>
    public static IEnumerable<T> Run<T>(int count, Func<int, CancellationToken, IEnumerable<T>> sequence, int ahead, CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var results = new BlockingCollection<T>(ahead);
        Exception? failure = null;
        var left = count;
        var threads = new Thread[count];
        for (var i = 0; i < count; i++)
        {
            var number = i;
            threads[i] = new Thread(() => Work(number)) { IsBackground = true, Name = $"FeatureFlow lane {i}" };
        }

        try
        {
            foreach (var thread in threads) thread.Start();
            foreach (var result in results.GetConsumingEnumerable(CancellationToken.None)) yield return result;
        }
        finally
        {
            // a reader that had enough, too
            stop.Cancel();
            foreach (var thread in threads) thread.Join();
        }

        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
        cancel.ThrowIfCancellationRequested();

        void Work(int number)
        {
            try
            {
                foreach (var result in sequence(number, stop.Token)) results.Add(result, stop.Token);
            }
            catch (Exception e)
            {
                // what the others say when they are stopped is no news
                if (e is not OperationCanceledException || !stop.IsCancellationRequested) Interlocked.CompareExchange(ref failure, e, null);
                stop.Cancel();
            }
            finally
            {
                if (Interlocked.Decrement(ref left) == 0) results.CompleteAdding();
            }
        }
    }
}
