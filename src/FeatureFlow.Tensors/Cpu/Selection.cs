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

    /// <summary>The k-th largest of a few numbers, none of them NaN, which change places (Hoare's selection, 1961): linear, where sorting would not be.</summary>
    public static float KthLargestOfFew(Span<float> x, int k)
    {
        int low = 0, high = x.Length - 1, at = k - 1;
        while (low < high)
        {
            float a = x[low], b = x[(low + high) / 2], c = x[high];
            var pivot = Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c)); // the middle one
            int i = low, j = high;
            while (i <= j)
            {
                while (x[i] > pivot) i++;
                while (x[j] < pivot) j--;
                if (i > j) break;
                (x[i], x[j]) = (x[j], x[i]);
                i++;
                j--;
            }

            if (at <= j) high = j;
            else if (at >= i) low = i;
            else break; // between the two, all equal the pivot
        }

        return x[at];
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
