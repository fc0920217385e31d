using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>The shared engine: one opening per SAE, nothing closed while in use, changed files noticed.</summary>
public sealed class FlowEngineTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_same_pack_is_opened_once()
    {
        using var engine = Stories.Engine();
        var read = 0;
        var pack = Stories.Pack(_folder.File("pack.yaml"));
        OpenedPack Open() => engine.Open(pack, () =>
        {
            read++;
            return FeatureDescriptions.None;
        });
        Assert.Same(Open(), Open());
        Assert.Equal(1, read);
        Assert.Equal([_folder.File("pack.yaml")], engine.Status.Packs);
        engine.Clear();
        Assert.Empty(engine.Status.Packs);
        Open();
        Assert.Equal(2, read);
    }

    [Fact]
    public void Changed_files_are_opened_anew()
    {
        var saes = Stories.CopySaes(_folder);
        using var engine = Stories.Engine();
        OpenedPack Open() => engine.Open(Stories.Pack(_folder.File("pack.yaml"), saes), FeatureDescriptions.None);
        var id = new FeatureId(2, Site.Att, 5);
        var before = Open();
        var old = before.Feature(id);
        File.Delete(Stories.SaeFile(saes, 3, Site.Mlp) is var other && File.Exists(other) ? Stories.SaeFile(saes, 2, Site.Att) : other);
        File.Copy(other, Path.Combine(Directory.CreateDirectory(Path.Combine(saes, "att", "layer_2", "w")).FullName, "params.npz"));
        var after = Open();
        Assert.NotSame(before, after);
        Assert.NotEqual(old, after.Feature(id));
        Assert.Equal(after.Feature(new FeatureId(3, Site.Mlp, 5)).Norm, after.Feature(id).Norm);
        Assert.Single(engine.Status.Packs);
    }

    [Fact]
    public void Many_threads_share_one_opening()
    {
        using var engine = Stories.Engine();
        var pack = Stories.Open(_folder, engine);
        var leases = new SaeLease[16];
        Parallel.For(0, leases.Length, i => leases[i] = pack.Lease(1, Site.Res));
        Assert.All(leases, l => Assert.Same(leases[0].Sae, l.Sae));
        Assert.Equal(1, engine.Status.OpenSaes);
        foreach (var lease in leases) lease.Dispose();
    }

    [Fact]
    public void A_small_budget_closes_what_is_not_in_use()
    {
        using var engine = new FlowEngine(new FeatureFlow.Tensors.CpuEngine(1), saeBudget: 700_000);
        var pack = Stories.Open(_folder, engine);
        var size = new FileInfo(pack.Pack.Find(0, Site.Res)!.Path).Length;
        Assert.InRange(size, 250_000, 350_000); // two fit, three do not

        using var held = pack.Lease(0, Site.Res);
        for (var layer = 0; layer < Stories.Layers; layer++) pack.Feature(new FeatureId(layer, Site.Mlp, 3));
        Assert.InRange(engine.Status.OpenSaes, 1, 2);
        Assert.InRange(engine.Status.OpenBytes, size, 700_000);
        Assert.Equal(64, held.Sae.DecoderWeights_FD.Shape[1]);
        AssertReadable(held.Sae);
    }

    [Fact]
    public void Leases_outlive_a_clear_and_close_after_it()
    {
        using var engine = Stories.Engine();
        var pack = Stories.Open(_folder, engine);
        var lease = pack.Lease(0, Site.Res);
        var sae = lease.Sae;
        engine.Clear();
        Assert.Equal(0, engine.Status.OpenSaes);
        AssertReadable(sae);
        lease.Dispose();
        lease.Dispose(); // twice is once
        Assert.Throws<ObjectDisposedException>(() => AssertReadable(sae));
        AssertReadable(pack.Sae(0, Site.Res)); // the pack goes on: it opens what it needs
    }

    [Fact]
    public void An_sae_that_was_handed_out_stays_readable()
    {
        using var engine = Stories.Engine();
        var sae = Stories.Open(_folder, engine).Sae(0, Site.Res);
        engine.Clear();
        AssertReadable(sae);
    }

    [Fact]
    public async Task Graphs_in_flight_survive_clearing_from_other_threads()
    {
        using var engine = Stories.Engine();
        var options = new FlowGraphOptions { Direction = FlowDirection.Both, Thresholds = new(-1, -1, -1) };
        var expected = FlowGraphBuilder.Build(Stories.Open(_folder, engine), new FeatureId(2, Site.Res, 1), options);
        var work = Task.Run(() => Parallel.For(0, 40, _ =>
        {
            var graph = FlowGraphBuilder.Build(Stories.Open(_folder, engine), new FeatureId(2, Site.Res, 1), options);
            Assert.Equal(expected.Nodes, graph.Nodes);
            Assert.Equal(expected.Edges, graph.Edges);
        }));
        while (!work.IsCompleted) engine.Clear();
        await work;
    }

    [Fact]
    public void A_disposed_engine_says_so()
    {
        var engine = Stories.Engine();
        var pack = Stories.Open(_folder, engine);
        engine.Dispose();
        Assert.Equal("FF4030", Assert.Throws<FeatureFlowException>(() => Stories.Open(_folder, engine)).Code);
        Assert.Equal("FF4030", Assert.Throws<FeatureFlowException>(() => pack.Feature(new FeatureId(0, Site.Res, 0))).Code);
    }

    [Fact]
    public void A_file_that_is_gone_fails_every_time_and_works_once_it_is_back()
    {
        var saes = Stories.CopySaes(_folder);
        using var engine = Stories.Engine();
        var pack = Stories.Pack(_folder.File("pack.yaml"), saes);
        var file = Stories.SaeFile(saes, 0, Site.Res);
        File.Move(file, file + ".away");
        for (var i = 0; i < 2; i++) Assert.Equal(FailureKind.Input, Assert.Throws<FeatureFlowException>(() => engine.Open(pack, FeatureDescriptions.None).Feature(new(0, Site.Res, 0))).Kind);
        Assert.Equal(0, engine.Status.OpenSaes);
        File.Move(file + ".away", file);
        Assert.Equal(0, engine.Open(pack, FeatureDescriptions.None).Feature(new(0, Site.Res, 0)).Index);
    }

    private static void AssertReadable(Sae sae)
    {
        using var row = FeatureFlow.Tensors.Tensor.Allocate(FeatureFlow.Tensors.DType.F32, 1, 64);
        FeatureFlow.Tensors.CpuEngine.Shared.GatherRows(sae.DecoderWeights_FD, [7], row);
        Assert.Contains(row.AsSpan<float>().ToArray(), v => v != 0);
    }
}
