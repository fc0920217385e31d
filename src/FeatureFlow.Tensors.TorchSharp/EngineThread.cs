using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// The one thread that speaks to libtorch: one pool of its threads, one current stream, dispose scopes that never cross. Callers wait until their call is submitted; a
/// card goes on computing behind it.
/// </summary>
internal sealed class EngineThread : IDisposable
{
    private readonly ConcurrentQueue<Call> _calls = new();
    private readonly object _lock = new();
    private readonly Thread _thread;
    private long _patience = Stopwatch.Frequency / 20_000;
    private volatile bool _asleep;
    private volatile bool _closed;

    public EngineThread()
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "FeatureFlow torch engine" };
        _thread.Start();
    }

    /// <summary>
    /// How long both sides look again before they sleep. While a model runs, calls follow one another within microseconds, and waking a thread takes longer than most of them; on a
    /// processor the cores are better left to libtorch's own threads.
    /// </summary>
    public TimeSpan Patience
    {
        set => Volatile.Write(ref _patience, (long)(value.TotalSeconds * Stopwatch.Frequency));
    }

    /// <summary>Runs the work there and waits for it. Every tensor that it makes and does not detach is given back at its end.</summary>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public void Run(Action work)
    {
        if (Thread.CurrentThread == _thread)
        {
            using var scope = Torch.NewDisposeScope(); // one of many in a turn: nothing of it stays until the turn ends
            work();
            return;
        }

        var call = new Call(work);
        ObjectDisposedException.ThrowIf(!Queue(call), typeof(TorchEngine));
        call.Wait(_patience);
    }

    /// <summary>Runs it after what was asked for before; nobody waits, and it must not fail. Without effect once the engine is disposed: what is left is freed by its finalizer.</summary>
    public void Post(Action work) => Queue(new Call(work));

    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
            Monitor.PulseAll(_lock);
        }

        if (Thread.CurrentThread != _thread) _thread.Join();
    }

    private bool Queue(Call call)
    {
        lock (_lock)
        {
            if (_closed) return false;
            _calls.Enqueue(call);
            if (_asleep) Monitor.Pulse(_lock);
        }

        return true;
    }

    private void Work()
    {
        while (true)
        {
            while (_calls.TryDequeue(out var call)) call.Do();
            if (Patiently(Volatile.Read(ref _patience), () => !_calls.IsEmpty)) continue;
            lock (_lock)
            {
                _asleep = true;
                while (_calls.IsEmpty && !_closed) Monitor.Wait(_lock);
                _asleep = false;
                if (_calls.IsEmpty) return;
            }
        }
    }

    private static bool Patiently(long patience, Func<bool> happened)
    {
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetTimestamp() - start < patience;)
        {
            if (happened()) return true;
            Thread.SpinWait(8);
        }

        return happened();
    }

    // waited for by one thread at most; without a handle of the system, so that there is nothing to give back
    private sealed class Call(Action work)
    {
        private readonly object _lock = new();
        private volatile bool _done;
        private ExceptionDispatchInfo? _failure;

        public void Do()
        {
            try
            {
                using var scope = Torch.NewDisposeScope();
                work();
            }
            catch (ExternalException e)
            {
                _failure = ExceptionDispatchInfo.Capture(TorchEngine.IsShortage(e) ? TensorErrors.Shortage(e) : TensorErrors.Libtorch(e));
            }
            catch (Exception e)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
            }

            lock (_lock)
            {
                _done = true;
                Monitor.Pulse(_lock);
            }
        }

        public void Wait(long patience)
        {
            if (!Patiently(patience, () => _done))
            {
                lock (_lock)
                {
                    while (!_done) Monitor.Wait(_lock);
                }
            }

            _failure?.Throw();
        }
    }
}
