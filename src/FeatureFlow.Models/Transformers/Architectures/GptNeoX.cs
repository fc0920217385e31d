using FeatureFlow.Models.Checkpoints;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers.Architectures;

/// <summary>GPT-NeoX and Pythia: LayerNorm, rotary positions on a part of each head, attention and MLP side by side, queries, keys and values interleaved by head.</summary>
internal sealed class GptNeoX : IArchitecture
{
    public string Family => "gpt_neox";

    public Transformer Build(Checkpoint checkpoint, ITensorEngine engine)
    {
        var read = new ConfigReader(checkpoint);
        int width = read.Need("hidden_size"), heads = read.Need("num_attention_heads"), layers = read.Need("num_hidden_layers"), inner = read.Need("intermediate_size"), vocabulary = read.Need("vocab_size");
        var config = read.Config(layers, width, vocabulary, read.Int("max_position_embeddings", 2048), heads, heads, read.Share("hidden_size", width, heads), inner);
        var epsilon = read.Number("layer_norm_eps", 1e-5);
        var parallel = read.Flag("use_parallel_residual", true);
        var activation = read.Activation("hidden_act", "gelu");
        var turned = (int)(config.HeadWidth * (checkpoint.Config.Number("rotary_pct") ?? checkpoint.Config.Number("partial_rotary_factor") ?? checkpoint.Config.Object("rope_parameters")?.Number("partial_rotary_factor") ?? 0.25));
        var weights = new WeightReader(checkpoint, "gpt_neox.");
        var embedding = weights.Get("embed_in.weight", vocabulary, width);
        return new Transformer
        {
            Config = config,
            Embedding_VD = embedding,
            Rotary = RotaryTable.Read(engine, checkpoint.Config, turned, "rotary_emb_base", "rope_theta"),
            Layers = [.. Enumerable.Range(0, layers).Select(ReadLayer)],
            FinalNorm = weights.LayerNorm("final_layer_norm", width, epsilon),
            Unembedding = weights.Unembedding("embed_out.weight", embedding, read.Flag("tie_word_embeddings", false)),
        };

        Layer ReadLayer(int l)
        {
            var at = weights.At($"layers.{l}.");
            return new Layer(
                at.LayerNorm("input_layernorm", width, epsilon),
                new AttentionBlock(
                    new InterleavedQkv(at.Linear("attention.query_key_value", width, 3 * width), heads, config.HeadWidth),
                    heads,
                    heads,
                    new AttentionOptions(config.HeadWidth, (float)(1 / Math.Sqrt(config.HeadWidth))),
                    at.Linear("attention.dense", width, width)),
                AfterAttention: null,
                at.LayerNorm("post_attention_layernorm", width, epsilon),
                new MlpBlock(Gate: null, at.Linear("mlp.dense_h_to_4h", width, inner), activation, at.Linear("mlp.dense_4h_to_h", inner, width)),
                AfterMlp: null,
                parallel);
        }
    }
}
