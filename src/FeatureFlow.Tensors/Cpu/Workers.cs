using System.Runtime.ExceptionServices;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Shares out numbered pieces of work between the calling thread and helpers. Which thread takes which piece is left to chance; kernels are
/// written so that it cannot matter.
/// </summary>
internal sealed class Workers(int threads)
{
    [ThreadStatic]
    private static int s_alone;

    /// <summary>Threads that it was made for.</summary>
    public int Count => threads;

    /// <summary>Threads that share work; 1 while the calling thread computes alone.</summary>
    public int Threads => s_alone > 0 ? 1 : threads;

    /// <summary>Until disposed, the calling thread does all of its work itself.</summary>
    public static IDisposable Alone()
    {
        s_alone++;
        return new Solitude();
    }

    /// <summary>Runs every piece once; stops early when cancelled, then throws.</summary>
    public void Run(int pieces, CancellationToken cancel, Action<int> work)
    {
        cancel.ThrowIfCancellationRequested();
        var helpers = Math.Min(Threads, pieces) - 1;
        if (helpers <= 0)
        {
            for (var i = 0; i < pieces; i++)
            {
                work(i);
                if (i + 1 < pieces) cancel.ThrowIfCancellationRequested();
            }

            return;
        }

        var job = new Job(pieces, helpers, work, cancel);
        Helpers.Offer(job);
        job.Work();
        Helpers.Withdraw(job);
        job.Finish();
    }

    private sealed class Solitude : IDisposable
    {
        private bool _over;

        public void Dispose()
        {
            if (_over) return;
            _over = true;
            s_alone--;
        }
    }

    /// <summary>Numbered pieces and who is at them.</summary>
    private sealed class Job(int pieces, int helpers, Action<int> work, CancellationToken cancel)
    {
        private int _next = -1;
        private int _joined;
        private int _active;
        private Exception? _failure;

        public int HelpersWanted => helpers;

        public bool HasRoom => Volatile.Read(ref _next) < pieces - 1 && Volatile.Read(ref _joined) < helpers;

        public bool Help()
        {
            if (!HasRoom || Interlocked.Increment(ref _joined) > helpers) return false;
            Interlocked.Increment(ref _active);
            Work();
            Interlocked.Decrement(ref _active);
            return true;
        }

        public void Work()
        {
            int piece;
            while (!cancel.IsCancellationRequested && (piece = Interlocked.Increment(ref _next)) < pieces)
            {
                try
                {
                    work(piece);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref _failure, e, null);
                    Volatile.Write(ref _next, pieces);
                }
            }
        }

        // who joins from now on finds no piece: the caller has taken the last one, or failed, or was cancelled
        public void Finish()
        {
            var spin = new SpinWait();
            while (Volatile.Read(ref _active) != 0) spin.SpinOnce(sleep1Threshold: -1);
            if (_failure is not null) ExceptionDispatchInfo.Throw(_failure);
            cancel.ThrowIfCancellationRequested();
        }
    }

    /// <summary>
    /// The helping threads of the process. They look for the next job for a moment before they sleep, because jobs of a model follow each other within
    /// microseconds and waking a thread costs tens of them; a caller never waits for a helper that has not begun.
    /// </summary>
    private static class Helpers
    {
        private const long LookingMicroseconds = 100;

        private static readonly Lock Gate = new();
        private static readonly SemaphoreSlim Bell = new(0);
        private static volatile Job[] _jobs = [];
        private static int _threads;
        private static int _asleep;

        public static void Offer(Job job)
        {
            lock (Gate)
            {
                _jobs = [.. _jobs, job];
                for (; _threads < job.HelpersWanted; _threads++)
                    new Thread(Help) { IsBackground = true, Name = "FeatureFlow helper" }.Start();
            }

            Interlocked.MemoryBarrier();
            for (var i = 0; i < job.HelpersWanted && Roused(); i++) Bell.Release();
        }

        public static void Withdraw(Job job)
        {
            lock (Gate) _jobs = [.. _jobs.Where(j => j != job)];
        }

        private static void Help()
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            while (true)
            {
                if (HelpOne())
                {
                    clock.Restart();
                    continue;
                }

                if (clock.Elapsed.TotalMicroseconds < LookingMicroseconds)
                {
                    Thread.SpinWait(20);
                    continue;
                }

                Interlocked.Increment(ref _asleep);
                // a job offered before the count went up rang for nobody
                if (!Array.Exists(_jobs, j => j.HasRoom) || !Roused()) Bell.Wait();
                clock.Restart();
            }
        }

        private static bool HelpOne()
        {
            foreach (var job in _jobs)
            {
                if (job.Help()) return true;
            }

            return false;
        }

        // takes one sleeper off the count: whoever succeeds owes it a ring, or is it
        private static bool Roused()
        {
            int asleep;
            while ((asleep = Volatile.Read(ref _asleep)) > 0)
            {
                if (Interlocked.CompareExchange(ref _asleep, asleep - 1, asleep) == asleep) return true;
            }

            return false;
        }
    }
}
