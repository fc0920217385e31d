using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Benchmarks;

/// <summary>The least time in which a mapped file can be looked at once: vectors are combined and nothing else is done.</summary>
internal sealed unsafe class Reading : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private readonly long _length;

    public Reading(string path)
    {
        _length = new FileInfo(path).Length;
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    /// <summary>Seconds on so many threads.</summary>
    public double Seconds(int threads)
    {
        var begun = Stopwatch.GetTimestamp();
        const long piece = 4 << 20;
        var next = -1L;
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(() =>
        {
            for (long i; (i = Interlocked.Increment(ref next) * piece) < _length;) Keep(Combine(_start + i, Math.Min(piece, _length - i)));
        })).ToArray();
        foreach (var worker in workers) worker.Start();
        foreach (var worker in workers) worker.Join();
        return Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Combine(byte* p, long n)
    {
        Vector512<long> a = Vector512<long>.Zero, b = a, c = a, d = a;
        for (; n >= 256; n -= 256, p += 256)
        {
            a ^= Vector512.Load((long*)p);
            b ^= Vector512.Load((long*)(p + 64));
            c ^= Vector512.Load((long*)(p + 128));
            d ^= Vector512.Load((long*)(p + 192));
        }

        return Vector512.Sum(a ^ b ^ c ^ d);
    }

    // so that the work is not left out
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Keep(long value) => GC.KeepAlive(value);
}
