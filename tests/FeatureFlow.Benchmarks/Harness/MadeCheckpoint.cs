using System.Runtime.InteropServices;
using System.Text.Json;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>Checkpoints of real shape with made-up weights, bfloat16 unless said, written without holding them.</summary>
internal static class MadeCheckpoint
{
    /// <summary>GPT-2 small: 12 layers, d 768, 124 million weights.</summary>
    public static string Gpt2(string folder) => Gpt2(folder, DType.BF16);

    /// <summary>The same in another type: the published one is float32.</summary>
    public static string Gpt2(string folder, DType type) =>
        Write(folder, new { model_type = "gpt2", n_layer = 12, n_embd = 768, n_head = 12, n_positions = 1024, vocab_size = 50257 }, Gpt2Weights(), type);

    /// <summary>Gemma 2 2B: 26 layers, d 2304, 2.6 thousand million weights, 5.2 GB.</summary>
    public static string Gemma2(string folder) => Write(
        folder,
        new { model_type = "gemma2", num_hidden_layers = 26, hidden_size = 2304, intermediate_size = 9216, num_attention_heads = 8, num_key_value_heads = 4, head_dim = 256, query_pre_attn_scalar = 256, vocab_size = 256000, max_position_embeddings = 8192, sliding_window = 4096 },
        Gemma2Weights());

    private static IEnumerable<(string, int[])> Gpt2Weights()
    {
        yield return ("wte.weight", [50257, 768]);
        yield return ("wpe.weight", [1024, 768]);
        for (var l = 0; l < 12; l++)
        {
            foreach (var (name, shape) in new (string, int[])[]
            {
                ("ln_1.weight", [768]), ("ln_1.bias", [768]), ("attn.c_attn.weight", [768, 2304]), ("attn.c_attn.bias", [2304]), ("attn.c_proj.weight", [768, 768]), ("attn.c_proj.bias", [768]),
                ("ln_2.weight", [768]), ("ln_2.bias", [768]), ("mlp.c_fc.weight", [768, 3072]), ("mlp.c_fc.bias", [3072]), ("mlp.c_proj.weight", [3072, 768]), ("mlp.c_proj.bias", [768]),
            }) yield return ($"h.{l}.{name}", shape);
        }

        yield return ("ln_f.weight", [768]);
        yield return ("ln_f.bias", [768]);
    }

    private static IEnumerable<(string, int[])> Gemma2Weights()
    {
        yield return ("model.embed_tokens.weight", [256000, 2304]);
        for (var l = 0; l < 26; l++)
        {
            foreach (var (name, shape) in new (string, int[])[]
            {
                ("input_layernorm", [2304]), ("self_attn.q_proj", [2048, 2304]), ("self_attn.k_proj", [1024, 2304]), ("self_attn.v_proj", [1024, 2304]), ("self_attn.o_proj", [2304, 2048]), ("post_attention_layernorm", [2304]),
                ("pre_feedforward_layernorm", [2304]), ("mlp.gate_proj", [9216, 2304]), ("mlp.up_proj", [9216, 2304]), ("mlp.down_proj", [2304, 9216]), ("post_feedforward_layernorm", [2304]),
            }) yield return ($"model.layers.{l}.{name}.weight", shape);
        }

        yield return ("model.norm.weight", [2304]);
    }

    private static string Write(string folder, object config, IEnumerable<(string Name, int[] Shape)> weights, DType type = DType.BF16)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(config));
        SafetensorsFile.Write(Path.Combine(folder, "model.safetensors"), null, weights.Select((w, i) => new TensorSource(w.Name, type, w.Shape, s => Fill(s, w.Shape, type, i + 1))));
        return folder;
    }

    // uniform in ±0.03: only the time counts, but the numbers must stay finite
    private static void Fill(Stream stream, int[] shape, DType type, int seed)
    {
        var left = shape.Aggregate(1L, (n, extent) => n * extent);
        var block = new ushort[1 << 16];
        var numbers = new float[1 << 16];
        Made.Fill(seed, numbers);
        for (var i = 0; i < block.Length; i++) block[i] = (ushort)(BitConverter.SingleToUInt32Bits(numbers[i] *= 0.06f) >> 16);
        for (; left > 0; left -= block.Length)
        {
            var count = (int)Math.Min(block.Length, left);
            stream.Write(type == DType.F32 ? MemoryMarshal.AsBytes(numbers.AsSpan(0, count)) : MemoryMarshal.AsBytes(block.AsSpan(0, count)));
        }
    }
}
