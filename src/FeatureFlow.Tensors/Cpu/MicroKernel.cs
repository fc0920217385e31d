namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// The innermost product: a strip of packed A (k × Rows) times a strip of packed B (k × Columns), held in registers over all of k.
/// Every element is one chain of fused multiply-adds in the order of k, so the bits do not depend on who computes it.
/// </summary>
internal abstract unsafe class MicroKernel
{
    /// <summary>Rows of a tile.</summary>
    public abstract int Rows { get; }

    /// <summary>Columns of a tile.</summary>
    public abstract int Columns { get; }

    /// <summary>c[Rows, Columns] = or += aᵀ·b; <paramref name="stride"/> is that of c in elements.</summary>
    public abstract void Run(float* a, float* b, int k, float* c, long stride, bool accumulate);

    /// <summary>The same for rows <paramref name="first"/> to first + rows of the strip of A only (1 to 4 of them, first a multiple of 4), and the same bits.</summary>
    public virtual void RunFew(int first, int rows, float* a, float* b, int k, float* c, long stride, bool accumulate)
    {
        var tile = stackalloc float[Rows * Columns];
        Run(a, b, k, tile, Columns, accumulate: false);
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < Columns; j++)
                c[i * stride + j] = accumulate ? tile[(first + i) * Columns + j] + c[i * stride + j] : tile[(first + i) * Columns + j];
        }
    }
}
