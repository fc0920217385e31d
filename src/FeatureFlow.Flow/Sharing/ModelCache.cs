using FeatureFlow.Models;
using FeatureFlow.Models.Checkpoints;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// Open language models shared by everything in the process. What is in use is never closed; of what is not, the last few stay open. A checkpoint whose
/// files changed is opened anew.
/// </summary>
internal sealed class ModelCache(ITensorEngine engine)
{
    private const int Kept = 2;

    private readonly Lock _lock = new();
    private readonly List<Entry> _entries = [];

    /// <summary>Folders of the open models, most recently used last.</summary>
    public IReadOnlyList<string> Folders
    {
        get
        {
            lock (_lock) return [.. _entries.Select(e => e.Folder)];
        }
    }

    /// <summary>The model, open until the lease is disposed.</summary>
    public ModelLease Lease(string folderOrId)
    {
        var folder = Checkpoint.Resolve(folderOrId);
        var stamp = FileStamp.Of(folder).Text;
        lock (_lock)
        {
            var found = _entries.Find(e => e.Folder == folder && e.Stamp == stamp);
            if (found is null)
            {
                // opening reads headers only: short enough to let others wait
                found = new Entry(folder, stamp, LanguageModel.Open(folder, engine));
                Retire(e => e.Folder == folder);
            }

            _entries.Remove(found);
            _entries.Add(found);
            found.Leases++;
            var unused = _entries.Where(e => e.Leases == 0).ToList();
            Retire(e => unused.SkipLast(Kept).Contains(e));
            return new ModelLease(found.Model, () => Release(found));
        }
    }

    /// <summary>Forgets all; what is in use closes when its last lease ends.</summary>
    public void Clear()
    {
        lock (_lock) Retire(_ => true);
    }

    private void Release(Entry entry)
    {
        lock (_lock)
        {
            if (--entry.Leases == 0 && entry.Retired) entry.Model.Dispose();
        }
    }

    private void Retire(Predicate<Entry> which)
    {
        foreach (var entry in _entries.FindAll(which))
        {
            entry.Retired = true;
            if (entry.Leases == 0) entry.Model.Dispose();
            _entries.Remove(entry);
        }
    }

    private sealed class Entry(string folder, string stamp, LanguageModel model)
    {
        public string Folder => folder;

        public string Stamp => stamp;

        public LanguageModel Model => model;

        public int Leases { get; set; }

        public bool Retired { get; set; }
    }
}

/// <summary>A language model of the shared engine, open until this is disposed.</summary>
public sealed class ModelLease : IDisposable
{
    private readonly Action _release;
    private int _ended;

    internal ModelLease(LanguageModel model, Action release)
    {
        Model = model;
        _release = release;
    }

    /// <summary>The model: not to be used after the lease.</summary>
    public LanguageModel Model { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0) _release();
    }
}
