using System.Text.Json;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>Which tokens begin and end a text, from the files beside tokenizer.json.</summary>
/// <param name="AddBos">Whether a text is begun with BOS; null leaves it to the template.</param>
/// <param name="AddEos">Whether it is ended with EOS; null leaves it to the template.</param>
internal sealed record SpecialTokens(int? Bos, int? Eos, bool? AddBos, bool? AddEos)
{
    private static readonly string[] UsualBos = ["<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>"];
    private static readonly string[] UsualEos = ["</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"];

    /// <summary>From tokenizer_config.json, else from special_tokens_map.json, else from config.json, else from the template and the usual names.</summary>
    public static SpecialTokens Read(string tokenizerFile, TokenizerParts parts)
    {
        var folder = Path.GetDirectoryName(tokenizerFile)!;
        var config = Beside(folder, "tokenizer_config.json");
        var map = Beside(folder, "special_tokens_map.json");
        var model = Beside(folder, "config.json");
        return new SpecialTokens(
            Named(config, "bos_token", parts) ?? Named(map, "bos_token", parts) ?? Numbered(model, "bos_token_id", parts) ?? (parts.Before.Count > 0 ? parts.Before[0] : Usual(UsualBos, parts)),
            Named(config, "eos_token", parts) ?? Named(map, "eos_token", parts) ?? Numbered(model, "eos_token_id", parts) ?? Usual(UsualEos, parts),
            config?.Flag("add_bos_token"),
            config?.Flag("add_eos_token"));
    }

    /// <summary>The id of a piece, added tokens first.</summary>
    public static int? Find(TokenizerParts parts, string piece) =>
        parts.Added.FirstOrDefault(t => t.Content == piece)?.Id ?? (parts.Vocabulary.TryGetValue(piece, out var id) ? id : null);

    private static JsonConfig? Beside(string folder, string name)
    {
        var file = Path.Combine(folder, name);
        return File.Exists(file) ? JsonConfig.Open(file) : null;
    }

    // a text, or an object with its content
    private static int? Named(JsonConfig? config, string key, TokenizerParts parts)
    {
        if (config is null || !config.Has(key)) return null;
        var name = config.Kind(key) == JsonValueKind.Object ? config.Object(key)!.Text("content") : config.Text(key);
        return name is null ? null : Find(parts, name) ?? throw ModelErrors.TokenizerSpecial(config.Path, key, name);
    }

    // a number, or a list of which the first counts
    private static int? Numbered(JsonConfig? config, string key, TokenizerParts parts)
    {
        if (config is null) return null;
        var id = config.Kind(key) == JsonValueKind.Array
            ? config.Value(key).EnumerateArray().Where(e => e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out _)).Select(e => (int?)e.GetInt32()).FirstOrDefault()
            : config.Int(key);
        return id >= 0 && id < parts.Pieces.Length ? id : null;
    }

    private static int? Usual(string[] names, TokenizerParts parts) =>
        names.Select(n => parts.Added.FirstOrDefault(t => t.Special && t.Content == n)?.Id).FirstOrDefault(id => id is not null);
}
