using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>What holds for every SAE, whatever its format: on the fixtures, and on the trained SAEs of examples/stories260k.</summary>
public sealed class SaePropertyTests
{
    private static readonly string s_root = Repository.Fixture("saes");

    public static TheoryData<string> Folders => [.. Directory.GetDirectories(s_root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Stories => [.. Directory.GetFiles(Repository.Example("stories260k"), "params.npz", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Repository.Example("stories260k"), f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_row_gives_the_same_bits_among_few_and_among_thousands(string folder)
    {
        using var sae = Sae.Open(Path.Combine(s_root, folder));
        using var expected = SafetensorsFile.Open(Path.Combine(s_root, folder, "expected.safetensors"));
        var h = expected.Get("h").AsSpan<float>().ToArray();
        var d = sae.Info.InputWidth;
        const int Rows = 1100; // more than are worked on at a time
        using var many = Tensor.From([.. Enumerable.Range(0, Rows).SelectMany(r => h.Skip(r % 32 * d).Take(d))], Rows, d);
        var (z, recon) = Parity.Run(sae, many);
        foreach (var r in new[] { 0, 31, 1020, 1024, Rows - 5 })
        {
            using var few = many.Rows(r, 5);
            var (fewZ, fewRecon) = Parity.Run(sae, few);
            TestEngine.AssertSame(fewZ, [.. z.Skip(r * (fewZ.Length / 5)).Take(fewZ.Length)]);
            TestEngine.AssertSame(fewRecon, [.. recon.Skip(r * (fewRecon.Length / 5)).Take(fewRecon.Length)]);
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Activations_keep_to_their_architecture(string folder)
    {
        using var sae = Sae.Open(Path.Combine(s_root, folder));
        var (rows, f) = (40, sae.Info.FeatureCount);
        var random = new Random(9);
        using var h = Tensor.From([.. Enumerable.Range(0, rows * sae.Info.InputWidth).Select(_ => (random.NextSingle() - 0.5f) * 8)], rows, sae.Info.InputWidth);
        h.AsSpan<float>()[..sae.Info.InputWidth].Clear(); // a vector of zeros has no direction, but an answer
        var (z, recon) = Parity.Run(sae, h);
        Assert.All(z, v => Assert.True(float.IsFinite(v) && v >= 0));
        Assert.All(recon, v => Assert.True(float.IsFinite(v)));
        var threshold = sae.Threshold_F?.AsSpan<float>().ToArray();
        foreach (var row in z.Chunk(f))
        {
            switch (sae.Info.Architecture)
            {
                case SaeArchitecture.TopK: Assert.InRange(row.Count(v => v > 0), 0, sae.Info.K!.Value); break;
                case SaeArchitecture.GroupMax: Assert.All(row.Chunk(f / sae.Info.K!.Value), group => Assert.InRange(group.Count(v => v > 0), 0, 1)); break;
                case SaeArchitecture.JumpRelu: Assert.All(row.Zip(threshold!), p => Assert.True(p.First == 0 || p.First > p.Second)); break;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Stories))]
    public void Trained_saes_compute_what_plain_sums_in_double_give(string path)
    {
        using var sae = Sae.Open(Path.Combine(Repository.Example("stories260k"), path));
        using var states = SafetensorsFile.Open(Repository.Fixture("golden", "stories260k", "states.safetensors"));
        var (site, layer) = (sae.Info.Site!.Value, sae.Info.Layer!.Value);
        Assert.Equal($"{site.Name()}/layer_{layer}", string.Join('/', path.Replace('\\', '/').Split('/')[1..3]));
        var h = states.Get($"{site.Name()}.{layer}").AsSpan<double>().ToArray();
        var (d, f) = (sae.Info.InputWidth, sae.Info.FeatureCount);
        var rows = h.Length / d;
        using var file = NpzFile.Open(sae.Info.Path);
        float[] Read(string name) => file.Get(name).AsSpan<float>().ToArray();
        var (wEnc_DF, wDec_FD, bEnc_F, bDec_D, theta_F) = (Read("W_enc"), Read("W_dec"), Read("b_enc"), Read("b_dec"), Read("threshold"));
        using var input = Tensor.From(Array.ConvertAll(h, v => (float)v), rows, d);
        var (z, reconstruction) = Parity.Run(sae, input);
        var (wantZ, wantRecon, doubtful) = (new float[rows * f], new float[rows * d], 0);
        for (var r = 0; r < rows; r++)
        {
            var recon = Array.ConvertAll(bDec_D, b => (double)b);
            for (var i = 0; i < f; i++)
            {
                double pre = bEnc_F[i];
                for (var k = 0; k < d; k++) pre += (double)(float)h[(r * d) + k] * wEnc_DF[(k * f) + i];

                // float32 may fall on the other side of a threshold this near
                var isDoubtful = Math.Abs(pre - theta_F[i]) < 1e-5;
                doubtful += isDoubtful ? 1 : 0;
                if (isDoubtful ? z[(r * f) + i] == 0 : pre <= theta_F[i] || pre <= 0) continue;
                wantZ[(r * f) + i] = (float)pre;
                for (var k = 0; k < d; k++) recon[k] += pre * wDec_FD[(i * d) + k];
            }

            for (var k = 0; k < d; k++) wantRecon[(r * d) + k] = (float)recon[k];
        }

        Assert.InRange(doubtful, 0, 5);
        Assert.Equal(wantZ.Select(v => v != 0), z.Select(v => v != 0));
        Assert.InRange(Parity.Difference(wantZ, z), 0, Parity.Tolerance);
        Assert.InRange(Parity.Difference(wantRecon, reconstruction), 0, Parity.Tolerance);
        Assert.InRange(z.Skip(f).Count(v => v > 0) / (rows - 1.0), sae.Info.DeclaredL0!.Value / 3, sae.Info.DeclaredL0.Value * 3);
        Assert.True(sae.Check(TestEngine.Shared).IsSound);
    }

    [Fact]
    public void Inputs_may_be_strided_and_of_any_floating_type()
    {
        using var sae = Sae.Open(Path.Combine(s_root, "saelens-norm-layernorm"));
        using var expected = SafetensorsFile.Open(Path.Combine(s_root, "saelens-norm-layernorm", "expected.safetensors"));
        var h = expected.Get("h");
        var (z, recon) = Parity.Run(sae, h);
        using var turned = Tensor.Allocate(DType.F32, h.Shape[1], h.Shape[0]);
        TestEngine.Shared.Copy(h, turned.Transpose());
        var (turnedZ, turnedRecon) = Parity.Run(sae, turned.Transpose());
        Assert.Equal(z, turnedZ);
        Assert.Equal(recon, turnedRecon);
        using var half = Tensor.Allocate(DType.BF16, h.Shape);
        TestEngine.Shared.Copy(h, half);
        using var widened = Tensor.Allocate(DType.F32, h.Shape);
        TestEngine.Shared.Copy(half, widened);
        Assert.Equal(Parity.Run(sae, widened).Z, Parity.Run(sae, half).Z);
        using var scaled = Sae.Open(Path.Combine(s_root, "llamascope-bf16")); // scales its activations when decoding
        using var active = Tensor.Allocate(DType.BF16, 32, 128);
        active.AsSpan<ushort>().Fill(0x3F80);
        using var back = Tensor.Allocate(DType.F32, 32, 64);
        scaled.Decode(TestEngine.Shared, active, half, back);
        Assert.All(back.AsSpan<float>().ToArray(), v => Assert.True(float.IsFinite(v)));
    }

    [Fact]
    public void Wrong_shapes_a_stop_and_a_closed_sae_are_told()
    {
        var sae = Sae.Open(Path.Combine(s_root, "saelens-topk"));
        using var h = Tensor.Allocate(DType.F32, 3, 64);
        using var z = Tensor.Allocate(DType.F32, 3, 128);
        using var narrow = Tensor.Allocate(DType.F32, 3, 63);
        using var flat = Tensor.Allocate(DType.F32, 64);
        var engine = TestEngine.Shared;
        foreach (var act in new Action[] { () => sae.Encode(engine, narrow, z), () => sae.Encode(engine, h, narrow), () => sae.Encode(engine, flat, z), () => sae.Decode(engine, h, h, h), () => sae.Decode(engine, z, narrow, h), () => sae.Decode(engine, z, h, z) })
        {
            Assert.Equal(("FF3020", FailureKind.Usage), Assert.Throws<FeatureFlowException>(act) is var e ? (e.Code, e.Kind) : default);
        }

        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => sae.Encode(engine, h, z, stop.Token));
        sae.Dispose();
        Assert.Throws<ObjectDisposedException>(() => sae.Encode(engine, h, z));
        Assert.Throws<ObjectDisposedException>(() => sae.DecoderWeights_FD);
    }

    [Fact]
    public void Norms_are_those_of_the_rows_with_their_factors()
    {
        foreach (var folder in new[] { "llamascope-bf16", "llamascope-exact-f32", "saelens-topk-rescaled", "saelens-topk" })
        {
            using var sae = Sae.Open(Path.Combine(s_root, folder));
            var norms = sae.DecoderNorms(TestEngine.Shared);
            using var one = Tensor.Allocate(DType.F32, 1, 128);
            using var zero = Tensor.Allocate(DType.F32, 1, 128);
            using var h = Tensor.Allocate(DType.F32, 1, 64);
            using var with = Tensor.Allocate(DType.F32, 1, 64);
            using var without = Tensor.Allocate(DType.F32, 1, 64);
            one.AsSpan<float>()[17] = 1;
            sae.Decode(TestEngine.Shared, one, h, with);
            sae.Decode(TestEngine.Shared, zero, h, without);
            var direction = with.AsSpan<float>().ToArray().Zip(without.AsSpan<float>().ToArray(), (a, b) => (double)a - b);
            Assert.Equal(Math.Sqrt(direction.Sum(v => v * v)), norms[17], 1e-5);
        }
    }
}
