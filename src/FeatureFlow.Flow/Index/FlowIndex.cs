using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// The flow index of a pack (docs/flow-index.md): the best matches of every residual feature among its neighbours, written once by
/// <c>featureflow index</c>. Used by searches and graphs as far as it goes and as far as it was made from the pack's files; gives
/// the same results as computing.
/// </summary>
public sealed class FlowIndex
{
    private readonly IReadOnlyDictionary<Place, IndexedSae> _valid;

    private FlowIndex(string folder, FlowIndexManifest manifest, IReadOnlyDictionary<Place, IndexedSae> valid, string? warning)
    {
        Folder = folder;
        Top = manifest.Top;
        Warning = warning;
        _valid = valid;
    }

    /// <summary>The folder it lies in.</summary>
    public string Folder { get; }

    /// <summary>Matches kept per feature and site.</summary>
    public int Top { get; }

    /// <summary>What is out of date, in one sentence, or null.</summary>
    public string? Warning { get; }

    /// <summary>The index of a pack, or null when there is none. Files of the pack are read only where their time has changed.</summary>
    public static FlowIndex? TryOpen(OpenedPack pack)
    {
        foreach (var folder in FlowIndexLocation.Candidates(pack.Pack))
        {
            if (FlowIndexManifest.TryRead(folder) is not { } manifest) continue;
            var valid = new Dictionary<Place, IndexedSae>();
            var stale = new List<Place>();
            foreach (var sae in manifest.Saes)
            {
                if (!pack.Stamps.TryGetValue(sae.Place, out var stamp)) continue;
                if (IsCurrent(sae, stamp)) valid[sae.Place] = sae;
                else stale.Add(sae.Place);
            }

            return new FlowIndex(folder, manifest, valid, Describe(folder, stale));
        }

        return null;
    }

    /// <summary>Writes what is missing or out of date, and leaves the rest. Safe to interrupt at any moment: a rerun goes on from there.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="top">Matches per feature and site, 1 to 1024.</param>
    /// <param name="progress">Told which part is being made.</param>
    /// <param name="cancel">Honoured within 100 ms; parts already written stay.</param>
    /// <exception cref="FeatureFlowException">FF4005: top. FF4020: another process is writing it. FF4021: it cannot be written.</exception>
    public static FlowIndexReport Build(OpenedPack pack, int top = DefaultTop, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default) =>
        new FlowIndexBuild(pack, top, progress, cancel).Run();

    /// <summary>Matches kept per feature and site unless asked otherwise.</summary>
    public const int DefaultTop = 10;

    internal PlaceInfo? Info(Place place) => _valid.TryGetValue(place, out var sae) ? sae.Info : null;

    internal FeatureFacts? Facts(Place place, int[] indices) =>
        _valid.TryGetValue(place, out var sae) ? FlowIndexParts.TryReadFeatures(Folder, sae, indices) : null;

    internal TopKResult? Match(Place keys, MatchQuery query, int top) =>
        _valid.TryGetValue(keys, out var to) && _valid.TryGetValue(query.From, out var from)
            ? FlowIndexParts.TryReadMatches(Folder, from, to, query.Indices, top)
            : null;

    /// <summary>A guess without opening anything: good enough for a hint.</summary>
    internal bool Covers(Place from, Place keys, int top) =>
        top <= Top && _valid.ContainsKey(from) && _valid.ContainsKey(keys) && File.Exists(FlowIndexParts.MatchesFile(Folder, from, keys));

    internal static bool IsCurrent(IndexedSae sae, FileStamp stamp)
    {
        if (sae.Stamp == stamp.Text) return true;
        try
        {
            // times change when a pack is copied; contents tell
            return SameLengths(sae.Stamp, stamp.Text) && ContentId.Of(stamp, CancellationToken.None) == sae.Id;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool SameLengths(string recorded, string now) =>
        recorded.Split('\n').Select(WithoutTime).SequenceEqual(now.Split('\n').Select(WithoutTime));

    private static string WithoutTime(string file) => file[..Math.Max(0, file.LastIndexOf('|'))];

    private static string? Describe(string folder, List<Place> stale) => stale.Count == 0
        ? null
        : $"The flow index {folder} was made from other files at {string.Join(", ", stale.Take(6))}{(stale.Count > 6 ? $" and {stale.Count - 6} more" : "")}; "
            + "matches there are computed. Run 'featureflow index' to bring it up to date.";
}

/// <summary>What <see cref="FlowIndex.Build"/> did.</summary>
/// <param name="Folder">Where the index lies.</param>
/// <param name="Top">Matches per feature and site.</param>
/// <param name="Parts">Parts that make the index.</param>
/// <param name="Written">Parts written now; the others were there already.</param>
/// <param name="Bytes">Bytes of all parts.</param>
/// <param name="Notes">Sites left out and why.</param>
public sealed record FlowIndexReport(string Folder, int Top, int Parts, int Written, long Bytes, IReadOnlyList<string> Notes);
