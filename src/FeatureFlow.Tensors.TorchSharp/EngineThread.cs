using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// The one thread that speaks to libtorch: one pool of its threads, one current stream, dispose scopes that never cross. Callers wait until their call is submitted; a
/// card goes on computing behind it.
/// </summary>
internal sealed class EngineThread : IDisposable
{
    private readonly BlockingCollection<Call> _calls = [];
    private readonly Thread _thread;

    public EngineThread()
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "FeatureFlow torch engine" };
        _thread.Start();
    }

    /// <summary>Runs the work there and waits for it. Every tensor that it makes and does not detach is given back at its end.</summary>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public void Run(Action work)
    {
        if (Thread.CurrentThread == _thread)
        {
            work();
            return;
        }

        var call = new Call(work);
        try
        {
            _calls.Add(call);
        }
        catch (InvalidOperationException)
        {
            throw new ObjectDisposedException(nameof(TorchEngine));
        }

        call.Wait();
    }

    /// <summary>Runs it after what was asked for before; nobody waits, and it must not fail. Without effect once the engine is disposed.</summary>
    public void Post(Action work)
    {
        try
        {
            _calls.Add(new Call(work));
        }
        catch (InvalidOperationException)
        {
            // what is left is freed by its finalizer
        }
    }

    public void Dispose()
    {
        _calls.CompleteAdding();
        if (Thread.CurrentThread != _thread) _thread.Join();
    }

    private void Work()
    {
        foreach (var call in _calls.GetConsumingEnumerable()) call.Do();
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
                _failure = ExceptionDispatchInfo.Capture(TensorErrors.Libtorch(e));
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

        public void Wait()
        {
            // most calls are submitted within microseconds
            var spin = default(SpinWait);
            while (!_done && !spin.NextSpinWillYield) spin.SpinOnce();
            lock (_lock)
            {
                while (!_done) Monitor.Wait(_lock);
            }

            _failure?.Throw();
        }
    }
}
