using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Page-aligned working memory of kernels, kept between calls up to a limit, so that a call allocates nothing and clears nothing.</summary>
internal sealed unsafe class Scratch : IDisposable
{
    private const long KeptBytes = 48L << 20;
    private const nuint Page = 4096;

    private readonly ConcurrentBag<Block> _free = [];
    private long _kept;

    /// <summary>At least this many floats, not cleared; dispose the block to hand it back.</summary>
    public Block Rent(long floats)
    {
        var bytes = Math.Max(4096, floats * sizeof(float));
        // a few tries suffice: the sizes that one engine asks for are few
        for (var tries = 0; tries < 8 && _free.TryTake(out var block); tries++)
        {
            Interlocked.Add(ref _kept, -block.Bytes);
            if (block.Bytes >= bytes && block.Bytes <= 4 * bytes) return block;
            block.Free();
        }

        return new Block(this, bytes);
    }

    public void Dispose()
    {
        while (_free.TryTake(out var block)) block.Free();
    }

    private void Return(Block block)
    {
        if (Interlocked.Add(ref _kept, block.Bytes) <= KeptBytes)
        {
            _free.Add(block);
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
