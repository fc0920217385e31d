using FeatureFlow.Models.Transformers;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>A layer block by block, for branches: many versions of single tokens of a text, whose other tokens are as a pass left them.</summary>
public sealed partial class LanguageModel
{
    /// <summary>True where attention and MLP of a layer both read its input, so that neither sees what the other adds (NeoX).</summary>
    public bool IsParallel(int layer) => LayerAt(layer).Parallel;

    /// <summary>What attention adds to branches of tokens: the norm before it to the norm behind it.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="x_ND">[N, D] inputs of the layer.</param>
    /// <param name="positions">[N] the position of every branch; equal ones together cost least.</param>
    /// <param name="cache">Keys and values of the text, from a pass over all of it; left as it is.</param>
    /// <param name="row">Its row.</param>
    /// <param name="att_ND">[N, D], overwritten.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF2213: no such layer; FF2214: the cache ends before a position.</exception>
    public void AttendBranches(int layer, Tensor x_ND, ReadOnlySpan<int> positions, KvCache cache, int row, Tensor att_ND, CancellationToken cancel = default)
    {
        var block = LayerAt(layer);
        var runs = new List<TokenRun>();
        for (int start = 0, end; start < positions.Length; start = end)
        {
            end = start + 1;
            while (end < positions.Length && positions[end] == positions[start]) end++;
            if (positions[start] > cache.Lengths[row]) throw ModelErrors.CacheMismatch($"a branch is at position {positions[start]}, and row {row} of the cache holds {cache.Lengths[row]}");
            runs.Add(new TokenRun(start, end - start, row, positions[start]));
        }

        var space = _spaces.TryTake(out var free) ? free : new Workspace(Engine);
        try
        {
            var normed_ND = space.Take("normed", x_ND.Shape[0], Config.Width);
            var z_NM = space.Take("z", x_ND.Shape[0], Config.Heads * Config.HeadWidth);
            block.AttentionNorm.Apply(Engine, x_ND, normed_ND);
            block.Attention.ApplyToBranches(Engine, normed_ND, _transformer.Rotary, positions, runs.ToArray(), cache.Layer(layer), z_NM, space, cancel);
            block.Attention.Output.Apply(Engine, z_NM, att_ND, cancel);
            block.AfterAttention?.Apply(Engine, att_ND, att_ND);
        }
        finally
        {
            _spaces.Add(space);
        }
    }

    /// <summary>What the MLP of a layer reads, its norm applied: the site of transcoders.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="h_ND">[N, D]: the input of the layer plus what attention adds, or the input alone in layers that are parallel.</param>
    /// <param name="normed_ND">[N, D], overwritten.</param>
    public void NormBeforeMlp(int layer, Tensor h_ND, Tensor normed_ND) => LayerAt(layer).MlpNorm.Apply(Engine, h_ND, normed_ND);

    /// <summary>What the MLP of a layer adds.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="normed_ND">[N, D] from <see cref="NormBeforeMlp"/>.</param>
    /// <param name="mlp_ND">[N, D], overwritten.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public void Mlp(int layer, Tensor normed_ND, Tensor mlp_ND, CancellationToken cancel = default)
    {
        var block = LayerAt(layer);
        var space = _spaces.TryTake(out var free) ? free : new Workspace(Engine);
        try
        {
            block.Mlp.Apply(Engine, normed_ND, mlp_ND, space, cancel);
            block.AfterMlp?.Apply(Engine, mlp_ND, mlp_ND);
        }
        finally
        {
            _spaces.Add(space);
        }
    }

    private Layer LayerAt(int layer) => (uint)layer < (uint)Config.Layers ? _transformer.Layers[layer] : throw ModelErrors.NoSuchLayer(layer, Config.Layers);
}
