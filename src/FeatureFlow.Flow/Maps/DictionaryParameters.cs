using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>A group of an SAE's parameters, feature by feature.</summary>
internal enum ParameterGroup
{
    Decoder,
    Encoder,
    EncoderBias,
}

/// <summary>Rows of an SAE's parameters with its fold applied, float32, feature by feature.</summary>
internal sealed class DictionaryParameters(ITensorEngine engine, FoldedSae folded)
{
    private const int Block = 512;

    public FoldedSae Folded => folded;

    public int Count => folded.Sae.Info.FeatureCount;

    public int Width(ParameterGroup group) => group switch
    {
        ParameterGroup.Decoder => folded.Sae.Info.OutputWidth,
        ParameterGroup.Encoder => folded.Sae.Info.InputWidth,
        _ => 1,
    };

    /// <summary>The rows of some features, into [features, width] of <paramref name="into"/>, every <paramref name="stride"/> numbers one.</summary>
    public void Read(ParameterGroup group, ReadOnlySpan<int> features, Span<float> into, int stride, float factor = 1)
    {
        var width = Width(group);
        if (group == ParameterGroup.EncoderBias)
        {
            for (var i = 0; i < features.Length; i++) into[i * stride] = folded.EncoderBias_F[features[i]] * factor;
            return;
        }

        var weights = group == ParameterGroup.Decoder ? folded.Sae.DecoderWeights_FD : folded.Sae.EncoderWeights_DF.Transpose();
        var factors = group == ParameterGroup.Decoder ? folded.DecoderFactor_F : folded.EncoderFactor_F;
        using var rows = Tensor.Allocate(DType.F32, Math.Min(Block, features.Length), width);
        for (var start = 0; start < features.Length; start += Block)
        {
            var count = Math.Min(Block, features.Length - start);
            engine.GatherRows(weights, features.Slice(start, count), rows.Rows(0, count));
            var values = rows.AsSpan<float>();
            for (var i = 0; i < count; i++)
            {
                var scale = factors[features[start + i]] * factor;
                var (row, to) = (i * width, (start + i) * stride);
                for (var d = 0; d < width; d++) into[to + d] = values[row + d] * scale;
            }
        }
    }

    /// <summary>All features as points [F, width of the groups together], each group times the root of its weight.</summary>
    public Tensor Points(IReadOnlyList<(ParameterGroup Group, double Weight)> groups)
    {
        var width = groups.Sum(g => Width(g.Group));
        var points = Tensor.Allocate(DType.F32, Count, width);
        for (var start = 0; start < Count; start += Block)
        {
            int[] features = [.. Enumerable.Range(start, Math.Min(Block, Count - start))];
            var into = points.Rows(start, features.Length).AsSpan<float>();
            var at = 0;
            foreach (var (group, weight) in groups)
            {
                Read(group, features, into[at..], width, (float)Math.Sqrt(weight));
                at += Width(group);
            }
        }

        return points;
    }
}
