using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>An SAE of the shared engine, open until this is disposed, whatever the cache does meanwhile.</summary>
public sealed class SaeLease : IDisposable
{
    private readonly SaeCache.Entry _entry;
    private readonly SaeCache _cache;
    private int _ended;

    internal SaeLease(Sae sae, SaeCache.Entry entry, SaeCache cache)
    {
        Sae = sae;
        _entry = entry;
        _cache = cache;
    }

    /// <summary>The SAE. Its tensors are views of files: not to be used after the lease.</summary>
    public Sae Sae { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0) _cache.Release(_entry);
    }

    /// <summary>
    /// Brings the decoder into memory on another thread, once per opened SAE. First use of weights verifies them, which takes as long
    /// as reading them: this way it overlaps with other work, and a cancelled caller need not wait for its end.
    /// </summary>
    internal Task Prepare() => _entry.Prepare(() => _cache.Again(_entry, Sae));

    /// <summary>Makes the SAE safe to hold without the lease: eviction will drop it instead of closing it.</summary>
    internal Sae HandOut()
    {
        _entry.HandedOut = true;
        return Sae;
    }
}
