using FeatureFlow.Models;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>What an SAE does on a text it was not trained on (METHODS 9).</summary>
/// <param name="Info">The SAE.</param>
/// <param name="Tokens">Tokens measured; BOS is left out.</param>
/// <param name="MeanL0">Active features of a token.</param>
/// <param name="ExplainedVariance">1 − Var(x̂ − x)/Var(x): variances summed over coordinates, the error centred, so that a constant error is free.</param>
/// <param name="ExplainedVarianceUncentred">1 − Σ|x̂ − x|²/Σ|x − mean x|².</param>
/// <param name="MeanSquaredError">Mean of |x̂ − x|² over tokens.</param>
/// <param name="DeadShare">Features that are active at none of the tokens.</param>
/// <param name="Frequency_F">Share of the tokens at which each feature is active.</param>
/// <param name="DeltaLoss">Rise of the mean next-token cross-entropy when the reconstruction takes the place of the activations, in nats; null when not measured.</param>
/// <param name="BaseLoss">Cross-entropy of the untouched model; null when not measured.</param>
public sealed record SaeMeasures(
    SaeInfo Info,
    long Tokens,
    double MeanL0,
    double ExplainedVariance,
    double ExplainedVarianceUncentred,
    double MeanSquaredError,
    double DeadShare,
    IReadOnlyList<float> Frequency_F,
    double? DeltaLoss = null,
    double? BaseLoss = null)
{
    /// <summary>L0 that the release declares, when it does.</summary>
    public double? DeclaredL0 => Info.DeclaredL0;

    /// <summary>Measured over declared L0: far from 1 means another text, or a threshold read in the wrong frame.</summary>
    public double? L0Ratio => DeclaredL0 is > 0 and { } declared ? MeanL0 / declared : null;
}

/// <summary>Measures SAEs on activations, any number of them in one pass.</summary>
public sealed class SaeEvaluation : IDisposable
{
    private readonly ITensorEngine _engine;
    private readonly IReadOnlyList<Sae> _saes;
    private readonly Sums[] _sums;

    /// <summary>Begins; the SAEs stay the caller's.</summary>
    public SaeEvaluation(ITensorEngine engine, IReadOnlyList<Sae> saes)
    {
        (_engine, _saes) = (engine, saes);
        _sums = [.. saes.Select(s => new Sums(s.Info))];
    }

    /// <summary>The first pass over a source, in parts of a few thousand tokens.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="source">The activations.</param>
    /// <param name="saes">Each with a site and layer of the source.</param>
    /// <param name="most">At most so many tokens.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF3103: the source lacks the place of an SAE.</exception>
    public static IReadOnlyList<SaeMeasures> Measure(ITensorEngine engine, IActivationSource source, IReadOnlyList<Sae> saes, long most = long.MaxValue, CancellationToken cancel = default)
    {
        const int part = 2048;
        using var evaluation = new SaeEvaluation(engine, saes);
        var places = saes.Select(s => source.Place(s.Address())).ToArray();
        var tokens = Math.Min(most, source.RowsPerEpoch);
        for (long start = 0; start < tokens; start += part)
        {
            var rows = (int)Math.Min(part, tokens - start);
            var x = source.Sites.Select((s, i) => places.Contains(i) ? engine.Allocate(DType.F32, rows, s.Width) : null).ToArray();
            source.Read(0, start, x, cancel);
            for (var i = 0; i < saes.Count; i++) evaluation.Add(i, x[places[i]]!, cancel);
            foreach (var tensor in x) tensor?.Dispose();
        }

        return evaluation.Results();
    }

    /// <summary>Some more tokens of one SAE.</summary>
    public void Add(int index, Tensor x_ND, CancellationToken cancel = default)
    {
        var (sae, rows) = (_saes[index], x_ND.Shape[0]);
        using var z_NF = _engine.Allocate(DType.F32, rows, sae.Info.FeatureCount);
        using var recon_ND = _engine.Allocate(DType.F32, rows, sae.Info.OutputWidth);
        using var active_F = _engine.Allocate(DType.F32, sae.Info.FeatureCount);
        sae.Encode(_engine, x_ND, z_NF, cancel);
        sae.Decode(_engine, z_NF, x_ND, recon_ND, cancel);
        _engine.CountNonZeros(z_NF, active_F);
        using Tensor x = Host(x_ND), recon = Host(recon_ND);
        _sums[index].Add(x.AsSpan<float>(), recon.AsSpan<float>(), HostValues.Read(_engine, active_F), rows);
    }

    /// <summary>The figures so far.</summary>
    public IReadOnlyList<SaeMeasures> Results() => [.. _sums.Select(s => s.Result())];

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private Tensor Host(Tensor tensor)
    {
        var host = Tensor.Allocate(DType.F32, tensor.Shape);
        _engine.Copy(tensor, host);
        return host;
    }

    // moments about the first token's values, in float64: variances of coordinates with a large mean keep their digits
    private sealed class Sums(SaeInfo info)
    {
        private readonly double[] _sum = new double[info.OutputWidth], _squares = new double[info.OutputWidth], _error = new double[info.OutputWidth], _errorSquares = new double[info.OutputWidth];
        private readonly double[] _active = new double[info.FeatureCount];
        private float[]? _origin;
        private long _tokens;

        public void Add(ReadOnlySpan<float> x, ReadOnlySpan<float> recon, double[] active, int rows)
        {
            if (rows == 0) return;
            var d = _sum.Length;
            _origin ??= x[..d].ToArray();
            for (var t = 0; t < rows; t++)
            {
                var (a, b) = (t * d, 0);
                for (; b < d; a++, b++)
                {
                    var v = (double)x[a] - _origin[b];
                    var e = (double)recon[a] - x[a];
                    _sum[b] += v;
                    _squares[b] += v * v;
                    _error[b] += e;
                    _errorSquares[b] += e * e;
                }
            }

            for (var f = 0; f < active.Length; f++) _active[f] += active[f];
            _tokens += rows;
        }

        public SaeMeasures Result()
        {
            double n = Math.Max(1, _tokens), variance = 0, errorVariance = 0, error = 0;
            for (var i = 0; i < _sum.Length; i++)
            {
                variance += _squares[i] - _sum[i] * _sum[i] / n;
                errorVariance += _errorSquares[i] - _error[i] * _error[i] / n;
                error += _errorSquares[i];
            }

            return new SaeMeasures(
                info,
                _tokens,
                _active.Sum() / n,
                1 - errorVariance / variance,
                1 - error / variance,
                error / n,
                _active.Count(a => a == 0) / (double)_active.Length,
                [.. _active.Select(a => (float)(a / n))]);
        }
    }
}
