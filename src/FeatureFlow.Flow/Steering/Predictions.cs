using System.Numerics;

namespace FeatureFlow.Flow;

/// <summary>Next-token distributions by their logits, row by row.</summary>
internal static class Predictions
{
    private const int Run = 4096; // what is summed in float32 before it goes into the float64 sum

    /// <summary>log Σ exp.</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits_V)
    {
        var most = float.NegativeInfinity;
        foreach (var x in logits_V) most = Math.Max(most, x);
        double sum = 0;
        for (var start = 0; start < logits_V.Length; start += Run)
        {
            var some = logits_V[start..Math.Min(logits_V.Length, start + Run)];
            var lanes = Vector<float>.Zero;
            var v = 0;
            for (; v + Vector<float>.Count <= some.Length; v += Vector<float>.Count) lanes += Vector.Exp(new Vector<float>(some[v..]) - new Vector<float>(most));
            sum += Vector.Sum(lanes);
            for (; v < some.Length; v++) sum += MathF.Exp(some[v] - most);
        }

        return most + Math.Log(sum);
    }

    /// <summary>KL(s ‖ c) = Σ p_s (log p_s − log p_c) in nats, from logits and their log Σ exp.</summary>
    public static double Divergence(ReadOnlySpan<float> s_V, double sLogSum, ReadOnlySpan<float> c_V, double cLogSum)
    {
        var shift = (float)sLogSum;
        double sum = 0;
        for (var start = 0; start < s_V.Length; start += Run)
        {
            var end = Math.Min(s_V.Length, start + Run);
            var lanes = Vector<float>.Zero;
            var v = start;
            for (; v + Vector<float>.Count <= end; v += Vector<float>.Count)
            {
                var logit = new Vector<float>(s_V[v..]);
                lanes += Vector.Exp(logit - new Vector<float>(shift)) * (logit - new Vector<float>(c_V[v..]));
            }

            sum += Vector.Sum(lanes);
            for (; v < end; v++) sum += MathF.Exp(s_V[v] - shift) * (s_V[v] - c_V[v]);
        }

        return Math.Max(0, sum - sLogSum + cLogSum);
    }
}
