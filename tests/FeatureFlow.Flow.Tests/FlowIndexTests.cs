using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>The flow index: same answers as computing, whole after any interruption, and only believed for the files it was made from.</summary>
public sealed class FlowIndexTests : IDisposable
{
    // of 5 layers with 3 sites: predecessors 14, successors 12; features 15
    private const int Parts = 41;

    private static readonly FlowGraphOptions Wide = new() { Direction = FlowDirection.Both, Top = 3, Thresholds = new Thresholds(0.4, 0.3, 0.3) };
    private static readonly FeatureId Seed = new(2, Site.Res, 92);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Graphs_from_the_index_are_the_same_to_the_last_bit()
    {
        var computed = Stories.Open(_folder);
        var graphs = Graphs(computed);
        var report = FlowIndex.Build(computed);
        Assert.Equal((Parts, Parts, FlowIndex.DefaultTop), (report.Parts, report.Written, report.Top));
        Assert.Equal(_folder.File("pack.flowindex"), report.Folder);

        var indexed = Stories.Open(_folder);
        Assert.Empty(indexed.Warnings);
        AssertSame(graphs, Graphs(indexed));
        Assert.Equal(0, indexed.Engine.Status.OpenSaes); // no decoder was touched
    }

    [Fact]
    public void Searches_and_classes_from_the_index_are_the_same_to_the_last_bit()
    {
        var computed = Stories.Open(_folder);
        FeatureId[] targets = [.. Enumerable.Range(0, 40).Select(i => new FeatureId(i % 5, Site.Res, 11 * i))];
        var (before, after, classes) = (PredecessorSearch.Find(computed, targets, 7).ToArray(), SuccessorSearch.Find(computed, targets, 7).ToArray(), StaticClasses.Count(computed, new(0.4, 0.3, 0.3)));
        FlowIndex.Build(computed, 7);
        var indexed = Stories.Open(_folder);
        Assert.Equal(before, PredecessorSearch.Find(indexed, targets, 7));
        Assert.Equal(after, SuccessorSearch.Find(indexed, targets, 7));
        Assert.Equal(classes, StaticClasses.Count(indexed, new(0.4, 0.3, 0.3)));
        Assert.Equal(0, indexed.Engine.Status.OpenSaes);
    }

    [Fact]
    public void What_the_index_does_not_hold_is_computed()
    {
        var computed = Stories.Open(_folder);
        FlowIndex.Build(computed, 2);
        var indexed = Stories.Open(_folder);
        var wider = Wide with { Top = 4 };
        AssertSame([FlowGraphBuilder.Build(computed, Seed, wider)], [FlowGraphBuilder.Build(indexed, Seed, wider)]);
        Assert.NotEqual(0, indexed.Engine.Status.OpenSaes);

        // module features are not in it at all
        var module = new FeatureId(3, Site.Mlp, 7);
        Assert.Equal(PredecessorSearch.Find(computed, [module], 2), PredecessorSearch.Find(indexed, [module], 2));
        Assert.Equal(SuccessorSearch.Find(computed, [module], 2), SuccessorSearch.Find(indexed, [module], 2));
    }

