namespace FeatureFlow.Tensors.Tests;

/// <summary>The slow truth: plain loops in float64, kept for ever as oracle of the kernels.</summary>
internal static class Reference
{
    public static double[] Values(Tensor t)
    {
        var copy = Tensor.Allocate(DType.F64, t.Shape);
        CpuEngine.Shared.Copy(t, copy);
        return copy.AsSpan<double>().ToArray();
    }

    public static double[] MatMul(Tensor a, Tensor b)
    {
        int m = a.Shape[0], k = a.Shape[1], n = b.Shape[1];
        double[] x = Values(a), y = Values(b), c = new double[m * n];
        for (var i = 0; i < m; i++)
        {
            for (var p = 0; p < k; p++)
            {
                for (var j = 0; j < n; j++) c[i * n + j] += x[i * k + p] * y[p * n + j];
            }
        }

        return c;
    }

    /// <summary>Brute force: every score in float64, best first, equal ones by index.</summary>
    public static (int Index, double Score)[][] TopK(Tensor queries, Tensor keys, int k, bool cosine, double[]? bias = null)
    {
        int q = queries.Shape[0], n = keys.Shape[0], d = queries.Shape[1];
        double[] x = Values(queries), y = Values(keys);
        var result = new (int, double)[q][];
        for (var i = 0; i < q; i++)
        {
            var scores = new List<(int Index, double Score)>();
            for (var j = 0; j < n; j++)
            {
                double dot = 0, xx = 0, yy = 0;
                for (var p = 0; p < d; p++)
                {
                    dot += x[i * d + p] * y[j * d + p];
                    xx += x[i * d + p] * x[i * d + p];
                    yy += y[j * d + p] * y[j * d + p];
                }

                if (cosine) dot = xx == 0 || yy == 0 ? 0 : dot / Math.Sqrt(xx) / Math.Sqrt(yy);
                dot += bias?[j] ?? 0;
                if (double.IsFinite(dot)) scores.Add((j, dot));
            }

            result[i] = [.. scores.OrderByDescending(s => s.Score).ThenBy(s => s.Index).Take(k)];
        }

        return result;
    }
}

/// <summary>Seeded matrices in every layout that files bring.</summary>
internal static class Make
{
    public static Tensor Matrix(int rows, int columns, int seed, DType type = DType.F32, bool transposed = false, bool unaligned = false)
    {
        var random = new Random(seed);
        var plain = Tensor.Allocate(DType.F32, rows, columns);
        foreach (ref var v in plain.AsSpan<float>()) v = (float)(random.NextDouble() * 2 - 1);
        var (r, c) = transposed ? (columns, rows) : (rows, columns);
        var storage = HostStorage.Allocate((long)r * c * type.Size() + 8);
        var held = new Tensor(storage, type, [r, c], unaligned ? 3 : 0);
        var view = transposed ? held.Transpose() : held;
        CpuEngine.Shared.Copy(plain, view);
        return view;
    }

    public static Tensor Empty(int rows, int columns) => Tensor.Allocate(DType.F32, rows, columns);
}
