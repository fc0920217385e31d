namespace FeatureFlow.Flow;

/// <summary>One run of <c>featureflow index</c>.</summary>
internal sealed class FlowIndexBuild(OpenedPack pack, int top, IProgress<FlowProgress>? progress, CancellationToken cancel)
{
    private const string LockFile = ".lock";

    /// <summary>
    /// Manifest first, then the parts in the order of the layers. Each file is whole or not there, and each part names the SAEs it was
    /// made from, so no order of interruptions leaves anything that a reader could mistake.
    /// </summary>
    public FlowIndexReport Run()
    {
        if (top is < 1 or > FlowErrors.MaxTop) throw FlowErrors.Top(top);
        var neighbours = new Neighbours(pack.Pack, pack.Computed);
        var relations = Relations(neighbours);
        var folder = FlowIndexLocation.Writable(pack.Pack);
        using var only = Lock(folder);
        var saes = Identify(folder);
        Directory.CreateDirectory(Path.Combine(folder, "features"));
        Directory.CreateDirectory(Path.Combine(folder, "matches"));
        RemoveStrangers(folder, saes.Keys, relations);
        new FlowIndexManifest(pack.Pack.Name, top, [.. saes.Values]).Write(folder);

        var steps = new GatherProgress(progress, saes.Count + relations.Count);
        var written = 0;
        foreach (var sae in saes.Values)
        {
            steps.Step(sae.Place);
            if (FlowIndexParts.TryReadFeatures(folder, sae, []) is not null) continue;
            FlowIndexParts.WriteFeatures(folder, sae, pack.Computed.Facts(sae.Place, [.. Enumerable.Range(0, sae.Info.FeatureCount)], cancel));
            written++;
        }

        foreach (var (from, keys) in relations)
        {
            var within = steps.Step(keys);
            if (FlowIndexParts.TryReadMatches(folder, saes[from], saes[keys], [], top) is not null) continue;
            var everything = new MatchQuery(from, [.. Enumerable.Range(0, saes[from].Info.FeatureCount)]);
            var kept = Math.Min(top, saes[keys].Info.FeatureCount);
            FlowIndexParts.WriteMatches(folder, saes[from], saes[keys], pack.Computed.Match(keys, [everything], kept, within, cancel)[0]);
            written++;
        }

        progress?.Report(new FlowProgress("done", 1));
        var parts = Parts(folder, saes.Keys, relations);
        return new FlowIndexReport(folder, top, parts.Count, written, parts.Sum(p => new FileInfo(p).Length), neighbours.Notes());
    }

    // what graphs ask: a residual feature's predecessors and successors at all sites; by layer, so that decoders stay in memory
    private List<(Place From, Place Keys)> Relations(Neighbours neighbours) =>
    [
        .. from place in pack.Stamps.Keys.Where(p => p.IsResidual).Order()
           from lane in neighbours.Before(place).All().Concat(neighbours.After(place).All())
           select (place, lane.Place),
    ];

    private SortedDictionary<Place, IndexedSae> Identify(string folder)
    {
        var known = FlowIndexManifest.TryRead(folder)?.Saes.ToDictionary(s => s.Place) ?? [];
        var saes = new SortedDictionary<Place, IndexedSae>();
        foreach (var (place, stamp) in pack.Stamps)
        {
            var unchanged = known.TryGetValue(place, out var before) && before.Stamp == stamp.Text;
            saes[place] = new IndexedSae(place, unchanged ? before!.Id : ContentId.Of(stamp, cancel), stamp.Text, pack.Computed.Info(place));
        }

        return saes;
    }

    private static List<string> Parts(string folder, IEnumerable<Place> saes, IEnumerable<(Place From, Place Keys)> relations) =>
        [.. saes.Select(s => FlowIndexParts.FeaturesFile(folder, s)), .. relations.Select(r => FlowIndexParts.MatchesFile(folder, r.From, r.Keys))];

    // the folders are the index's own: what an interrupted run or another version left there is of no use
    private static void RemoveStrangers(string folder, IEnumerable<Place> saes, IEnumerable<(Place From, Place Keys)> relations)
    {
        var own = Parts(folder, saes, relations).ToHashSet();
        foreach (var unfinished in Directory.EnumerateFiles(folder, $".{FlowIndexManifest.FileName}.*.tmp")) File.Delete(unfinished);
        foreach (var sub in new[] { "features", "matches" })
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(folder, sub)))
            {
                if (!own.Contains(file)) File.Delete(file);
            }
        }
    }

    // held by the operating system for the life of the process only: a kill leaves the file but not the lock
    private static FileStream Lock(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException)
        {
            throw FlowErrors.IndexBusy(folder);
        }
    }
}
