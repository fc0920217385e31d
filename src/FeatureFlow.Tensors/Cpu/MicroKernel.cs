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
}
