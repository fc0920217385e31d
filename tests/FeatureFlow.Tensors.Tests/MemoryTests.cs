namespace FeatureFlow.Tensors.Tests;

/// <summary>Runs by itself: what other tests allocate would be counted too.</summary>
[CollectionDefinition("Alone", DisableParallelization = true)]
public sealed class Alone;

[Collection("Alone")]
public class MemoryTests
{
    [Fact]
    public void TopKStaysFarBelowTheScores()
    {
        // 4,000 × 4,000 scores would be 64 MB; the candidates are a few
        var x = Make.Matrix(4000, 32, 17);
        using var engine = new CpuEngine(2);
        engine.TopKInnerProduct(x.Rows(0, 200), x, 5);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        engine.TopKInnerProduct(x, x, 5);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 8 << 20);
    }
}
