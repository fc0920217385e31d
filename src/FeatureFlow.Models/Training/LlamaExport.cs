using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Training;

/// <summary>A trained model as a folder that any reader of Hugging Face checkpoints opens.</summary>
internal static class LlamaExport
{
    public static void Write(string folder, LlamaShape shape, LlamaParameters weights, ITensorEngine engine, int bos, int eos)
    {
        var halves = weights.Named().Select(w =>
        {
            var half = Tensor.Allocate(DType.F16, w.Value.Shape);
            engine.Copy(w.Value, half);
            return (w.Name, Value: half);
        }).ToList();
        SafetensorsFile.Write(Path.Combine(folder, "model.safetensors"), new Dictionary<string, string> { ["format"] = "pt" }, halves);
        halves.ForEach(h => h.Value.Dispose());
        Print(Path.Combine(folder, "config.json"), new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["model_type"] = "llama",
            ["hidden_size"] = shape.Width,
            ["intermediate_size"] = shape.Inner,
            ["num_hidden_layers"] = shape.Layers,
            ["num_attention_heads"] = shape.Heads,
            ["num_key_value_heads"] = shape.Heads,
            ["head_dim"] = shape.HeadWidth,
            ["vocab_size"] = shape.Vocabulary,
            ["max_position_embeddings"] = shape.Context,
            ["rms_norm_eps"] = shape.Epsilon,
            ["rope_theta"] = shape.RopeTheta,
            ["rope_scaling"] = null,
            ["hidden_act"] = "silu",
            ["attention_bias"] = false,
            ["attention_dropout"] = 0.0,
            ["mlp_bias"] = false,
            ["tie_word_embeddings"] = true,
            ["bos_token_id"] = bos,
            ["eos_token_id"] = eos,
            ["torch_dtype"] = "float16",
            ["use_cache"] = true,
        });
        Print(Path.Combine(folder, "generation_config.json"), new JsonObject { ["bos_token_id"] = bos, ["eos_token_id"] = eos, ["do_sample"] = true, ["temperature"] = 1.0 });
    }

    private static void Print(string path, JsonObject json) =>
        AtomicFile.WriteText(path, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n");
}
