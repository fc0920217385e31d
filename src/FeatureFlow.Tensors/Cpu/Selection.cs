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
