using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>Activations that keep only winners.</summary>
internal static unsafe class Selection
{
    /// <summary>z = max(x, 0) at the k largest, 0 elsewhere; equal values by lower index, NaN never wins.</summary>
    public static void KeepLargest(float* x, float* z, int n, int k)
    {
        if (k >= n)
        {
            Rows.Relu(x, z, n);
            return;
        }

        var line = KthLargest(new ReadOnlySpan<float>(x, n), k);
        var room = k;
        for (var i = 0; i < n; i++)
        {
            if (x[i] > line) room--;
        }

        // those above the line are in; what room is left goes to those on it, from the left
        for (var i = 0; i < n; i++)
        {
            var v = x[i];
            var keep = v > line || (v == line && room-- > 0);
            z[i] = keep && v > 0 ? v : 0;
        }
    }

    /// <summary>z = max(x, 0) at the largest of each of <paramref name="groups"/> runs, 0 elsewhere; equal values by lower index.</summary>
    public static void KeepGroupMaximum(float* x, float* z, int n, int groups)
    {
        var size = n / groups;
        for (var g = 0; g < groups; g++, x += size, z += size)
        {
            var best = 0;
            for (var i = 1; i < size; i++)
            {
                if (x[i] > x[best] || float.IsNaN(x[best])) best = i;
            }

            var v = x[best];
            new Span<float>(z, size).Clear();
            z[best] = v > 0 ? v : 0;
        }
    }

    /// <summary>
    /// The k-th largest of a few finite numbers, 1 ≤ k ≤ their count: the bits of float32 rise with their values, so halving them finds it in 32 steps at most, each of which counts
    /// what is not under the middle. No branch depends on a single number, which is what makes sorting slow.
    /// </summary>
    public static float KthLargestOfFew(ReadOnlySpan<float> x, int k)
    {
        // filled up with numbers that are under all
        var lanes = Vector256<float>.Count;
        var length = (x.Length + lanes - 1) / lanes * lanes;
        Span<float> padded = length <= 1024 ? stackalloc float[length] : new float[length];
        x.CopyTo(padded);
        padded[x.Length..].Fill(float.NegativeInfinity);
        Vector256<float> lowest = Vector256.Create(x[0]), highest = lowest;
        ref var first = ref MemoryMarshal.GetReference(padded);
        for (var i = 0; i < length; i += lanes)
        {
            var v = Vector256.LoadUnsafe(ref first, (nuint)i);
            highest = Vector256.Max(highest, v);
            lowest = Vector256.Min(lowest, Vector256.ConditionalSelect(Vector256.Equals(v, Vector256.Create(float.NegativeInfinity)), lowest, v));
        }

        long low = long.MaxValue, high = long.MinValue;
        for (var lane = 0; lane < lanes; lane++) (low, high) = (Math.Min(low, Ordered(lowest[lane])), Math.Max(high, Ordered(highest[lane])));
        while (low < high)
        {
            var middle = (low + high + 1) >> 1;
            var line = Vector256.Create(Number((int)middle));
            var counts = Vector256<int>.Zero;
            for (var i = 0; i < length; i += lanes) counts -= Vector256.GreaterThanOrEqual(Vector256.LoadUnsafe(ref first, (nuint)i), line).AsInt32();
            if (Vector256.Sum(counts) >= k) low = middle;
            else high = middle - 1;
        }

        return Number((int)low);

        static int Ordered(float v)
        {
            var bits = BitConverter.SingleToInt32Bits(v);
            return bits ^ ((bits >> 31) & 0x7fffffff);
        }

        static float Number(int ordered) => BitConverter.Int32BitsToSingle(ordered ^ ((ordered >> 31) & 0x7fffffff));
    }

    // a heap of the k best so far, its smallest on top: most elements are turned away by one comparison
    private static float KthLargest(ReadOnlySpan<float> x, int k)
    {
        Span<float> heap = k <= 1024 ? stackalloc float[k] : new float[k];
        heap.Fill(float.NegativeInfinity);
        foreach (var v in x)
        {
            if (!(v > heap[0])) continue;
            var i = 0;
            for (; ;)
            {
                var child = 2 * i + 1;
                if (child >= k) break;
                if (child + 1 < k && heap[child + 1] < heap[child]) child++;
                if (heap[child] >= v) break;
                heap[i] = heap[child];
                i = child;
            }

            heap[i] = v;
        }

        return heap[0];
    }
}
