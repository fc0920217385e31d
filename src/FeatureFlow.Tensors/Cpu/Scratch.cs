using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Page-aligned working memory of kernels, kept between calls up to a limit, so that a call allocates nothing and clears nothing.</summary>
internal sealed unsafe class Scratch : IDisposable
{
    private const long KeptBytes = 48L << 20;
    private const nuint Page = 4096;

    // by size: what one kernel gives back must not stand in the way of another's
    private readonly ConcurrentBag<Block>[] _free = [.. Enumerable.Range(0, 64).Select(_ => new ConcurrentBag<Block>())];
    private long _kept;

    /// <summary>At least this many floats, not cleared; dispose the block to hand it back.</summary>
    public Block Rent(long floats)
    {
        var bytes = Math.Max(4096, floats * sizeof(float));
        var size = Size(bytes);
        if (!_free[size].TryTake(out var block)) return new Block(this, 1L << size);
        Interlocked.Add(ref _kept, -block.Bytes);
        return block;
    }

    public void Dispose()
    {
        foreach (var of in _free)
        {
            while (of.TryTake(out var block)) block.Free();
        }
    }

    // exponent of the power of two that holds it
    private static int Size(long bytes) => 64 - BitOperations.LeadingZeroCount((ulong)(bytes - 1));

    private void Return(Block block)
    {
        if (Interlocked.Add(ref _kept, block.Bytes) <= KeptBytes)
        {
            _free[Size(block.Bytes)].Add(block);
            return;
        }

        Interlocked.Add(ref _kept, -block.Bytes);
        block.Free();
    }

    internal sealed class Block : IDisposable
    {
        private readonly Scratch _owner;

        public Block(Scratch owner, long bytes)
        {
            _owner = owner;
            Bytes = bytes;
            Floats = (float*)NativeMemory.AlignedAlloc((nuint)bytes, Page);
        }

        ~Block() => Free();

        public long Bytes { get; }

        public float* Floats { get; private set; }

        public void Dispose() => _owner.Return(this);

        public void Free()
        {
            if (Floats == null) return;
            NativeMemory.AlignedFree(Floats);
            Floats = null;
            GC.SuppressFinalize(this);
        }
    }
}
