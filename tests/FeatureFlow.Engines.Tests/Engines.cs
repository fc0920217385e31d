using System.Reflection;
using FeatureFlow.Tensors;
using Xunit.Sdk;

namespace FeatureFlow.Engines.Tests;

/// <summary>The engines of this machine, each opened once. The contract holds for every one of them; where torch is not installed its tests say that they did not run.</summary>
public static class Engines
{
    private static readonly Lazy<(ITensorEngine? Engine, string Why)> s_torch = new(OpenTorch);
    private static readonly Lazy<ITensorEngine> s_tight = new(() => Open(new EngineOptions { BlockBytes = 1 << 14, WeightBudget = 1 << 15 }));
    private const int Short = 3; // rows, or columns, that "torch, short" has room for at once

    private static readonly Lazy<ITensorEngine> s_short = new(() => Open(new EngineOptions { Fails = (_, _, parts) => parts > Short }));
    private static readonly Lazy<CpuEngine> s_single = new(() => new CpuEngine(threads: 1));

    public static string? WhyNoTorch => s_torch.Value.Engine is null ? s_torch.Value.Why : null;

    public static ITensorEngine Get(string name) => name switch
    {
        "cpu" => s_single.Value,
        "torch, tight" => s_tight.Value, // everything in many small blocks, weights evicted all the time
        "torch, short" => s_short.Value, // memory runs out all the time: blocks are halved until they fit
        _ => s_torch.Value.Engine!,
    };

    /// <summary>The torch engine with settings of its own, on the device that is tested.</summary>
    public static ITensorEngine Open(EngineOptions options) => EngineCatalog.Open(EngineChoice.Torch, options with { Device = Environment.GetEnvironmentVariable("FEATUREFLOW_TEST_DEVICE") });

    private static (ITensorEngine?, string) OpenTorch()
    {
        try
        {
            return (Open(new EngineOptions()), "");
        }
        catch (FeatureFlowException e)
        {
            return (null, $"not run: {e.Message}");
        }
    }
}

/// <summary>Runs a theory on the built-in engine (one thread, against all of them).</summary>
public sealed class OnCpuAttribute(params object[] data) : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [["cpu", .. data]];
}

/// <summary>Runs a theory on the torch engine, where it is installed: as it is, told to use hardly any memory, and finding hardly any.</summary>
public sealed class OnTorchAttribute : DataAttribute
{
    private readonly object[] _data;

    public OnTorchAttribute(params object[] data)
    {
        _data = data;
        Skip = Engines.WhyNoTorch;
    }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [["torch", .. _data], ["torch, tight", .. _data], ["torch, short", .. _data]];
}

/// <summary>A theory of the torch engine alone.</summary>
public sealed class TorchTheoryAttribute : TheoryAttribute
{
    public TorchTheoryAttribute() => Skip = Engines.WhyNoTorch;
}

/// <summary>A test of the torch engine alone.</summary>
public sealed class TorchFactAttribute : FactAttribute
{
    public TorchFactAttribute() => Skip = Engines.WhyNoTorch;
}
