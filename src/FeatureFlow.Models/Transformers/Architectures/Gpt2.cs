using FeatureFlow.Models.Checkpoints;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers.Architectures;

/// <summary>GPT-2: LayerNorm, learned positions, weights stored [in,out] with queries, keys and values side by side, tanh GELU.</summary>
internal sealed class Gpt2 : IArchitecture
{
    public string Family => "gpt2";

    public Transformer Build(Checkpoint checkpoint, ITensorEngine engine)
    {
        var read = new ConfigReader(checkpoint);
        int width = read.Int("n_embd", 768), heads = read.Int("n_head", 12), layers = read.Int("n_layer", 12), vocabulary = read.Int("vocab_size", 50257), context = read.Int("n_positions", read.Int("n_ctx", 1024));
        var inner = read.Int("n_inner", 4 * width);
        var config = read.Config(layers, width, vocabulary, context, heads, heads, read.Share("n_embd", width, heads), inner);
        var epsilon = read.Number("layer_norm_epsilon", 1e-5);
        var activation = read.Activation("activation_function", "gelu_new");
        var scale = read.Flag("scale_attn_weights", true) ? 1 / Math.Sqrt(config.HeadWidth) : 1;
        var scaleByLayer = read.Flag("scale_attn_by_inverse_layer_idx", false);
        var weights = new WeightReader(checkpoint, "transformer.");
        var embedding = weights.Get("wte.weight", vocabulary, width);
        return new Transformer
        {
            Config = config,
            Embedding_VD = embedding,
            Positions_PD = weights.Get("wpe.weight", context, width),
            Layers = [.. Enumerable.Range(0, layers).Select(ReadLayer)],
            FinalNorm = weights.LayerNorm("ln_f", width, epsilon),
            Unembedding = weights.Unembedding("lm_head.weight", embedding, read.Flag("tie_word_embeddings", true)),
        };

        Layer ReadLayer(int l)
        {
            var at = weights.At($"h.{l}.");
            return new Layer(
                at.LayerNorm("ln_1", width, epsilon),
                new AttentionBlock(
                    new FusedQkv(at.Conv1D("attn.c_attn", width, 3 * width)),
                    heads,
                    heads,
                    new AttentionOptions(config.HeadWidth, (float)(scaleByLayer ? scale / (l + 1) : scale)),
                    at.Conv1D("attn.c_proj", width, width)),
                AfterAttention: null,
                at.LayerNorm("ln_2", width, epsilon),
                new MlpBlock(Gate: null, at.Conv1D("mlp.c_fc", width, inner), activation, at.Conv1D("mlp.c_proj", inner, width)),
                AfterMlp: null);
        }
    }
}
