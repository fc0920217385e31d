namespace FeatureFlow.Tensors.Cpu;

/// <summary>Reads a few features of a row and adds what is to be changed of them: one pass, and of every row only the features that it rescales.</summary>
internal static unsafe class FeatureRescale
{
    /// <summary>y += Σ_u factor[u]·σ(x·encoder[u] + bias[u])·decoder[u]; all activations are read before anything is written.</summary>
    public static void Row(float* x, int d, float* encoder, long strideE, float* bias, float* threshold, float* factor, int features, float* decoder, long strideD, float* y, int o, float* change)
    {
        for (var u = 0; u < features; u++)
        {
            change[u] = 0;
            if (factor[u] == 0) continue;
            var pre = Vectors.Dot(x, encoder + u * strideE, d) + bias[u];
            if (pre > threshold[u] && pre > 0) change[u] = factor[u] * pre;
        }

        for (var u = 0; u < features; u++)
        {
            if (change[u] != 0) Rows.Add(y, decoder + u * strideD, change[u], y, o);
        }
    }
}
