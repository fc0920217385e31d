using FeatureFlow.Models.Checkpoints;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers.Architectures;

/// <summary>Llama 1 to 3.x: RMSNorm, rotary positions (with llama3 scaling), grouped queries, SwiGLU.</summary>
internal sealed class Llama : IArchitecture
{
    public string Family => "llama";

    public Transformer Build(Checkpoint checkpoint, ITensorEngine engine)
    {
        var read = new ConfigReader(checkpoint);
        int width = read.Need("hidden_size"), heads = read.Need("num_attention_heads"), layers = read.Need("num_hidden_layers"), inner = read.Need("intermediate_size"), vocabulary = read.Need("vocab_size");
        var config = read.Config(layers, width, vocabulary, read.Int("max_position_embeddings", 2048), heads, read.Int("num_key_value_heads", heads), read.Int("head_dim", width / heads), inner);
        var epsilon = read.Number("rms_norm_eps", 1e-6);
        var activation = read.Activation("hidden_act", "silu");
        var weights = new WeightReader(checkpoint, "model.");
        var embedding = weights.Get("embed_tokens.weight", vocabulary, width);
        return new Transformer
        {
            Config = config,
            Embedding_VD = embedding,
            Rotary = RotaryTable.Read(engine, checkpoint.Config, config.HeadWidth, "rope_theta"),
            Layers = [.. Enumerable.Range(0, layers).Select(ReadLayer)],
            FinalNorm = new RmsNorm(weights.Get("norm.weight", width), epsilon),
            Unembedding = weights.Unembedding("lm_head.weight", embedding, read.Flag("tie_word_embeddings", false)),
        };

        Layer ReadLayer(int l)
        {
            var at = weights.At($"layers.{l}.");
            int q = config.Heads * config.HeadWidth, kv = config.KeyValueHeads * config.HeadWidth;
            return new Layer(
                new RmsNorm(at.Get("input_layernorm.weight", width), epsilon),
                new AttentionBlock(
                    new SeparateQkv(at.Linear("self_attn.q_proj", width, q), at.Linear("self_attn.k_proj", width, kv), at.Linear("self_attn.v_proj", width, kv)),
                    config.Heads,
                    config.KeyValueHeads,
                    new AttentionOptions(config.HeadWidth, (float)(1 / Math.Sqrt(config.HeadWidth))),
                    at.Linear("self_attn.o_proj", q, width)),
                AfterAttention: null,
                new RmsNorm(at.Get("post_attention_layernorm.weight", width), epsilon),
                new MlpBlock(at.Linear("mlp.gate_proj", width, inner), at.Linear("mlp.up_proj", width, inner), activation, at.Linear("mlp.down_proj", inner, width)),
                AfterMlp: null);
        }
    }
}
