using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Small readings of decoders and vectors.</summary>
internal static class DecoderRows
{
    /// <summary>L2 norms of some decoder rows in float64, with the row factors that the format asks for. The same bits however they are grouped.</summary>
    public static double[] Norms(ITensorEngine engine, Sae sae, int[] rows, CancellationToken cancel)
    {
        const int Block = 256;
        var w_FD = sae.DecoderWeights_FD;
        var scale = sae.DecoderScale_F?.ToFloats(engine);
        var norms = new double[rows.Length];
        var width = w_FD.Shape[1];
        using var block_RD = Tensor.Allocate(DType.F32, Math.Min(Block, rows.Length), width);
        for (var start = 0; start < rows.Length; start += Block)
        {
            cancel.ThrowIfCancellationRequested();
            var n = Math.Min(Block, rows.Length - start);
            engine.GatherRows(w_FD, rows.AsSpan(start, n), block_RD.Rows(0, n));
            var values = block_RD.AsSpan<float>();
            for (var i = 0; i < n; i++)
            {
                double sum = 0;
                foreach (var v in values.Slice(i * width, width)) sum += (double)v * v;
                norms[start + i] = Math.Sqrt(sum) * (scale is null ? 1 : scale[rows[start + i]]);
            }
        }

        return norms;
    }

    /// <summary>Brings a decoder into memory: verifies it where the format has checksums, then reads one byte a page.</summary>
    public static unsafe void Touch(Sae sae)
    {
        const long Page = 4096;
        var w = sae.DecoderWeights_FD;
        if (w.Storage is not HostStorage) return;
        using var pin = w.Pin();
        long extent = w.DType.Size();
        for (var axis = 0; axis < w.Rank; axis++) extent += (w.Shape[axis] - 1L) * w.Strides[axis] * w.DType.Size();
        var sum = 0;
        for (long at = 0; at < extent; at += Page) sum += Volatile.Read(ref pin.Pointer[w.ByteOffset + at]);
        GC.KeepAlive(sum);
    }

    /// <summary>A vector as float32.</summary>
    public static float[] ToFloats(this Tensor vector, ITensorEngine engine)
    {
        using var copy = Tensor.Allocate(DType.F32, vector.Shape);
        engine.Copy(vector, copy);
        return copy.AsSpan<float>().ToArray();
    }
}
