using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>
/// Open SAEs shared by everything in the process. One opening at a time per SAE; what is in use is never closed; what is not in use
/// is closed, longest unused first, when the open files together are larger than the budget. Files count whole although they
/// are mapped: that is what they may keep resident.
/// </summary>
internal sealed class SaeCache(long budget)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Path, int Layer, Site Site), Entry> _entries = [];
    private long _clock;

    /// <summary>Open SAEs and the bytes of their files.</summary>
    public (int Count, long Bytes) Held
    {
        get
        {
            lock (_lock) return (_entries.Count, _entries.Values.Sum(e => e.Stamp.Bytes));
        }
    }

    /// <summary>The SAE, open until the lease is disposed. Files that changed since they were opened are opened anew.</summary>
    public SaeLease Lease(PackSae sae, FileStamp stamp)
    {
        var key = (sae.Path, sae.Layer, sae.Site);
        Entry entry;
        Sae? outdated = null;
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var known) && known.Stamp.Text != stamp.Text)
            {
                _entries.Remove(key);
                outdated = known.Retire();
                known = null;
            }

            entry = known ?? (_entries[key] = new Entry(stamp));
            entry.Leases++;
            entry.LastUsed = ++_clock;
        }

        outdated?.Dispose();
        try
        {
            var lease = new SaeLease(entry.Open(sae), entry, this);
            Close(Surplus());
            return lease;
        }
        catch
        {
            lock (_lock)
            {
                if (_entries.TryGetValue(key, out var known) && known == entry) _entries.Remove(key);
                entry.Leases--;
            }

            throw;
        }
    }

    /// <summary>Forgets all; what is in use closes when its last lease ends.</summary>
    public void Clear()
    {
        List<Sae?> closing;
        lock (_lock)
        {
            closing = [.. _entries.Values.Select(e => e.Retire())];
            _entries.Clear();
        }

        Close(closing);
    }

    /// <summary>A second lease of an SAE that is leased.</summary>
    internal SaeLease Again(Entry entry, Sae sae)
    {
        lock (_lock) entry.Leases++;
        return new SaeLease(sae, entry, this);
    }

    internal void Release(Entry entry)
    {
        Sae? closing = null;
        lock (_lock)
        {
            if (--entry.Leases == 0 && entry.Retired) closing = entry.Retire();
        }

        closing?.Dispose();
        Close(Surplus());
    }

    private static void Close(List<Sae?> saes)
    {
        foreach (var sae in saes) sae?.Dispose();
    }

    private List<Sae?> Surplus()
    {
        var closing = new List<Sae?>();
        lock (_lock)
        {
            var bytes = _entries.Values.Sum(e => e.Stamp.Bytes);
            foreach (var (key, entry) in _entries.Where(e => e.Value.Leases == 0).OrderBy(e => e.Value.LastUsed).ToArray())
            {
                if (bytes <= budget) break;
                _entries.Remove(key);
                bytes -= entry.Stamp.Bytes;
                closing.Add(entry.Retire());
            }
        }

        return closing;
    }

    /// <summary>One SAE of the cache; all but <see cref="Open"/> under the cache's lock.</summary>
    internal sealed class Entry(FileStamp stamp)
    {
        private readonly Lock _opening = new();
        private Sae? _sae;
        private Task? _ready;

        public FileStamp Stamp => stamp;

        public int Leases { get; set; }

        public long LastUsed { get; set; }

        public bool Retired { get; private set; }

        /// <summary>Given to somebody who holds it without a lease: closed by the garbage collector, not by us.</summary>
        public bool HandedOut { get; set; }

        public Sae Open(PackSae sae)
        {
            lock (_opening) return _sae ??= Sae.Open(sae.Path, sae.Site, sae.Layer);
        }

        /// <summary>See <see cref="SaeLease.Prepare"/>; the work holds a lease of its own.</summary>
        public Task Prepare(Func<SaeLease> lease)
        {
            lock (_opening)
            {
                if (_ready is not null) return _ready;
                var held = lease();
                return _ready = Task.Run(() =>
                {
                    using (held) DecoderRows.Touch(held.Sae);
                });
            }
        }

        /// <summary>Takes it out of service; returns the SAE when it can be closed now.</summary>
        public Sae? Retire()
        {
            Retired = true;
            if (Leases > 0) return null;
            var closing = HandedOut ? null : _sae;
            _sae = null;
            return closing;
        }
    }
}
