using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>Where and in which type PyTorch does the same.</summary>
/// <param name="Device">cpu, cuda, cuda:1.</param>
/// <param name="Type">Of everything that has no type of its own.</param>
/// <param name="Tf32">Whether float32 products may be rounded.</param>
internal sealed record TorchSetting(string Device, ComputeType Type, bool Tf32)
{
    public string Preamble => $"""
        import torch
        if '{Device}' != 'cpu':
            torch.set_default_device('{Device}')
            torch.backends.cuda.matmul.allow_tf32 = {Tf32}
            sync = torch.cuda.synchronize
        torch.set_default_dtype(torch.{Type switch { ComputeType.BF16 => "bfloat16", ComputeType.F16 => "float16", _ => "float32" }})

        """;
}
