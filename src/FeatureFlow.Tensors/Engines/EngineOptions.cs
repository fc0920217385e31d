namespace FeatureFlow.Tensors;

/// <summary>In which type products are computed.</summary>
public enum ComputeType
{
    /// <summary>float32: what the built-in engine does.</summary>
    F32,

    /// <summary>Operands rounded to bfloat16, sums in float32: several times faster on cards, three digits.</summary>
    BF16,

    /// <summary>Operands rounded to float16, sums in float32; large values overflow.</summary>
    F16,
}

/// <summary>How an engine with a device is opened.</summary>
public sealed record EngineOptions
{
    /// <summary>cpu, cuda, cuda:1; null takes the first card, or the processor where there is none.</summary>
    public string? Device { get; init; }

    /// <summary>Type of products of models and SAEs. Top-k searches are exact in any case.</summary>
    public ComputeType Compute { get; init; }

    /// <summary>Lets float32 products round their operands to TF32 (10 bits): about eight times faster on cards from Ampere on.</summary>
    public bool Tf32 { get; init; }

    /// <summary>Bytes of weights kept on the device; 0 for most of what is free.</summary>
    public long WeightBudget { get; init; }

    /// <summary>Bytes that one operation may take for its intermediate results, 0 for a share of the device; less is tried where memory runs out.</summary>
    public long BlockBytes { get; init; }

    /// <summary>For tests: whether an operation that is about to take so many bytes for so many rows (0: for what has no parts) is to find that there are none.</summary>
    internal Func<string, long, int, bool>? Fails { get; init; }
}

/// <summary>What an engine holds beside the tensors of its callers.</summary>
/// <param name="OnCard">True when the device is a card with memory of its own.</param>
/// <param name="WeightBytes">Bytes of weights kept on the device.</param>
/// <param name="WeightBudget">Bytes that may be kept.</param>
/// <param name="Weights">Pieces kept.</param>
/// <param name="Evictions">How often a piece was given back to make room.</param>
/// <param name="Tensors">Tensors of libtorch that are alive in this process.</param>
/// <param name="DeviceBytes">Memory of the device, 0 where not known.</param>
/// <param name="FreeBytes">Free memory of the device, 0 where not known.</param>
/// <param name="UploadedBytes">What has gone from the host to the device so far: weights, numbers of callers.</param>
/// <param name="DownloadedBytes">What has come back.</param>
public sealed record EngineMemory(bool OnCard, long WeightBytes, long WeightBudget, int Weights, long Evictions, long Tensors, long DeviceBytes, long FreeBytes, long UploadedBytes, long DownloadedBytes);
