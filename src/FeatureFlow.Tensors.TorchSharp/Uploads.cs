using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// Weights on the device: uploaded when first used, kept up to a budget, the least recently used given back first. Only memory that never changes is kept (mapped
/// files, and what was sealed). Lives on the engine's thread.
/// </summary>
internal sealed class Uploads(Transfers transfers, long budget, Action<long>? before = null)
{
    private readonly ConditionalWeakTable<object, List<Entry>> _byMemory = [];
    private readonly LinkedList<Entry> _byUse = [];
    private bool _widens = true;

    /// <summary>Bytes that may be held.</summary>
    public long Budget { get; } = budget;

    /// <summary>Bytes held.</summary>
    public long Held { get; private set; }

    /// <summary>Pieces held.</summary>
    public int Count => _byUse.Count;

    /// <summary>How often one was given back to make room.</summary>
    public long Evictions { get; private set; }

    /// <summary>
    /// A constant host tensor as a view on the device: in float32, if that is to be kept and there is room for it, else in its stored type or whatever is there; the values are the
    /// same. The view is of the caller's dispose scope.
    /// </summary>
    public TorchTensor View(Tensor host, bool widened)
    {
        var storage = (HostStorage)host.Storage;
        int size = host.DType.Size();
        var elements = Elements(host);
        if (elements == 0) return Torch.zeros(Shape(host), host.DType.Scalar(), transfers.Device);
        var (memory, address) = storage.Identity;
        var start = address + host.ByteOffset;
        if (!storage.IsConstant) return Upload(host, elements).as_strided(Shape(host), host.Strides.ToArray());
        widened &= host.DType != DType.F32 && _widens;
        var entries = _byMemory.GetOrCreateValue(memory);
        Entry? wide = null, narrow = null;
        foreach (var entry in entries.Where(e => e.Covers(start, elements, host.DType))) _ = entry.Widened ? wide = entry : narrow = entry;
        var found = wide ?? narrow;
        if (found is null)
        {
            var flat = Upload(host, elements);
            if (!MakeRoom(elements * (widened ? sizeof(float) : size), elements * size, ref widened)) return flat.as_strided(Shape(host), host.Strides.ToArray());
            found = Keep(new Entry(memory, start, elements, host.DType, widened, widened ? flat.to(ScalarType.Float32) : flat));
        }
        else if (widened && wide is null && Held + elements * sizeof(float) <= Budget)
        {
            // met first by an operation that takes any type, as embeddings are
            found = Keep(new Entry(memory, start, elements, host.DType, widened: true, narrow!.Flat.narrow(0, (start - narrow.Start) / size, elements).to(ScalarType.Float32)));
            if (narrow.Bytes == elements * size) Drop(narrow);
        }
        else
        {
            _byUse.Remove(found.Node);
            _byUse.AddLast(found.Node);
        }

        return found.Flat.as_strided(Shape(host), host.Strides.ToArray(), (start - found.Start) / size);
    }

    /// <summary>Whether all of it is there in its stored type.</summary>
    public bool Holds(Tensor host)
    {
        var storage = (HostStorage)host.Storage;
        var (memory, address) = storage.Identity;
        return _byMemory.TryGetValue(memory, out var entries) && entries.Exists(e => e.Covers(address + host.ByteOffset, Elements(host), host.DType));
    }

    /// <summary>Makes room for dense constant memory that is about to come; false where it is not to be kept.</summary>
    public bool Room(Tensor host)
    {
        var (bytes, widened) = (host.Count * host.DType.Size(), false);
        return ((HostStorage)host.Storage).IsConstant && host.IsContiguous && MakeRoom(bytes, bytes, ref widened);
    }

    /// <summary>Keeps what has come.</summary>
    public void Adopt(Tensor host, TorchTensor flat)
    {
        var (memory, address) = ((HostStorage)host.Storage).Identity;
        if (!Holds(host) && Room(host)) Keep(new Entry(memory, address + host.ByteOffset, host.Count, host.DType, widened: false, flat.alias()));
    }

