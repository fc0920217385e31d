using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Tensors;

namespace FeatureFlow.Experiments.Texts;

/// <summary>Token ids that somebody has made already.</summary>
public static class TokenIdsFile
{
    /// <summary>The rows of a tensor as documents that start with BOS.</summary>
    /// <param name="path">A .safetensors file.</param>
    /// <param name="tensor">int64 or int32, [N,T] or [T].</param>
    /// <exception cref="FeatureFlowException">FF5121: no such tensor of ids; FF20xx: unreadable.</exception>
    public static IReadOnlyList<TokenDocument> Read(string path, string tensor)
    {
        using var file = SafetensorsFile.Open(path);
        if (!file.Contains(tensor) || file.Entry(tensor) is not { Shape: [> 0] or [_, > 0], DType: DType.I64 or DType.I32 } entry)
            throw ExperimentErrors.NoIds(file.Path, tensor, file.Entries.Select(e => $"{e.Name} {e}"));
        var values = file.Get(tensor);
        var ids = entry.DType == DType.I32 ? values.AsSpan<int>().ToArray() : Array.ConvertAll(values.AsSpan<long>().ToArray(), id => id is >= 0 and <= int.MaxValue ? (int)id : throw ExperimentErrors.NoIds(file.Path, tensor, [$"{id} among its numbers"]));
        return [.. ids.Chunk(entry.Shape[^1]).Select((row, i) => new TokenDocument(row, StartsWithBos: true, $"{tensor}[{i}]"))];
    }
}
