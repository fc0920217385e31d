using System.Text.Json.Nodes;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Transformers;

/// <summary>Checkpoints that are not whole, not right, or not of a kind that opens: one clear error each.</summary>
public sealed class CheckpointTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WhatIsMissingIsNamed()
    {
        Error("FF2201", Path.Combine(_folder.Path, "nowhere"), "no such folder");
        Error("FF2201", _folder.Path, "config.json");
        var copy = Copy("gpt2");
        File.Delete(Path.Combine(copy, "model.safetensors"));
        Error("FF2201", copy, "model.safetensors.index.json");
        File.WriteAllText(Path.Combine(copy, "pytorch_model.bin"), "x");
        Error("FF2209", copy, "safe_serialization");

        var sharded = Copy("llama31-bf16-sharded");
        File.Delete(Path.Combine(sharded, "model-00002-of-00002.safetensors"));
        Error("FF2208", sharded, "model-00002-of-00002.safetensors");
        Error("FF2216", "someone/some-model-that-is-nowhere", "hf download someone/some-model-that-is-nowhere");
    }

    [Fact]
    public void AnIndexMayNotLeadOutOfTheFolder()
    {
        var sharded = Copy("llama31-bf16-sharded");
        var index = Path.Combine(sharded, "model.safetensors.index.json");
        File.WriteAllText(index, File.ReadAllText(index).Replace("model-00001-of-00002.safetensors", "../model.safetensors", StringComparison.Ordinal));
        Error("FF2040", sharded, "leads out");
    }

    [Fact]
    public void WeightsOfAnotherShapeSayBothShapes()
    {
        var copy = Copy("gpt2");
        Change(copy, c => c["n_inner"] = 100);
        Error("FF2204", copy, "'transformer.h.0.mlp.c_fc.weight' is [64,256] where config.json makes it [64,100]");
        Change(copy, c => (c["n_inner"], c["n_layer"]) = (null, 4));
        Error("FF2203", copy, "'transformer.h.3.ln_1.weight' is missing");
    }

    [Theory]
    [InlineData("model_type", "\"bert\"", "FF2202", "gemma2, llama, gpt2, gpt_neox")]
    [InlineData("rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 4.0}", "FF2206", "yarn")]
    [InlineData("hidden_act", "\"mish\"", "FF2206", "mish")]
    [InlineData("num_key_value_heads", "5", "FF2207", "shared")]
    [InlineData("hidden_size", "0", "FF2207", "positive")]
    [InlineData("vocab_size", "\"many\"", "FF2062", "whole number")]
    [InlineData("hidden_size", "null", "FF2061", "hidden_size")]
    public void ConfigurationsThatCannotBeAreRefusedByName(string key, string value, string code, string words)
    {
        var copy = Copy("llama31-bf16-sharded");
        Change(copy, c => c[key] = JsonNode.Parse(value));
        Error(code, copy, words);
    }

    [Fact]
    public void TokensAndPositionsThatDoNotExistAreRefused()
    {
        using var model = LanguageModel.Open(Repository.Fixture("models", "gpt2-hub-layout"), CpuEngine.Shared);
        Assert.Equal("FF2210", Code(() => model.Forward(new TokenBatch([[340]]))));
        Assert.Equal("FF2210", Code(() => model.Forward(new TokenBatch([[-1]]))));
        Assert.Equal("FF2211", Code(() => model.Forward(new TokenBatch([new int[49]]))));
        Assert.Equal("FF2212", Code(() => _ = new TokenBatch([[1], []])));
        Assert.Equal("FF2213", Code(() => model.Forward(new TokenBatch([[1]]), new ForwardOptions { LastLayer = 2 })));
        Assert.Equal("FF2215", Code(() => model.Forward(new TokenBatch([[1]]), new ForwardOptions { FirstLayer = 1 })));
        using var cache = model.NewCache(1);
        Assert.Equal("FF2214", Code(() => model.Forward(new TokenBatch([[1], [2]]), new ForwardOptions { Cache = cache })));
        using (model.Forward(new TokenBatch([[1, 2]]), new ForwardOptions { Cache = cache }))
        {
            Assert.Equal([2], cache.Lengths);
            Assert.Equal("FF2214", Code(() => model.Forward(new TokenBatch([[1]]), new ForwardOptions { Cache = cache })));
        }

        Assert.ThrowsAny<OperationCanceledException>(() => model.Forward(new TokenBatch([[1]]), null, new CancellationToken(true)));

        static string Code(Action action) => Assert.Throws<FeatureFlowException>(action).Code;
    }

    [Fact]
    public void AHubIdOpensFromTheLocalCache()
    {
        var snapshot = Directory.CreateDirectory(Path.Combine(_folder.Path, "models--some--model", "snapshots", "abc")).FullName;
        var refs = Directory.CreateDirectory(Path.Combine(_folder.Path, "models--some--model", "refs")).FullName;
        File.WriteAllText(Path.Combine(refs, "main"), "abc");
        foreach (var file in Directory.GetFiles(Repository.Fixture("models", "gpt2"))) File.Copy(file, Path.Combine(snapshot, Path.GetFileName(file)));
        Assert.Equal(snapshot, new HubCache(_folder.Path).TrySnapshot("some/model"));
    }

    private static void Error(string code, string folder, string words)
    {
        var error = Assert.Throws<FeatureFlowException>(() => LanguageModel.Open(folder, CpuEngine.Shared));
        Assert.Equal(code, error.Code);
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    private static void Change(string folder, Action<JsonObject> change)
    {
        var path = Path.Combine(folder, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        change(config);
        File.WriteAllText(path, config.ToJsonString());
    }

    private string Copy(string fixture)
    {
        var target = Directory.CreateDirectory(_folder.File(fixture)).FullName;
        foreach (var file in Directory.GetFiles(Repository.Fixture("models", fixture)).Where(f => !f.EndsWith("expected.safetensors", StringComparison.Ordinal)))
        {
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
            File.SetAttributes(Path.Combine(target, Path.GetFileName(file)), FileAttributes.Normal);
        }

        return target;
    }
}
