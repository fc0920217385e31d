using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>The tokens of the reference results.</summary>
internal static class GoldenTokens
{
    public static IReadOnlyList<(string Corpus, TokenDocument Document)> Documents()
    {
        using var file = SafetensorsFile.Open(Repository.Fixture("golden", "stories260k", "tokens.safetensors"));
        var tensor = file.Get("tokens");
        return [.. tensor.AsSpan<long>().ToArray().Chunk(tensor.Shape[1]).Select((row, i) => ("ids", new TokenDocument(Array.ConvertAll(row, id => (int)id), true, $"tokens[{i}]")))];
    }
}
