using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Training;

/// <summary>
/// All parameters of a model in one run of numbers, matrices first, gains of norms last: one optimiser step, one norm, one file. Gradients and moments have the
/// same layout. Matrices are [out, in], as checkpoints store them; query, key and value are one matrix, and so are gate and up.
/// </summary>
internal sealed class LlamaParameters : IDisposable
{
    private readonly LlamaShape _shape;
    private long _used;

    public LlamaParameters(LlamaShape shape)
    {
        _shape = shape;
        Flat = Tensor.Allocate(DType.F32, checked((int)shape.ParameterCount));
        var (d, f) = (shape.Width, shape.Inner);
        Embedding_VD = Take(shape.Vocabulary, d);
        var matrices = Enumerable.Range(0, shape.Layers).Select(_ => (Qkv: Take(3 * d, d), O: Take(d, d), GateUp: Take(2 * f, d), Down: Take(d, f))).ToList();
        MatrixCount = (int)_used;
        Layers = [.. matrices.Select(m => new Layer(Take(d), m.Qkv, m.O, Take(d), m.GateUp, m.Down))];
        FinalGain_D = Take(d);
    }

    /// <summary>[P], everything.</summary>
    public Tensor Flat { get; }

    /// <summary>How many of <see cref="Flat"/> belong to matrices; the rest are gains, which do not decay.</summary>
    public int MatrixCount { get; }

    public Tensor Embedding_VD { get; }

    public IReadOnlyList<Layer> Layers { get; }

    public Tensor FinalGain_D { get; }

    /// <summary>Fresh values: normal, of deviation 1/√in, those that write to the residual stream smaller by the root of their number; gains 1.</summary>
    public void Draw(ulong seed)
    {
        var random = new Prng(seed, 0x4C4D);
        var residual = 1 / Math.Sqrt(2 * _shape.Layers);
        Flat.AsSpan<float>()[MatrixCount..].Fill(1);
        Fill(Embedding_VD, 0.04);
        foreach (var layer in Layers)
        {
            var (d, f) = (Math.Sqrt(_shape.Width), Math.Sqrt(_shape.Inner));
            Fill(layer.Qkv, 1 / d);
            Fill(layer.O, residual / d);
            Fill(layer.GateUp, 1 / d);
            Fill(layer.Down, residual / f);
        }

        void Fill(Tensor t, double deviation)
        {
            foreach (ref var x in t.AsSpan<float>()) x = (float)(random.NextGaussian() * deviation);
        }
    }

    /// <summary>The names and matrices of a Hugging Face Llama checkpoint.</summary>
    public IEnumerable<(string Name, Tensor Value)> Named()
    {
        var (d, f) = (_shape.Width, _shape.Inner);
        yield return ("model.embed_tokens.weight", Embedding_VD);
        for (var l = 0; l < Layers.Count; l++)
        {
            var (layer, at) = (Layers[l], $"model.layers.{l}.");
            yield return (at + "input_layernorm.weight", layer.AttentionGain_D);
            yield return (at + "self_attn.q_proj.weight", layer.Qkv.Rows(0, d));
            yield return (at + "self_attn.k_proj.weight", layer.Qkv.Rows(d, d));
            yield return (at + "self_attn.v_proj.weight", layer.Qkv.Rows(2 * d, d));
            yield return (at + "self_attn.o_proj.weight", layer.O);
            yield return (at + "post_attention_layernorm.weight", layer.MlpGain_D);
            yield return (at + "mlp.gate_proj.weight", layer.GateUp.Rows(0, f));
            yield return (at + "mlp.up_proj.weight", layer.GateUp.Rows(f, f));
            yield return (at + "mlp.down_proj.weight", layer.Down);
        }

        yield return ("model.norm.weight", FinalGain_D);
    }

    public void Dispose() => Flat.Dispose();

    private Tensor Take(params ReadOnlySpan<int> shape)
    {
        var tensor = new Tensor(Flat.Storage, DType.F32, shape, _used * sizeof(float));
        _used += tensor.Count;
        return tensor;
    }

    /// <summary>One block: gains [D], qkv [3D,D], o [D,D], gate and up [2F,D], down [D,F].</summary>
    internal sealed record Layer(Tensor AttentionGain_D, Tensor Qkv, Tensor O, Tensor MlpGain_D, Tensor GateUp, Tensor Down);
}
