using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Sums and draws over one row of logits.</summary>
internal static unsafe class Sampling
{
    [ThreadStatic]
    private static ulong[]? t_keys;

    [ThreadStatic]
    private static double[]? t_weights;

    /// <summary>log Σ eˣ, the sum in float64.</summary>
    public static double LogSumExp(float* x, int n)
    {
        var most = Largest(x, n);
        if (!float.IsFinite(x[most])) return x[most];
        return x[most] + Math.Log(SumExp(x, x[most], 1, n));
    }

    /// <summary>One token: see <see cref="ITensorEngine.SampleRows"/>.</summary>
    public static int Draw(float* x, int n, SamplingRow row)
    {
        var most = Largest(x, n);
        if (row.Temperature <= 0 || row.TopK == 1 || n == 1) return most;
        var (top, scale) = (x[most], 1f / row.Temperature);
        var total = SumExp(x, top, scale, n);
        if (row.TopK <= 0 && row.TopP >= 1)
        {
            // the whole distribution, in the order of the vocabulary, block by block
            const int block = 256;
            double target = row.Uniform * total, sum = 0;
            var start = 0;
            for (; start + block < n; start += block)
            {
                var next = sum + SumExp(x + start, top, scale, block);
                if (next > target) break;
                sum = next;
            }

            var at = -1;
            for (var i = start; i < n; i++)
            {
                var p = Weight(x[i], top, scale);
                if (p == 0) continue;
                sum += p;
                at = i;
                if (sum > target) break;
            }

            return at < 0 ? most : at;
        }

        return DrawBest(x, n, top, scale, total, row);
    }

    /// <summary>Index of the largest, the lowest when equal; NaN never wins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Largest(float* x, int n)
    {
        // comparisons with NaN are false: it is never taken over
        var lanes = Vector512.Create(float.NegativeInfinity);
        var i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var v = Vector512.Load(x + i);
            lanes = Vector512.ConditionalSelect(Vector512.GreaterThan(v, lanes), v, lanes);
        }

        var most = Maps.Largest(lanes);
        for (; i < n; i++)
        {
            if (x[i] > most) most = x[i];
        }

        for (i = 0; i + 16 <= n; i += 16)
        {
            var equal = Vector512.ExtractMostSignificantBits(Vector512.Equals(Vector512.Load(x + i), Vector512.Create(most)));
            if (equal != 0) return i + BitOperations.TrailingZeroCount(equal);
        }

        for (; i < n; i++)
        {
            if (x[i] == most) return i;
        }

        return 0; // all NaN
    }

    /// <summary>KL(p ‖ q) in nats of two rows of logits: both normalised in one go, the sums in float64.</summary>
    public static double Divergence(float* p, float* q, int n)
    {
        float mostP = p[Largest(p, n)], mostQ = q[Largest(q, n)];
        double sumP = 0, sumQ = 0, sumDifference = 0;
        const int together = 1024; // what is summed in float32
        for (var start = 0; start < n; start += together) SumsTogether(p + start, q + start, Math.Min(together, n - start), mostP, mostQ, ref sumP, ref sumQ, ref sumDifference);
        return Math.Max(0, (sumDifference / sumP) + ((mostQ + Math.Log(sumQ)) - (mostP + Math.Log(sumP))));
    }

    // Σ eᵖ, Σ e^q and Σ eᵖ(p − q)
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumsTogether(float* p, float* q, int n, float mostP, float mostQ, ref double sumP, ref double sumQ, ref double sumDifference)
    {
        Vector512<float> ofP = Vector512<float>.Zero, ofQ = ofP, ofDifference = ofP;
        var i = 0;
        for (; i + 16 <= n; i += 16)
        {
            Vector512<float> a = Vector512.Load(p + i), b = Vector512.Load(q + i);
            var weight = VectorMath.Exp(a - Vector512.Create(mostP));
            ofP += weight;
            ofQ += VectorMath.Exp(b - Vector512.Create(mostQ));
            ofDifference = Vector512.MultiplyAddEstimate(weight, a - b, ofDifference);
        }

        sumP += Vector512.Sum(ofP);
        sumQ += Vector512.Sum(ofQ);
        sumDifference += Vector512.Sum(ofDifference);
        for (; i < n; i++)
        {
            var weight = Math.Exp((double)p[i] - mostP);
            sumP += weight;
            sumQ += Math.Exp((double)q[i] - mostQ);
            sumDifference += weight * ((double)p[i] - q[i]);
        }
    }

    // The cuts keep a small part of the vocabulary, nearly always: those within a distance of the top are sorted, best first, and the distance grows until they are enough
    private static int DrawBest(float* x, int n, float top, float scale, double total, SamplingRow row)
    {
        for (var distance = 1f; ; distance *= 2)
        {
            var found = Within(x, n, top - distance / scale);
            var all = found.Length == n || distance > 200;
            if (row.TopK > 0 && found.Length < row.TopK && !all) continue;
            found.Sort();
            var limit = row.TopK > 0 ? Math.Min(row.TopK, found.Length) : found.Length;
            var weights = t_weights!.AsSpan(0, limit);
            var enough = row.TopP < 1 ? Math.Max(0, (double)row.TopP) * total : double.PositiveInfinity;
            if (row.TopK > 0 && row.TopP < 1)
            {
                // the cut by probability is of what the first cut has left
                double left = 0;
                for (var i = 0; i < limit; i++) left += Weight(x[(uint)found[i]], top, scale);
                enough = row.TopP * left;
            }

            double kept = 0;
            var count = 0;
            while (count < limit && (count == 0 || kept < enough)) kept += weights[count] = Weight(x[(uint)found[count++]], top, scale);
            if (kept < enough && row.TopK <= 0 && !all) continue;
            double wanted = row.Uniform * kept, passed = 0;
            for (var i = 0; i < count; i++)
            {
                passed += weights[i];
                if (passed > wanted) return (int)(uint)found[i];
            }

            return (int)(uint)found[count - 1];
        }
    }

    // indices of numbers that are not below a floor, in keys that sort by falling number, then by index
    private static Span<ulong> Within(float* x, int n, float floor)
    {
        if (t_keys is null || t_keys.Length < n) (t_keys, t_weights) = (new ulong[n], new double[n]);
        var keys = t_keys;
        var count = 0;
        var i = 0;
        for (var least = Vector512.Create(floor); i + 16 <= n; i += 16)
        {
            for (var mask = Vector512.ExtractMostSignificantBits(Vector512.GreaterThanOrEqual(Vector512.Load(x + i), least)); mask != 0; mask &= mask - 1) Put(i + BitOperations.TrailingZeroCount(mask));
        }

        for (; i < n; i++)
        {
            if (x[i] >= floor) Put(i);
        }

        return keys.AsSpan(0, count);

        void Put(int at)
        {
            var bits = BitConverter.SingleToUInt32Bits(x[at] + 0f); // one zero
            var rising = bits >> 31 == 0 ? bits | 0x80000000 : ~bits;
            keys[count++] = ((ulong)~rising << 32) | (uint)at;
        }
    }

    private static double Weight(float x, float top, float scale) => Math.Exp((double)(x - top) * scale);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumExp(float* x, float top, float scale, int n)
    {
        Vector512<double> low = Vector512<double>.Zero, high = low;
        var i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var (a, b) = Vector512.Widen(VectorMath.Exp((Vector512.Load(x + i) - Vector512.Create(top)) * scale));
            low += a;
            high += b;
        }

        var sum = Vector512.Sum(low + high);
        for (; i < n; i++) sum += Math.Exp((double)(x[i] - top) * scale);
        return sum;
    }
}