    /// <summary>Gives back what belongs to memory that is gone.</summary>
    public void Sweep()
    {
        foreach (var dead in _byUse.Where(e => !e.IsAlive).ToList()) Drop(dead);
    }

    /// <summary>Gives everything back.</summary>
    public void Clear()
    {
        while (_byUse.First is { } oldest) Drop(oldest.Value);
        _widens = true;
    }

    // where there is no room although the budget says so, others go: one tensor is asked for less than all of them
    private TorchTensor Upload(Tensor host, long elements)
    {
        while (true)
        {
            try
            {
                before?.Invoke(elements * host.DType.Size());
                return transfers.Upload(host, elements);
            }
            catch (ExternalException e) when (TorchEngine.IsShortage(e) && Count > 0)
            {
                for (var n = (Count + 1) / 2; n > 0; n--)
                {
                    Drop(_byUse.First!.Value);
                    Evictions++;
                }
            }
        }
    }

    // False when it is too large to be kept at all. Wide copies go first: they can be had again from narrow ones.
    private bool MakeRoom(long bytes, long narrowBytes, ref bool widened)
    {
        Sweep();
        if (widened && Held + bytes > Budget) (widened, bytes, _widens) = (false, narrowBytes, false);
        if (bytes > Budget) return false;
        if (Held + bytes <= Budget) return true;
        foreach (var wide in _byUse.Where(e => e.Widened).ToList())
        {
            if (Held + bytes <= Budget) return true;
            Drop(wide);
            Evictions++;
        }

        while (Held + bytes > Budget && _byUse.First is { } oldest)
        {
            Drop(oldest.Value);
            Evictions++;
        }

        return true;
    }

    private Entry Keep(Entry entry)
    {
        entry.Flat.DetachFromDisposeScope();
        _byMemory.GetOrCreateValue(entry.Memory!).Add(entry);
        _byUse.AddLast(entry.Node);
        Held += entry.Bytes;
        return entry;
    }

    private void Drop(Entry entry)
    {
        _byUse.Remove(entry.Node);
        if (entry.Memory is { } memory && _byMemory.TryGetValue(memory, out var entries)) entries.Remove(entry);
        Held -= entry.Bytes;
        entry.Flat.Dispose();
    }

    // from the first element of the view to its last
    private static long Elements(Tensor host)
    {
        long last = 0;
        for (var i = 0; i < host.Rank; i++)
        {
            if (host.Shape[i] == 0) return 0;
            last += (host.Shape[i] - 1) * host.Strides[i];
        }

        return last + 1;
    }

    private static long[] Shape(Tensor host) => Array.ConvertAll(host.Shape.ToArray(), i => (long)i);

    private sealed class Entry
    {
        private readonly WeakReference<object> _memory;
        private readonly DType _type;
        private readonly long _end;

        public Entry(object memory, long start, long elements, DType type, bool widened, TorchTensor flat)
        {
            _memory = new WeakReference<object>(memory);
            _type = type;
            _end = start + elements * type.Size();
            Start = start;
            Widened = widened;
            Flat = flat;
            Bytes = elements * (widened ? sizeof(float) : type.Size());
            Node = new LinkedListNode<Entry>(this);
        }

        public long Start { get; }

        public bool Widened { get; }

        public TorchTensor Flat { get; }

        public long Bytes { get; }

        public LinkedListNode<Entry> Node { get; }

        public object? Memory => _memory.TryGetTarget(out var memory) ? memory : null;

        /// <summary>False once the memory is gone, or its file closed.</summary>
        public bool IsAlive => Memory is not (null or SafeHandle { IsClosed: true });

        public bool Covers(long start, long elements, DType type) =>
            type == _type && start >= Start && start + elements * _type.Size() <= _end && (start - Start) % _type.Size() == 0;
    }
}
