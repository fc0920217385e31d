namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// A constant weight as float32 in strips of <see cref="Panels.Width"/> columns, made when a second batch of rows meets it and kept with its tensor: small models are used many
/// times a second, and turning their weights anew each time costs more than multiplying. Weights too large for a cache are never kept, nor more of
/// all of them together than a budget: those are limited by memory, which strips would only ask more of. One or few rows read strips too while all of them fit in a
/// cache, else weights as they are stored, which may be half as large. Goes when the tensor goes.
/// </summary>
internal sealed class PackedWeights
{
    /// <summary>Rows from which on strips pay even where they come from memory.</summary>
    public const int FewestRows = 5;

    /// <summary>Bytes of all strips up to which they pay for fewer rows too: what a last-level cache holds.</summary>
    public const long CacheBytes = 16L << 20;

    private const long LargestBytes = 4L << 20;

    private static long s_budget = 128L << 20;
    private static long s_kept;

    private int _uses;
    private Strips? _strips;

    /// <summary>Bytes that are kept now.</summary>
    public static long KeptBytes => Interlocked.Read(ref s_kept);

    /// <summary>Bytes that are kept at most.</summary>
    public static long Budget
    {
        get => Interlocked.Read(ref s_budget);
        set => Interlocked.Exchange(ref s_budget, value);
    }

    /// <summary>The strips [columns / 32][k][32] of a constant [k, columns], or null: not constant, too large, used for the first time, or no room.</summary>
    /// <param name="b_KN">The weight.</param>
    /// <param name="rows">Rows that it will be multiplied with.</param>
    public static float[]? Of(Tensor b_KN, int rows)
    {
        if (!Panels.IsSupported || b_KN.Storage is not HostStorage { IsConstant: true } || b_KN.Rank != 2) return null;
        var kept = b_KN.Packed;
        var most = rows < FewestRows ? Math.Min(CacheBytes, Budget) : Budget;
        if (kept?._strips is { } strips) return rows >= FewestRows || KeptBytes <= most ? strips.Values : null;
        if (kept is null)
        {
            if (Bytes(b_KN) > LargestBytes) return null;
            Interlocked.CompareExchange(ref b_KN.Packed, new PackedWeights { _uses = 1 }, null);
            return null;
        }

        return Interlocked.Increment(ref kept._uses) == 2 || kept._uses % 64 == 0 ? kept.Pack(b_KN, most) : null;
    }

    /// <summary>Forgets the strips of a weight; they are made again when it is used again.</summary>
    public static void Forget(Tensor b_KN) => b_KN.Packed = null;

    private static long Bytes(Tensor b_KN) => sizeof(float) * (long)b_KN.Shape[0] * Gemm.RoundUp(b_KN.Shape[1], Panels.Width);

    // null when there is no room: tried again later
    private unsafe float[]? Pack(Tensor b_KN, long most)
    {
        var bytes = Bytes(b_KN);
        if (Interlocked.Add(ref s_kept, bytes) > most)
        {
            Interlocked.Add(ref s_kept, -bytes);
            return null;
        }

        var strips = new Strips(GC.AllocateUninitializedArray<float>((int)(bytes / sizeof(float)) + 16, pinned: true), bytes);
        using var pin = b_KN.Pin();
        var b = Operand.Of(b_KN, pin, "MatMul");
        fixed (float* target = strips.Values) Packing.Pack(b.Transpose(), 0, b.Columns, 0, b.Rows, Panels.Width, Aligned(target));
        return (_strips = strips).Values;
    }

    /// <summary>Where the strips begin in their array: at a cache line.</summary>
    public static unsafe float* Aligned(float* start) => (float*)(((nint)start + 63) & ~63);

    // gives the bytes back to the budget when nobody can use them any more
    private sealed class Strips(float[] values, long bytes)
    {
        ~Strips() => Interlocked.Add(ref s_kept, -bytes);

        public float[] Values => values;
    }
}
