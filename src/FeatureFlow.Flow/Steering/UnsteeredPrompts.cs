using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>What the unsteered model makes of a prompt: computed once, whatever plans and samples go on from it.</summary>
/// <param name="Cache">Keys and values of all layers, one row.</param>
/// <param name="Leaving">[D], what leaves the last layer at the prompt's end.</param>
/// <param name="Targets">Activations there.</param>
internal sealed record UnsteeredPrompt(KvCache Cache, float[] Leaving, IReadOnlyDictionary<FeatureId, float> Targets) : IDisposable
{
    public void Dispose() => Cache.Dispose();
}

/// <summary>The prompts of a run, the latest ones kept.</summary>
internal sealed class UnsteeredPrompts(LanguageModel model, TargetReader reader, IReadOnlyList<FeatureId> targets) : IDisposable
{
    private const int TokensKept = 16_384;

    private readonly Dictionary<TokenKey, UnsteeredPrompt> _kept = [];
    private int _tokens;

    /// <summary>The prompt, read now if it is not among those kept; valid until the next one is asked for.</summary>
    public UnsteeredPrompt Of(int[] ids, CancellationToken cancel)
    {
        if (_kept.TryGetValue(new TokenKey(ids), out var known)) return known;
        if (_tokens + ids.Length > TokensKept) Dispose();
        var cache = model.NewCache(1, ids.Length);
        try
        {
            reader.Forget();
            using var pass = model.Forward(TokenBatch.Continue(cache, [ids]), new ForwardOptions { Cache = cache, Hook = reader, Logits = LogitsWanted.None }, cancel);
            using var host_TD = Tensor.Allocate(DType.F32, pass.Resid_TD.Shape);
            model.Engine.Copy(pass.Resid_TD, host_TD);
            _tokens += ids.Length;
            return _kept[new TokenKey(ids)] = new UnsteeredPrompt(
                cache,
                host_TD.AsSpan<float>()[^model.Config.Width..].ToArray(),
                targets.ToDictionary(t => t, t => reader.Activation(t, ids.Length - 1)!.Value));
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var prompt in _kept.Values) prompt.Dispose();
        _kept.Clear();
        _tokens = 0;
    }
}