    [Fact]
    public void A_rerun_writes_nothing_and_a_smaller_top_neither()
    {
        var pack = Stories.Open(_folder);
        FlowIndex.Build(pack, 4);
        Assert.Equal(0, FlowIndex.Build(pack, 4).Written);
        Assert.Equal(0, FlowIndex.Build(pack, 3).Written);
        Assert.Equal(26, FlowIndex.Build(pack, 5).Written); // matches, not features
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(40)]
    public void An_interrupted_run_leaves_whole_parts_and_a_rerun_goes_on(int after)
    {
        var pack = Stories.Open(_folder);
        var graphs = Graphs(pack);
        using var cancel = new CancellationTokenSource();
        var stages = new HashSet<double>();
        var progress = new Now(p =>
        {
            if (stages.Add(p.Done) && stages.Count > after) cancel.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => FlowIndex.Build(pack, 5, progress, cancel.Token));

        var half = Stories.Open(_folder);
        Assert.NotNull(half.Index);
        AssertSame(graphs, Graphs(half));
        var rest = FlowIndex.Build(half, 5).Written;
        Assert.InRange(rest, 1, Parts - 1);
        AssertSame(graphs, Graphs(Stories.Open(_folder)));
    }

    [Fact]
    public void What_a_kill_can_leave_behind_is_cleared_away()
    {
        var pack = Stories.Open(_folder);
        var graphs = Graphs(pack);
        var report = FlowIndex.Build(pack, 5);
        var parts = Directory.GetFiles(Path.Combine(report.Folder, "matches")).Order(StringComparer.Ordinal).ToArray();
        File.Delete(parts[0]);
        using (var cut = File.OpenWrite(parts[1])) cut.SetLength(cut.Length / 2);
        using (var empty = File.OpenWrite(parts[2])) empty.SetLength(0);
        string[] leftovers = [Path.Combine(report.Folder, "matches", "half-written.tmp"), Path.Combine(report.Folder, ".index.json.0.tmp")];
        foreach (var leftover in leftovers) File.WriteAllText(leftover, "half");
        File.WriteAllText(Path.Combine(report.Folder, ".lock"), "");

        AssertSame(graphs, Graphs(Stories.Open(_folder)));
        Assert.Equal(3, FlowIndex.Build(Stories.Open(_folder), 5).Written);
        Assert.All(leftovers, l => Assert.False(File.Exists(l)));
        Assert.Equal(parts, Directory.GetFiles(Path.Combine(report.Folder, "matches")).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"format\":\"featureflow.flowindex\",\"version\":2}")]
    [InlineData("{\"format\":\"featureflow.flowindex\",\"version\":1,\"pack\":\"x\",\"top\":5,\"saes\":[{\"layer\":0}]}")]
    public void A_manifest_that_is_not_one_is_no_index(string manifest)
    {
        var pack = Stories.Open(_folder);
        var folder = FlowIndex.Build(pack, 5).Folder;
        File.WriteAllText(Path.Combine(folder, "index.json"), manifest);
        Assert.Null(Stories.Open(_folder).Index);
        Assert.Equal(0, FlowIndex.Build(pack, 5).Written); // the parts prove themselves
        Assert.NotNull(Stories.Open(_folder).Index);
    }

    [Fact]
    public void A_replaced_sae_makes_its_own_parts_stale_and_no_others()
    {
        var saes = Stories.CopySaes(_folder);
        var pack = Open(saes);
        FlowIndex.Build(pack, 5);
        pack.Engine.Dispose(); // open files cannot be replaced everywhere
        File.Copy(Stories.SaeFile(saes, 3, Site.Att), Stories.SaeFile(saes, 2, Site.Att), overwrite: true);

        var changed = Open(saes);
        var warning = Assert.Single(changed.Warnings);
        Assert.Contains("was made from other files at 2/att; matches there are computed", warning, StringComparison.Ordinal);
        Assert.Contains("featureflow index", warning, StringComparison.Ordinal);
        Directory.Move(_folder.File("pack.flowindex"), _folder.File("aside"));
        var graphs = Graphs(Open(saes));
        Directory.Move(_folder.File("aside"), _folder.File("pack.flowindex"));
        AssertSame(graphs, Graphs(changed));

        // its features, res 2 → att 2, res 1 → att 2
        Assert.Equal(3, FlowIndex.Build(changed, 5).Written);
        Assert.Empty(Open(saes).Warnings);
        AssertSame(graphs, Graphs(Open(saes)));
    }

    [Fact]
    public void Times_alone_do_not_make_it_stale()
    {
        var saes = Stories.CopySaes(_folder);
        FlowIndex.Build(Open(saes), 5);
        foreach (var file in Directory.EnumerateFiles(saes, "*", SearchOption.AllDirectories)) File.SetLastWriteTimeUtc(file, new DateTime(2031, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        var pack = Open(saes);
        Assert.Empty(pack.Warnings);
        Graphs(pack);
        Assert.Equal(0, pack.Engine.Status.OpenSaes);
        Assert.Equal(0, FlowIndex.Build(pack, 5).Written);
    }

    [Fact]
    public void Two_writers_are_one_too_many()
    {
        var pack = Stories.Open(_folder);
        Directory.CreateDirectory(_folder.File("pack.flowindex"));
        using var other = new FileStream(_folder.File("pack.flowindex", ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        var error = Assert.Throws<FeatureFlowException>(() => FlowIndex.Build(pack, 5));
        Assert.Equal(("FF4020", FailureKind.Retry), (error.Code, error.Kind));
    }

    [Fact]
    public async Task Readers_never_see_anything_but_whole_answers_while_it_is_written()
    {
        var pack = Stories.Open(_folder);
        var graphs = Graphs(pack);
        var writing = Task.Run(() =>
        {
            for (var top = 3; top < 7; top++) FlowIndex.Build(Stories.Open(_folder), top);
        });
        var reading = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            while (!writing.IsCompleted) AssertSame(graphs, Graphs(Stories.Open(_folder, pack.Engine)));
        })).ToArray();
        await Task.WhenAll([writing, .. reading]);
        AssertSame(graphs, Graphs(Stories.Open(_folder)));
    }

    [Fact]
    public void It_lies_beside_the_pack_or_in_the_cache()
    {
        Assert.Equal(_folder.File("gemma.flowindex"), FlowIndexLocation.Candidates(new Pack("p", Touch("gemma.yaml"), null, [], []))[0]);
        Directory.CreateDirectory(_folder.File("bare"));
        Assert.Equal(_folder.File("bare.flowindex"), FlowIndexLocation.Candidates(new Pack("p", _folder.File("bare"), null, [], []))[0]);
        Touch("bare/pack.yaml");
        Assert.Equal(_folder.File("bare", "pack.flowindex"), FlowIndexLocation.Candidates(new Pack("p", _folder.File("bare"), null, [], []))[0]);
        var preset = Assert.Single(FlowIndexLocation.Candidates(new Pack("gemma/2b", "gemma-scope-2b", null, [], [])));
        Assert.StartsWith(Path.Combine(Environment.GetEnvironmentVariable("FEATUREFLOW_CACHE")!, "flowindex", "gemma_2b-"), preset, StringComparison.Ordinal);

        // the place beside the pack is taken by a file: as good as a folder that cannot be written
        var pack = Stories.Open(_folder);
        File.WriteAllText(_folder.File("pack.flowindex"), "");
        var report = FlowIndex.Build(pack, 5);
        Assert.StartsWith(Environment.GetEnvironmentVariable("FEATUREFLOW_CACHE")!, report.Folder, StringComparison.Ordinal);
        Assert.Equal(report.Folder, Stories.Open(_folder).Index!.Folder);
        Directory.Delete(report.Folder, recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1025)]
    public void A_top_that_cannot_be_kept_is_refused(int top)
    {
        var error = Assert.Throws<FeatureFlowException>(() => FlowIndex.Build(Stories.Open(_folder), top));
        Assert.Equal("FF4005", error.Code);
        Assert.False(Directory.Exists(_folder.File("pack.flowindex")));
    }

    private static FlowGraph[] Graphs(OpenedPack pack) =>
    [
        FlowGraphBuilder.Build(pack, Seed, Wide),
        FlowGraphBuilder.Build(pack, Seed, Wide with { ForwardModules = ForwardModules.Successor, Top = 1 }),
        FlowGraphBuilder.Build(pack, new FeatureId(4, Site.Res, 159), Wide with { Direction = FlowDirection.Backward, Top = 2 }),
    ];

    private static void AssertSame(FlowGraph[] expected, FlowGraph[] graphs)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.NotEmpty(expected[i].Edges);
            Assert.Equal(expected[i].Nodes, graphs[i].Nodes);
            Assert.Equal(expected[i].Edges, graphs[i].Edges);
            Assert.Equal(expected[i].Notes, graphs[i].Notes);
            Assert.Equal((expected[i].SpanStart, expected[i].SpanEnd), (graphs[i].SpanStart, graphs[i].SpanEnd));
        }
    }

    private string Touch(string name)
    {
        File.WriteAllText(_folder.File(name), "");
        return _folder.File(name);
    }

    private OpenedPack Open(string saes) => Stories.Engine().Open(Stories.Pack(Touch("pack.yaml"), saes), FeatureDescriptions.None);

    private sealed class Now(Action<FlowProgress> report) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value) => report(value);
    }
}
