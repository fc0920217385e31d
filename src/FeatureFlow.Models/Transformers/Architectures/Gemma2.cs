using FeatureFlow.Models.Checkpoints;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers.Architectures;

/// <summary>
/// Gemma 2: RMSNorm with 1 + weight before and after both blocks, embeddings times √D, GeGLU (tanh), soft caps on scores and logits, every other layer
/// (0, 2, 4, ...) seeing a window only.
/// </summary>
internal sealed class Gemma2 : IArchitecture
{
    public string Family => "gemma2";

    public Transformer Build(Checkpoint checkpoint, ITensorEngine engine)
    {
        var read = new ConfigReader(checkpoint);
        int width = read.Need("hidden_size"), heads = read.Need("num_attention_heads"), layers = read.Need("num_hidden_layers"), inner = read.Need("intermediate_size"), vocabulary = read.Need("vocab_size");
        var config = read.Config(layers, width, vocabulary, read.Int("max_position_embeddings", 8192), heads, read.Int("num_key_value_heads", heads), read.Int("head_dim", 256), inner);
        var epsilon = read.Number("rms_norm_eps", 1e-6);
        var scale = (float)(1 / Math.Sqrt(read.Number("query_pre_attn_scalar", 256)));
        var scoreCap = read.NumberOrNone("attn_logit_softcapping", 50);
        var window = read.Int("sliding_window", 4096);
        var kinds = checkpoint.Config.Texts("layer_types");
        var activation = read.Activation("hidden_activation", "gelu_pytorch_tanh");
        var weights = new WeightReader(checkpoint, "model.");
        var embedding = weights.Get("embed_tokens.weight", vocabulary, width);
        return new Transformer
        {
            Config = config,
            Embedding_VD = embedding,
            EmbeddingFactor = MathF.Sqrt(width),
            Rotary = RotaryTable.Read(engine, checkpoint.Config, config.HeadWidth, "rope_theta"),
            Layers = [.. Enumerable.Range(0, layers).Select(ReadLayer)],
            FinalNorm = new RmsNorm(weights.Get("norm.weight", width), epsilon, Offset: 1),
            Unembedding = weights.Unembedding("lm_head.weight", embedding, read.Flag("tie_word_embeddings", true)),
            FinalSoftCap = read.NumberOrNone("final_logit_softcapping", 30),
        };

        Layer ReadLayer(int l)
        {
            var at = weights.At($"layers.{l}.");
            int q = config.Heads * config.HeadWidth, kv = config.KeyValueHeads * config.HeadWidth;
            var windowed = kinds is not null && l < kinds.Count ? kinds[l] == "sliding_attention" : l % 2 == 0;
            return new Layer(
                Norm("input_layernorm"),
                new AttentionBlock(
                    new SeparateQkv(at.Linear("self_attn.q_proj", width, q), at.Linear("self_attn.k_proj", width, kv), at.Linear("self_attn.v_proj", width, kv)),
                    config.Heads,
                    config.KeyValueHeads,
                    new AttentionOptions(config.HeadWidth, scale, windowed ? window : 0, scoreCap),
                    at.Linear("self_attn.o_proj", q, width)),
                Norm("post_attention_layernorm"),
                Norm("pre_feedforward_layernorm"),
                new MlpBlock(at.Linear("mlp.gate_proj", width, inner), at.Linear("mlp.up_proj", width, inner), activation, at.Linear("mlp.down_proj", inner, width)),
                Norm("post_feedforward_layernorm"));

            RmsNorm Norm(string name) => new(at.Get(name + ".weight", width), epsilon, Offset: 1);
        }
    }
}
