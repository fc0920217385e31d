using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// Rows as 16-bit whole numbers, for a first judgement that costs less than one of float32: q = round(32767·x/‖x‖). A product of two such rows is at most 32767² in
/// size, so that 32 bits hold every sum, and it errs by no more than their roundings allow (<see cref="RelativeError"/>).
/// </summary>
internal static unsafe class WholeNumbers
{
    /// <summary>Norm of a rounded row.</summary>
    public const double Norm = 32767;

    // narrower rows, and keys whose norms differ so much that the error of the largest hides the smallest, are better off in float32
    private const int FewestColumns = 64;
    private const double LargestToMean = 8;

    /// <summary>True where whole numbers pay: dense rows, the instructions at hand, and key norms of one size unless scores are cosines.</summary>
    public static bool Suit(Operand queries, Operand keys, double[] keyNorm, bool cosine)
    {
        if (!Avx512BW.IsSupported || !queries.RowsAreDense || !keys.RowsAreDense || keys.Columns < FewestColumns) return false;
        if (cosine) return true;
        double largest = 0, sum = 0;
        var count = 0;
        foreach (var norm in keyNorm)
        {
            if (norm == 0 || TopKSearch.IsAwkward(norm)) continue;
            largest = Math.Max(largest, norm);
            sum += norm;
            count++;
        }

        return largest * count <= LargestToMean * sum;
    }

    /// <summary>
    /// Largest |(q·r)/32767² − cos(x, y)|: each rounded row is off by a vector of at most half a unit in every place, ½√d in all (Cauchy and Schwarz), some more for the float32 in
    /// which it is rounded.
    /// </summary>
    public static double RelativeError(int d)
    {
        var each = 0.51 * Math.Sqrt(d) / Norm;
        return (2 * each) + (each * each);
    }

    /// <summary>Elements of 32 bits that a rounded row of d numbers takes.</summary>
    public static int Pairs(int d) => (d + 1) / 2;

    /// <summary>Rounds rows into <paramref name="target"/>, which has room for them and for one row of float32 more: a matrix of pairs, as elements of 32 bits.</summary>
    public static Operand Round(Operand x, double[] norm, int row, int rows, float* target)
    {
        int d = x.Columns, pairs = Pairs(d);
        var values = target + ((long)rows * pairs);
        for (var i = 0; i < rows; i++)
        {
            Rows.ToFloat(x.At(row + i, 0), x.Type, x.ColumnStep, values, d);
            var n = norm[row + i];
            Round(values, n > 0 && !TopKSearch.IsAwkward(n) ? (float)(Norm / n) : 0, (short*)(target + ((long)i * pairs)), d);
        }

        return new Operand((byte*)target, DType.F32, rows, pairs, pairs * sizeof(float), sizeof(float));
    }

    private static void Round(float* x, float scale, short* q, int d)
    {
        var i = 0;
        if (Avx512BW.IsSupported)
        {
            // the conversion rounds to nearest; saturation cannot happen but by the scale's own rounding
            for (; i + 16 <= d; i += 16) Avx512BW.ConvertToVector256Int16WithSaturation(Avx512F.ConvertToVector512Int32(Vector512.Load(x + i) * scale)).Store(q + i);
        }

        for (; i < d; i++) q[i] = scale == 0 ? (short)0 : (short)Math.Clamp(MathF.Round(x[i] * scale), -32768f, 32767f);
        if ((d & 1) != 0) q[d] = 0;
    }
}
