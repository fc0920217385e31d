using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// The one engine that all commands and cmdlets of a process share: the tensor engine, the opened packs, the open SAEs and models. Safe for
/// several threads and runspaces at once; <see cref="Clear"/> and <see cref="Dispose"/> are safe while calls are in flight.
/// </summary>
public sealed class FlowEngine : IDisposable
{
    private const int PacksKept = 8;
    private static readonly Lock Sharing = new();
    private static readonly Dictionary<EngineRequest, ITensorEngine> Opened = [];
    private static EngineRequest? s_request;
    private static FlowEngine? s_shared;
    private static Action<string>? s_warn;

    private readonly Lock _lock = new();
    private readonly List<OpenedPack> _packs = [];
    private readonly SaeCache _saes;
    private readonly ModelCache _models;
    private bool _closed;

    /// <summary>An engine of its own, for hosts that want one beside the shared one. The tensor engine stays its owner's to dispose.</summary>
    /// <param name="tensors">Who computes.</param>
    /// <param name="saeBudget">Bytes of SAE files kept open when unused; 0 for a quarter of the memory.</param>
    public FlowEngine(ITensorEngine tensors, long saeBudget = 0)
    {
        Tensors = tensors;
        SaeBudget = saeBudget > 0 ? saeBudget : Math.Max(1L << 30, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);
        _saes = new SaeCache(SaeBudget);
        _models = new ModelCache(tensors);
    }

    /// <summary>The shared engine, made on first use with the tensor engine that was asked for (<see cref="Use"/>, <see cref="EngineRequest.Default"/>).</summary>
    /// <exception cref="FeatureFlowException">FF1021-FF1023: the tensor engine that was asked for cannot be had.</exception>
    public static FlowEngine Shared
    {
        get
        {
            lock (Sharing)
            {
                if (s_shared is { } made) return made;
                s_request ??= EngineRequest.Default;
                if (!Opened.TryGetValue(s_request, out var tensors)) Opened[s_request] = tensors = s_request.Open(s_warn);
                return s_shared = new FlowEngine(tensors);
            }
        }
    }

    /// <summary>
    /// Asks for a tensor engine. Where it differs from the one in use, the shared engine is made anew when next asked for; calls in flight end on the old one, which
    /// gives back the weights that it keeps on a device.
    /// </summary>
    /// <param name="request">Which engine, on which device.</param>
    /// <param name="warn">Told once when auto has to do with less than was installed.</param>
    public static void Use(EngineRequest request, Action<string>? warn = null)
    {
        FlowEngine? old;
        lock (Sharing)
        {
            s_warn = warn;
            if (request == (s_request ??= EngineRequest.Default)) return;
            (s_request, old, s_shared) = (request, s_shared, null);
        }

        old?.Dispose();
    }

    /// <summary>Who computes.</summary>
    public ITensorEngine Tensors { get; }

    /// <summary>Bytes of SAE files kept open when unused.</summary>
    public long SaeBudget { get; }

    /// <summary>What is held.</summary>
    public FlowEngineStatus Status
    {
        get
        {
            var (count, bytes) = _saes.Held;
            lock (_lock) return new FlowEngineStatus(Tensors.Info, Tensors.Memory, [.. _packs.Select(p => p.Pack.Source)], count, bytes, SaeBudget, _models.Folders);
        }
    }

    /// <summary>Opens a pack whose descriptions are already read.</summary>
    public OpenedPack Open(Pack pack, FeatureDescriptions descriptions) => Open(pack, () => descriptions);

    /// <summary>
    /// Opens a pack, or gives back the one opened before: same source, same SAEs, and all files (descriptions and flow index too) as
    /// they were. Reads no weights. <paramref name="descriptions"/> is called only when the pack is opened anew.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF4030: the engine was disposed.</exception>
    public OpenedPack Open(Pack pack, Func<FeatureDescriptions> descriptions)
    {
        var stamps = pack.Saes.ToDictionary(s => new Place(s.Layer, s.Site), s => FileStamp.Of(s.Path));
        var identity = string.Join('\n', [
            pack.Source,
            pack.Name,
            .. pack.Saes.Select(s => $"{new Place(s.Layer, s.Site)} {s.Path} {s.NeuronpediaId}\n{stamps[new Place(s.Layer, s.Site)].Text}"),
            .. FlowIndexLocation.Candidates(pack).Select(f => $"{f} {FileStamp.OfFile(Path.Combine(f, FlowIndexManifest.FileName)).Text}"),
            .. pack.DescriptionFiles.Select(f => $"{f} {FileStamp.OfFile(f.Path).Text}"),
        ]);
        lock (_lock)
        {
            ObjectDisposedGuard();
            if (Known(identity) is { } known) return known;
        }

        // outside the lock: another pack must not wait for a slow disk; two openings of one pack at once are only wasteful
        var opened = new OpenedPack(this, pack, descriptions(), stamps, identity);
        lock (_lock)
        {
            ObjectDisposedGuard();
            if (Known(identity) is { } known) return known;
            _packs.RemoveAll(p => p.Pack.Source == pack.Source);
            _packs.Add(opened);
            if (_packs.Count > PacksKept) _packs.RemoveAt(0);
            return opened;
        }
    }

    /// <summary>A language model: a folder, or the id of one in the local Hugging Face cache; opened once for all who ask.</summary>
    /// <exception cref="FeatureFlowException">FF22xx: no such model, or one that does not open; FF4030: the engine was disposed.</exception>
    public ModelLease Model(string folderOrId)
    {
        lock (_lock) ObjectDisposedGuard();
        return _models.Lease(folderOrId);
    }

    /// <summary>Forgets every pack, closes every SAE and model that is not in use at this moment, and gives back the weights kept on a device.</summary>
    public void Clear()
    {
        lock (_lock) _packs.Clear();
        _models.Clear();
        _saes.Clear();
        Tensors.Trim();
    }

    /// <summary>Clears, and refuses to open anything more. Calls in flight end normally.</summary>
    public void Dispose()
    {
        lock (_lock) _closed = true;
        Clear();
    }

    internal SaeLease Lease(PackSae sae, FileStamp stamp)
    {
        lock (_lock) ObjectDisposedGuard();
        return _saes.Lease(sae, stamp);
    }

    private OpenedPack? Known(string identity)
    {
        var found = _packs.FindIndex(p => p.Identity == identity);
        if (found < 0) return null;
        var pack = _packs[found];
        _packs.RemoveAt(found);
        _packs.Add(pack); // most recently used last
        return pack;
    }

    private void ObjectDisposedGuard()
    {
        if (_closed) throw FlowErrors.Closed();
    }
}

/// <summary>What a <see cref="FlowEngine"/> holds: shown by <c>featureflow doctor</c> and <c>Get-FlowEngine</c>.</summary>
/// <param name="Engine">Who computes.</param>
/// <param name="Memory">What it keeps on its device; null where it computes in host memory.</param>
/// <param name="Packs">Sources of the opened packs, most recently used last.</param>
/// <param name="OpenSaes">Number of SAEs held open.</param>
/// <param name="OpenBytes">Bytes of their files; mapped, so resident only as far as they were read.</param>
/// <param name="SaeBudget">Bytes of files kept open when unused.</param>
/// <param name="Models">Folders of the open models, most recently used last.</param>
public sealed record FlowEngineStatus(EngineInfo Engine, EngineMemory? Memory, IReadOnlyList<string> Packs, int OpenSaes, long OpenBytes, long SaeBudget, IReadOnlyList<string> Models);
