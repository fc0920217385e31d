using System.Buffers;
using System.Globalization;
using System.Text.Json;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>What the text and the model of a training were, for formats that have a place for it.</summary>
/// <param name="Model">Name or folder of the model.</param>
/// <param name="ContextLength">Longest sequence that was read.</param>
/// <param name="PrependBos">Every sequence began with BOS.</param>
public sealed record SaeOrigin(string? Model = null, int? ContextLength = null, bool PrependBos = true);

/// <summary>Writing a trained SAE.</summary>
public sealed partial record TrainedSae
{
    /// <summary>
    /// Gemma Scope's layout: <c>&lt;site&gt;/layer_&lt;l&gt;/width_&lt;F&gt;/average_l0_&lt;n&gt;/params.npz</c> below a folder. SAEs with a threshold only.
    /// </summary>
    /// <param name="root">The folder; the rest of the path is made.</param>
    /// <param name="averageL0">As measured: part of the path.</param>
    /// <param name="type">float32 or float16.</param>
    /// <returns>The path of the file.</returns>
    /// <exception cref="FeatureFlowException">FF3110: it has no threshold; FF2030: cannot be written.</exception>
    public string WriteGemmaScope(string root, double averageL0, DType type = DType.F32)
    {
        var path = Path.Combine(root, Recipe.Address.Site.Name(), string.Create(CultureInfo.InvariantCulture, $"layer_{Recipe.Address.Layer}"), "width_" + Width(Recipe.FeatureCount), string.Create(CultureInfo.InvariantCulture, $"average_l0_{Math.Round(averageL0)}"), "params.npz");
        if (Threshold_F is null) throw SaeErrors.NoThreshold(path, SaeArchitecture.TopK);
        NpzFile.Write(path, [Source("W_enc", WEnc_DF, type), Source("W_dec", WDec_FD, type), Source("b_enc", BEnc_F, type), Source("b_dec", BDec_D, type), Source("threshold", Threshold_F, type)]);
        return path;
    }

    /// <summary>SAELens' layout: <c>cfg.json</c> and <c>sae_weights.safetensors</c> in a folder. BatchTopK is written as jumprelu with its fitted threshold, as SAELens itself does.</summary>
    /// <param name="folder">The folder of this SAE.</param>
    /// <param name="origin">What it was trained on.</param>
    /// <param name="type">float32, float16 or bfloat16.</param>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written.</exception>
    public void WriteSaeLens(string folder, SaeOrigin origin, DType type = DType.F32)
    {
        var arrays = new List<TensorSource> { Source("W_enc", WEnc_DF, type), Source("W_dec", WDec_FD, type), Source("b_enc", BEnc_F, type), Source("b_dec", BDec_D, type) };
        if (Threshold_F is not null) arrays.Add(Source("threshold", Threshold_F, type));
        SafetensorsFile.Write(Path.Combine(folder, "sae_weights.safetensors"), null, arrays);
        AtomicFile.Write(Path.Combine(folder, "cfg.json"), s => s.Write(Config(origin, type)));
    }

    private byte[] Config(SaeOrigin origin, DType type)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteString("architecture", Recipe.Kind == SaeTrainingKind.TopK ? "topk" : "jumprelu");
            json.WriteNumber("d_in", WEnc_DF.Shape[0]);
            json.WriteNumber("d_sae", Recipe.FeatureCount);
            json.WriteString("dtype", type switch { DType.F16 => "float16", DType.BF16 => "bfloat16", _ => "float32" });
            json.WriteString("device", "cpu");
            json.WriteBoolean("apply_b_dec_to_input", false);
            json.WriteString("normalize_activations", "none");
            json.WriteString("reshape_activations", "none");
            if (Recipe.Kind == SaeTrainingKind.TopK)
            {
                json.WriteNumber("k", (int)Recipe.TargetL0!.Value);
                json.WriteBoolean("rescale_acts_by_decoder_norm", false);
            }

            json.WriteStartObject("metadata");
            if (origin.Model is not null) json.WriteString("model_name", origin.Model);
            json.WriteString("hook_name", HookNames.Of(Recipe.Address));
            json.WriteNull("hook_head_index");
            if (origin.ContextLength is { } context) json.WriteNumber("context_size", context);
            json.WriteBoolean("prepend_bos", origin.PrependBos);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    // a converted copy is made when it is written, and given back
    private static TensorSource Source(string name, Tensor value, DType type) =>
        TensorSource.Made(name, type, value.Shape.ToArray(), () =>
        {
            var copy = Tensor.Allocate(type, value.Shape);
            CpuEngine.Shared.Copy(value, copy);
            return copy;
        });

    // 16384 is 16k, 512 is 512: as published folders are named
    private static string Width(int features) => features % 1024 == 0 && features >= 16384 ? string.Create(CultureInfo.InvariantCulture, $"{features / 1024}k") : features.ToString(CultureInfo.InvariantCulture);
}
