namespace FeatureFlow.Tensors;

/// <summary>An engine as it is asked for: which, with what settings, from where.</summary>
/// <param name="Choice">Which.</param>
/// <param name="Options">Settings; null for the usual ones.</param>
/// <param name="Folder">The only folder in which the torch engine is searched; null for <c>FEATUREFLOW_ENGINE</c>, the user's engines, and beside the program.</param>
public sealed record EngineRequest(EngineChoice Choice = EngineChoice.Auto, EngineOptions? Options = null, string? Folder = null)
{
    /// <summary>What is asked for where nobody says: the words of <c>FEATUREFLOW_COMPUTE</c>, else auto.</summary>
    /// <exception cref="FeatureFlowException">FF1024: another word.</exception>
    public static EngineRequest Default => Environment.GetEnvironmentVariable("FEATUREFLOW_COMPUTE") is { Length: > 0 } text ? Parse(text) : new EngineRequest();

    /// <summary>Reads <c>auto</c>, <c>cpu</c> or <c>torch</c>, and behind <c>auto</c> and <c>torch</c> settings after commas: a device (<c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>) and the type of products (<c>f32</c>, <c>tf32</c>, <c>bf16</c>, <c>f16</c>).</summary>
    /// <exception cref="FeatureFlowException">FF1024: another word.</exception>
    public static EngineRequest Parse(string text)
    {
        var words = text.Split(',', StringSplitOptions.TrimEntries);
        var choice = words[0].ToLowerInvariant() switch
        {
            "auto" => EngineChoice.Auto,
            "cpu" => EngineChoice.Cpu,
            "torch" => EngineChoice.Torch,
            _ => throw TensorErrors.NoEngineWord(text, words[0]),
        };
        if (words.Length == 1) return new EngineRequest(choice);
        var options = new EngineOptions();
        foreach (var word in words.AsSpan(1))
        {
            options = choice == EngineChoice.Cpu ? throw TensorErrors.NoEngineWord(text, word) : word.ToLowerInvariant() switch
            {
                "f32" => options with { Compute = ComputeType.F32, Tf32 = false },
                "tf32" => options with { Compute = ComputeType.F32, Tf32 = true },
                "bf16" => options with { Compute = ComputeType.BF16 },
                "f16" => options with { Compute = ComputeType.F16 },
                var device when device is "cpu" or "cuda" || device.StartsWith("cuda:", StringComparison.Ordinal) => options with { Device = device },
                _ => throw TensorErrors.NoEngineWord(text, word),
            };
        }

        return new EngineRequest(choice, options);
    }

    /// <summary>Opens it.</summary>
    /// <param name="warn">Told once when auto has to do with less than was installed.</param>
    public ITensorEngine Open(Action<string>? warn = null) => EngineCatalog.Open(Choice, Options, Folder, warn);
}
