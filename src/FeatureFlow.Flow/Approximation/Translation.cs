using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// A substitute that is linear in the activations of layer t: x̂ = z·M + b, M [F,d]. Every one of the papers is: permutations, quantiles, transition maps differ in M only.
/// </summary>
internal sealed record Translation(Tensor Matrix_FD, Tensor Bias_D)
{
    /// <summary>
    /// M_i = Σ_j T_ij·s_j/s_i·W_dec_j over the pairs of a map, s being the folds of source and target; features that <paramref name="through"/> leaves out decode at t:
    /// M_i = W_dec_i of the source.
    /// </summary>
    public static Translation Of(FeatureMap map, DictionaryParameters source, DictionaryParameters target, bool folded, Func<FeaturePair, bool>? through = null)
    {
        var (d, f) = (target.Width(ParameterGroup.Decoder), source.Count);
        var matrix = Tensor.Allocate(DType.F32, f, d);
        var m = matrix.AsSpan<float>();
        var row = new float[d];
        ReadOnlySpan<float> from = source.Folded.Scale_F, to = target.Folded.Scale_F;
        var kept = new bool[f];
        foreach (var pair in map.Pairs)
        {
            if (through is not null && !through(pair)) continue;
            kept[pair.Source] = true;
            // the decoder rows as read carry the target's fold already
            var factor = pair.Weight * (folded ? 1 / from[pair.Source] : 1 / to[pair.Target]);
            target.Read(ParameterGroup.Decoder, [pair.Target], row, d);
            for (var k = 0; k < d; k++) m[pair.Source * d + k] += (float)(factor * row[k]);
        }

        for (var i = 0; i < f && through is not null; i++)
        {
            if (kept[i]) continue;
            source.Read(ParameterGroup.Decoder, [i], row, d, 1 / from[i]);
            row.CopyTo(m[(i * d)..]);
        }

        return new Translation(matrix, target.Folded.Sae.DecoderBias_D);
    }

    /// <summary>x̂ = z·M + b.</summary>
    public void Apply(ITensorEngine engine, Tensor z_NF, Tensor x_ND, CancellationToken cancel) => engine.MatMulSparse(z_NF, Matrix_FD, x_ND, new MatMulEpilogue(Bias_N: Bias_D), cancel);
}
