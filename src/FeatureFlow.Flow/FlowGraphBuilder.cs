using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>Builds flow graphs (Feature Flow, sections 3.3 and B.2; docs/concepts.md). The same graph comes out with and without a flow index.</summary>
public static class FlowGraphBuilder
{
    /// <summary>Seeds whose matches are gathered together.</summary>
    private const int Block = 1024;

    /// <summary>The flow graph of one feature. A module feature is a leaf backward; forward it leads to the residual stream that it is added to.</summary>
    /// <exception cref="FeatureFlowException">FF4001, FF4002: no such feature. FF4005, FF4008: options. FF4007: more nodes than allowed.</exception>
    public static FlowGraph Build(
        OpenedPack pack, FeatureId seed, FlowGraphOptions options, IProgress<FlowProgress>? progress, CancellationToken cancel = default) =>
        BuildMany(pack, [seed], options, progress, cancel).Single();

    /// <summary>The same, without progress.</summary>
    public static FlowGraph Build(OpenedPack pack, FeatureId seed, FlowGraphOptions options, CancellationToken cancel = default) =>
        Build(pack, seed, options, null, cancel);

    /// <summary>
    /// The flow graphs of many features in the order asked, reading each decoder once for all of a block; the same graphs as one by
    /// one. Checked at once, computed as they are read.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF4001, FF4002: no such feature. FF4005, FF4008: options. FF4007: more nodes than allowed.</exception>
    public static IEnumerable<FlowGraph> BuildMany(
        OpenedPack pack, IReadOnlyList<FeatureId> seeds, FlowGraphOptions options, IProgress<FlowProgress>? progress, CancellationToken cancel = default)
    {
        options.Check();
        foreach (var group in seeds.GroupBy(Place.Of)) pack.Check(group.Key, group.Select(s => s.Index));
        return seeds.Chunk(Block).SelectMany(block => Build(pack.Pack, pack.Matches, block, options, pack.Descriptions.Text, pack.Url, progress, cancel));
    }

    /// <summary>The same, without progress.</summary>
    public static IEnumerable<FlowGraph> BuildMany(OpenedPack pack, IReadOnlyList<FeatureId> seeds, FlowGraphOptions options, CancellationToken cancel = default) =>
        BuildMany(pack, seeds, options, null, cancel);

    internal static IReadOnlyList<FlowGraph> Build(
        Pack pack,
        IMatchSource source,
        IReadOnlyList<FeatureId> seeds,
        FlowGraphOptions options,
        Func<FeatureId, string?> description,
        Func<FeatureId, string?> url,
        IProgress<FlowProgress>? progress,
        CancellationToken cancel)
    {
        var neighbours = new Neighbours(pack, source);
        var memo = new MatchMemo(source, options.Top, cancel);
        var steps = new FlowSteps(neighbours, memo, options);
        var distinct = seeds.Distinct().ToArray();
        new GraphGathering(neighbours, memo, steps, options, distinct, new GatherProgress(progress, Steps(pack, distinct, options.Direction)), cancel).Run();
        var composer = new GraphComposer(pack, source, memo, options);
        var graphs = seeds.Select(s => composer.Compose(s, description, url)).ToArray();
        progress?.Report(new FlowProgress("done", 1));
        return graphs;
    }

    // readings of decoders if nothing is cut: three a layer going down, four going up
    private static int Steps(Pack pack, FeatureId[] seeds, FlowDirection direction)
    {
        var down = direction == FlowDirection.Forward ? 1 : seeds.Max(s => s.Layer) - pack.Layers[0] + 1;
        var up = direction == FlowDirection.Backward ? 0 : pack.Layers[^1] - seeds.Min(s => s.Layer);
        return (3 * down) + (4 * up);
    }
}
