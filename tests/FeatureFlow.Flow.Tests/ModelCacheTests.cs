using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>Language models of the shared engine: opened once, never closed under those who use them.</summary>
public class ModelCacheTests
{
    private static readonly string Folder = Repository.Fixture("models", "gpt2-hub-layout");

    [Fact]
    public void OpenedOnceAndKeptWhileInUse()
    {
        using var engine = new FlowEngine(CpuEngine.Shared);
        using var first = engine.Model(Folder);
        using (var second = engine.Model(Folder)) Assert.Same(first.Model, second.Model);
        Assert.Equal([Path.GetFullPath(Folder)], engine.Status.Models);

        // forgotten, and still usable by who holds it; the next one gets another
        engine.Clear();
        Assert.Empty(engine.Status.Models);
        using (first.Model.Forward(new TokenBatch([[1, 2, 3]])))
        {
            using var third = engine.Model(Folder);
            Assert.NotSame(first.Model, third.Model);
        }

        first.Dispose();
        Assert.Throws<ObjectDisposedException>(() => first.Model.Forward(new TokenBatch([[1, 2, 3]])));
    }
}
