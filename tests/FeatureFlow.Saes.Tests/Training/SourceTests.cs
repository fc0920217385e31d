using FeatureFlow.Models;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests.Training;

public sealed class SourceTests
{
    private static readonly SiteAddress s_res = new(2, Site.Res), s_mlp = new(2, Site.Mlp);

    [Fact]
    public void Every_token_comes_once_a_pass_in_an_order_of_its_own_alike_at_every_site()
    {
        using var source = Counting(1000);
        using var stream = new ActivationStream(CpuEngine.Shared, source, new HashSet<int> { 0, 1 }, 60, 240, seed: 1);
        var passes = new List<int[]>();
        for (var pass = 0; pass < 2; pass++)
        {
            var seen = new List<int>();
            for (var i = 0; i < 16; i++)
            {
                var x = stream.Batch((pass * 16) + i, default);
                var (a, b) = (x[0]!.AsSpan<float>().ToArray(), x[1]!.AsSpan<float>().ToArray());
                for (var t = 0; t < 60; t++)
                {
                    Assert.Equal(a[t * 2], -b[t * 3]);
                    seen.Add((int)a[t * 2]);
                }
            }

            Assert.Equal(960, seen.Distinct().Count());
            passes.Add([.. seen]);
        }

        Assert.True(passes[0].Zip(passes[1]).Count(p => p.First == p.Second) < 20);
        Assert.True(passes[0].Zip(passes[0].Skip(1)).Count(p => p.Second == p.First + 1) < 20);
    }

    [Fact]
    public void A_batch_follows_from_its_number()
    {
        using var source = Counting(1000);
        using var first = new ActivationStream(CpuEngine.Shared, source, new HashSet<int> { 0 }, 60, 240, seed: 1);
        using var second = new ActivationStream(CpuEngine.Shared, Counting(1000), new HashSet<int> { 0 }, 60, 240, seed: 1);
        using var other = new ActivationStream(CpuEngine.Shared, Counting(1000), new HashSet<int> { 0 }, 60, 240, seed: 2);
        for (var i = 0; i < 21; i++) first.Batch(i, default);
        var wanted = first.Batch(21, default)[0]!.AsSpan<float>().ToArray();
        Assert.Equal(wanted, second.Batch(21, default)[0]!.AsSpan<float>().ToArray());
        Assert.NotEqual(wanted, other.Batch(21, default)[0]!.AsSpan<float>().ToArray());
        Assert.Null(first.Batch(21, default)[1]);
    }

    [Fact]
    public void Files_of_activations()
    {
        using var folder = new TempFolder();
        var path = folder.File("a.safetensors");
        SafetensorsFile.Write(path, null, [("res.2", Tensor.From(Enumerable.Range(0, 12).Select(i => (float)i).ToArray(), 2, 3, 2)), ("mlp.2", Tensor.Allocate(DType.BF16, 6, 4)), ("ids", Tensor.Allocate(DType.I64, 2, 3)), ("logits", Tensor.Allocate(DType.F32, 2, 3, 5))]);
        using (var source = ArrayActivationSource.Open(CpuEngine.Shared, path, 1))
        {
            Assert.Equal([new ActivationSite(s_res, 2), new ActivationSite(s_mlp, 4)], source.Sites);
            Assert.Equal(6, source.RowsPerEpoch);
            using var x = Tensor.Allocate(DType.F32, 6, 2);
            source.Read(0, 0, [x, null]);
            Assert.Equal(Enumerable.Range(0, 12).Select(i => (float)i), x.AsSpan<float>().ToArray().Order());
        }

        SafetensorsFile.Write(path, null, [("ids", Tensor.Allocate(DType.I64, 2, 3))]);
        Assert.Equal("FF3105", Assert.Throws<FeatureFlowException>(() => ArrayActivationSource.Open(CpuEngine.Shared, path, 1)).Code);
        SafetensorsFile.Write(path, null, [("res.2", Tensor.Allocate(DType.F32, 6, 4)), ("mlp.2", Tensor.Allocate(DType.F32, 5, 4))]);
        Assert.Equal("FF3106", Assert.Throws<FeatureFlowException>(() => ArrayActivationSource.Open(CpuEngine.Shared, path, 1)).Code);
    }

    private static ArrayActivationSource Counting(int tokens)
    {
        Tensor a = Tensor.Allocate(DType.F32, tokens, 2), b = Tensor.Allocate(DType.F32, tokens, 3);
        for (var t = 0; t < tokens; t++) (a.AsSpan<float>()[t * 2], b.AsSpan<float>()[t * 3]) = (t, -t);
        return new ArrayActivationSource(CpuEngine.Shared, [(s_res, a), (s_mlp, b)], 9, "counting");
    }
}
