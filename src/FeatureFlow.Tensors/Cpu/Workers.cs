namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Shares out numbered pieces of work. Which thread takes which piece is left to chance; kernels are written so that it cannot matter.
/// </summary>
internal sealed class Workers(int threads)
{
    public int Threads { get; } = threads;

    /// <summary>Runs every piece once; stops early when cancelled, then throws.</summary>
    public void Run(int pieces, CancellationToken cancel, Action<int> work)
    {
        cancel.ThrowIfCancellationRequested();
        var helpers = Math.Min(Threads, pieces);
        if (helpers <= 1)
        {
            for (var i = 0; i < pieces; i++)
            {
                cancel.ThrowIfCancellationRequested();
                work(i);
            }

            return;
        }

        var next = -1;
        Exception? failure = null;
        Parallel.For(0, helpers, new ParallelOptions { MaxDegreeOfParallelism = helpers }, _ =>
        {
            int i;
            while (!cancel.IsCancellationRequested && Volatile.Read(ref failure) is null && (i = Interlocked.Increment(ref next)) < pieces)
            {
                try
                {
                    work(i);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref failure, e, null);
                }
            }
        });
        if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        cancel.ThrowIfCancellationRequested();
    }
}
