using System.Reflection;
using FeatureFlow.Tensors;
using Xunit.Sdk;

namespace FeatureFlow.Engines.Tests;

/// <summary>The engines of this machine, each opened once. The contract holds for every one of them; where torch is not installed its tests say that they did not run.</summary>
public static class Engines
{
    private static readonly Lazy<(ITensorEngine? Engine, string Why)> s_torch = new(OpenTorch);
    private static readonly Lazy<CpuEngine> s_single = new(() => new CpuEngine(threads: 1));

    public static string? WhyNoTorch => s_torch.Value.Engine is null ? s_torch.Value.Why : null;

    public static ITensorEngine Get(string name) => name switch
    {
        "cpu" => s_single.Value,
        _ => s_torch.Value.Engine!,
    };

    private static (ITensorEngine?, string) OpenTorch()
    {
        try
        {
            return (EngineCatalog.Open(EngineChoice.Torch, new EngineOptions { Device = Environment.GetEnvironmentVariable("FEATUREFLOW_TEST_DEVICE") }), "");
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

/// <summary>Runs a theory on the torch engine, where it is installed.</summary>
public sealed class OnTorchAttribute : DataAttribute
{
    private readonly object[] _data;

    public OnTorchAttribute(params object[] data)
    {
        _data = data;
        Skip = Engines.WhyNoTorch;
    }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [["torch", .. _data]];
}

/// <summary>A test of the torch engine alone.</summary>
public sealed class TorchFactAttribute : FactAttribute
{
    public TorchFactAttribute() => Skip = Engines.WhyNoTorch;
}
