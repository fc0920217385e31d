using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>Dead features start anew from what is badly reconstructed.</summary>
internal static class SaeRevival
{
    private const ulong Key = 0x726576697665; // numbers of its own

    // many at once would upset those that live
    private const double MostAtOnce = 0.01;

    /// <summary>
    /// Some of the dead take the direction of the error at a token drawn in proportion to its squared error. The size of the encoder and the second moments are those of
    /// the living in the mean; the threshold lies where the feature is active at as few tokens of the batch as others are.
    /// </summary>
    public static void Run(ITensorEngine engine, SaeRecipe recipe, SaeTrainingState state, Tensor x_TD, Tensor error_TD, int[] dead, long step, ulong seed)
    {
        var (tokens, d, features) = (x_TD.Shape[0], x_TD.Shape[1], recipe.FeatureCount);
        if (dead.Length == 0 || dead.Length == features) return;
        var prng = new Prng(seed, Key, (ulong)recipe.Address.Layer, (ulong)recipe.Address.Site, (ulong)step);
        var isDead = new bool[features];
        foreach (var f in dead) isDead[f] = true;
        using var norm_F = engine.Allocate(DType.F32, features);
        engine.RowNorms(state.WEnc_FD, norm_F);
        var size = Living(norm_F);
        var (biasMoment, thresholdMoment) = (Living(state.BEncMoment_F), Living(state.LogThresholdMoment_F));
        var (encoderMoment, decoderMoment) = (MeanRow(state.WEncMoment_FD), MeanRow(state.WDecMoment_FD));

        prng.Shuffle(dead.AsSpan());
        var chosen = dead[..Math.Min(dead.Length, Math.Max(1, (int)(MostAtOnce * features)))];
        using var directions_RD = Directions(engine, error_TD, chosen.Length, prng);
        if (directions_RD is null) return;
        var centre = HostValues.Read(engine, state.BDec_D);
        using Tensor device_RD = engine.Allocate(DType.F32, chosen.Length, d), pre_RT = engine.Allocate(DType.F32, chosen.Length, tokens), host_RT = Tensor.Allocate(DType.F32, chosen.Length, tokens);
        engine.Copy(directions_RD, device_RD);
        engine.MatMul(device_RD, x_TD.Transpose(), pre_RT);
        engine.Copy(pre_RT, host_RT);
        var active = Math.Clamp((int)Math.Round((recipe.TargetL0 ?? state.MeanL0) / features * tokens), 1, tokens);
        for (var r = 0; r < chosen.Length; r++)
        {
            var f = chosen[r];
            var direction = directions_RD.Rows(r, 1).Reshape(d).AsSpan<float>();
            double middle = 0;
            for (var i = 0; i < d; i++) middle += direction[i] * centre[i];
            var pre = host_RT.Rows(r, 1).Reshape(tokens).AsSpan<float>();
            pre.Sort();
            var threshold = Math.Max(size * (pre[tokens - active] - middle), 1e-3);
            Put(state.WDec_FD.Rows(f, 1), direction);
            Put(state.WDecMoment_FD.Rows(f, 1), decoderMoment);
            Put(state.BEnc_F.Rows(f, 1), [(float)(-middle * size)]);
            Put(state.BEncMoment_F.Rows(f, 1), [(float)biasMoment]);
            Put(state.LogThreshold_F.Rows(f, 1), [(float)Math.Log(threshold)]);
            Put(state.LogThresholdMoment_F.Rows(f, 1), [(float)thresholdMoment]);
            for (var i = 0; i < d; i++) direction[i] *= (float)size;
            Put(state.WEnc_FD.Rows(f, 1), direction);
            Put(state.WEncMoment_FD.Rows(f, 1), encoderMoment);
            state.LastActive[f] = step;
        }

        double Living(Tensor values_F) => HostValues.Read(engine, values_F).Where((_, f) => !isDead[f]).Average();

        // dead rows have moments near 0: the sum over all is that of the living
        float[] MeanRow(Tensor moment_FD)
        {
            using var sum_D = engine.Allocate(DType.F32, d);
            engine.ColumnSums(moment_FD, sum_D);
            return [.. HostValues.Read(engine, sum_D).Select(s => (float)(s / (features - dead.Length)))];
        }

        void Put(Tensor place, ReadOnlySpan<float> values)
        {
            using var host = Tensor.From(values, place.Shape);
            engine.Copy(host, place);
        }
    }

    // unit vectors x − x̂ of tokens drawn by their squared error; null when there is none
    private static Tensor? Directions(ITensorEngine engine, Tensor error_TD, int count, Prng prng)
    {
        var (tokens, d) = (error_TD.Shape[0], error_TD.Shape[1]);
        using var error = Tensor.Allocate(DType.F32, tokens, d);
        engine.Copy(error_TD, error);
        var sums = new double[tokens];
        double total = 0;
        for (var t = 0; t < tokens; t++)
        {
            foreach (var e in error.Rows(t, 1).Reshape(d).AsSpan<float>()) total += (double)e * e;
            sums[t] = total;
        }

        if (!(total > 0)) return null;
        var directions_RD = Tensor.Allocate(DType.F32, count, d);
        for (var r = 0; r < count; r++)
        {
            var t = Array.BinarySearch(sums, prng.NextDouble() * total);
            t = Math.Min(t < 0 ? ~t : t, tokens - 1);
            var norm = Math.Sqrt(sums[t] - (t > 0 ? sums[t - 1] : 0));
            var (from, to) = (error.Rows(t, 1).Reshape(d), directions_RD.Rows(r, 1).Reshape(d));
            for (var i = 0; i < d; i++) to.AsSpan<float>()[i] = norm > 0 ? (float)(-from.AsSpan<float>()[i] / norm) : 0;
        }

        return directions_RD;
    }
}
