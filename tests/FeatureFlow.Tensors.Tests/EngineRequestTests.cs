namespace FeatureFlow.Tensors.Tests;

/// <summary>Engines as they are asked for on a command line.</summary>
public sealed class EngineRequestTests
{
    [Fact]
    public void WordsBecomeSettings()
    {
        Assert.Equal(new EngineRequest(EngineChoice.Auto), EngineRequest.Parse("auto"));
        Assert.Equal(new EngineRequest(EngineChoice.Cpu), EngineRequest.Parse("CPU"));
        Assert.Equal(new EngineRequest(EngineChoice.Torch, new EngineOptions { Device = "cuda:1", Compute = ComputeType.BF16 }), EngineRequest.Parse("torch, cuda:1, bf16"));
        Assert.Equal(new EngineRequest(EngineChoice.Torch, new EngineOptions { Device = "cpu", Tf32 = true }), EngineRequest.Parse("torch,cpu,tf32"));
        Assert.Equal(new EngineRequest(EngineChoice.Auto, new EngineOptions { Compute = ComputeType.F16 }), EngineRequest.Parse("auto,f16"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("torch,")]
    [InlineData("torch,int8")]
    [InlineData("cpu,f32")]
    public void OtherWordsAreRefused(string text) => Assert.Equal("FF1024", Assert.Throws<FeatureFlowException>(() => EngineRequest.Parse(text)).Code);

    [Fact]
    public void ConstantMemoryIsMarked()
    {
        using var storage = HostStorage.Allocate(8);
        Assert.False(storage.IsConstant);
        storage.Seal();
        Assert.True(storage.IsConstant);
    }

    [Fact]
    public void WhereNobodySaysTheEnvironmentDoes() =>
        Assert.Equal(EngineRequest.Parse(Environment.GetEnvironmentVariable("FEATUREFLOW_COMPUTE")!), EngineRequest.Default); // the suites name their engine there
}
