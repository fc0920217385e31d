using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>A small SAE of random numbers, to be written in any layout, and its activations by plain sums in double.</summary>
public abstract class MadeUpSae : IDisposable
{
    protected const int D = 6, F = 10, N = 5;

    private protected readonly TempFolder _folder = new();
    private readonly Random _random = new(11);
    private protected readonly float[] _wEnc_DF, _wDec_FD, _bEnc_F, _bDec_D, _h_ND, _skip_DD;

    protected MadeUpSae() =>
        (_wEnc_DF, _wDec_FD, _bEnc_F, _bDec_D, _h_ND, _skip_DD) = (Numbers(D * F), Numbers(F * D), Numbers(F), Numbers(D), Numbers(N * D), Numbers(D * D));

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected string DictionaryLearning(string kind, List<(string, Tensor)> arrays)
    {
        var folder = _folder.File("dl" + kind);
        Write(folder, "ae.safetensors", arrays);
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""{"trainer":{"dict_class":"{{kind}}","activation_dim":{{D}},"dict_size":{{F}},"layer":3,"lm_name":"EleutherAI/pythia-70m-deduped","submodule_name":"mlp_out_layer3"},"buffer":{"ctx_len":128} }""");
        return folder;
    }

    // pre = (x·W_enc + b_enc), ẑ = σ(pre), ĥ = ẑ·W_dec + b_dec + skip
    private protected void Same(
        Sae sae,
        Func<double, double>? z,
        bool subtract = false,
        Func<int, double>? encoderBias = null,
        Func<int, int, double>? decoder = null,
        Func<int, double>? decoderBias = null,
        Func<int, int, double>? skip = null,
        Func<double, int, double>? gate = null)
    {
        var (ourZ, ourRecon) = Parity.Run(sae, T(_h_ND, N, D));
        var (wantZ, wantRecon) = (new float[N * F], new float[N * D]);
        for (var n = 0; n < N; n++)
        {
            for (var i = 0; i < F; i++)
            {
                var pre = encoderBias?.Invoke(i) ?? _bEnc_F[i];
                for (var d = 0; d < D; d++) pre += (_h_ND[(n * D) + d] - (subtract ? _bDec_D[d] : 0.0)) * _wEnc_DF[(d * F) + i];
                wantZ[(n * F) + i] = (float)(gate?.Invoke(pre, i) ?? z!(pre));
            }

            for (var o = 0; o < D; o++)
            {
                var sum = decoderBias?.Invoke(o) ?? _bDec_D[o];
                for (var i = 0; i < F; i++) sum += wantZ[(n * F) + i] * (decoder?.Invoke(i, o) ?? _wDec_FD[(i * D) + o]);
                for (var d = 0; d < D && skip is not null; d++) sum += _h_ND[(n * D) + d] * skip(d, o);
                wantRecon[(n * D) + o] = (float)sum;
            }
        }

        Assert.Equal(wantZ.Select(v => v != 0), ourZ.Select(v => v != 0));
        Assert.InRange(Parity.Difference(wantZ, ourZ), 0, Parity.Tolerance);
        Assert.InRange(Parity.Difference(wantRecon, ourRecon), 0, Parity.Tolerance);
    }

    private protected double Norm(int i) => Math.Sqrt(Enumerable.Range(0, D).Sum(o => (double)_wDec_FD[(i * D) + o] * _wDec_FD[(i * D) + o]));

    private protected float[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)((_random.NextDouble() * 2) - 1))];

    private protected static float[] Fill(float value, int count = F) => [.. Enumerable.Repeat(value, count)];

    private protected static float[] Transposed(float[] matrix, int rows, int columns) => [.. Enumerable.Range(0, rows * columns).Select(i => matrix[(i % rows * columns) + (i / rows)])];

    private protected static Tensor T(float[] values, params int[] shape) => Tensor.From(values, shape);

    private protected static void Write(string folder, string name, List<(string, Tensor)> arrays)
    {
        Directory.CreateDirectory(folder);
        SafetensorsFile.Write(Path.Combine(folder, name), null, arrays);
    }
}
